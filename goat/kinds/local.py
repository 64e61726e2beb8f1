"""`LocalRunner`: a participant's own evaluation in a process of its own.

It protects the notebook, not a machine: a model that crashes, eats the memory or never ends takes its
process with it and leaves the kernel alone. The service's runner confines what it runs; this one only
keeps time and, where the system can, memory.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from goat.errors import Problem, Rejection
from goat.kinds.base import Device, Limits
from goat.kinds.onnx.runtime import installed

T = TypeVar("T")

_NVIDIA = "/proc/driver/nvidia/version"


class _Reply(msgspec.Struct, omit_defaults=True):
    """What the process leaves behind: exactly one of the three is set."""

    result: msgspec.Raw = msgspec.Raw(b"")
    problems: list[tuple[str, str, str | None]] = []
    fault: str = ""


class LocalRunner:
    """Implements `goat.kinds.base.Runner` by one plain process per call."""

    gpu_memory_bytes = 0

    def device(self, wanted: Device) -> Device:
        """The device to use here for one that the challenge wants: a laptop without a GPU has a CPU."""
        driver = os.path.exists(_NVIDIA) or shutil.which("nvidia-smi")
        return "gpu" if wanted == "gpu" and installed("onnxruntime-gpu") and driver else "cpu"

    def call(self, function: Callable[..., T], *args: Any, limits: Limits) -> T:
        """See `goat.kinds.base.Runner`. The result is made of plain values, named tuples and dataclasses.

        Raises RuntimeError when the function fails in a way that is nobody's verdict.
        """
        with tempfile.TemporaryDirectory(prefix="goat-local-") as folder:
            order, answer = Path(folder, "order"), Path(folder, "answer")
            order.write_bytes(
                pickle.dumps((sys.path, function.__module__, function.__qualname__, args, limits))
            )
            status = _wait([sys.executable, "-P", "-m", __name__, str(order), str(answer)], limits)
            if not answer.exists():
                raise _ended(status)
            reply = msgspec.msgpack.decode(answer.read_bytes(), type=_Reply)
        if reply.problems:
            raise Rejection(Problem(*problem) for problem in reply.problems)
        if reply.fault:
            raise RuntimeError(reply.fault)
        result: T = msgspec.msgpack.decode(reply.result, type=get_type_hints(function)["return"])
        return result


def _wait(command: list[str], limits: Limits) -> int:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path)}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        try:
            return process.wait(limits.wall_s)
        except subprocess.TimeoutExpired:
            raise Rejection.of("time_limit", f"it took longer than {limits.wall_s:g} s") from None
        finally:
            process.kill()


def _ended(status: int) -> Rejection:
    """The verdict on a process without an answer, from how it ended."""
    if status in (-signal.SIGTERM, -getattr(signal, "SIGKILL", 9)):
        return Rejection.of("memory_limit", "it was killed by the system, most likely for its memory")
    if status == -getattr(signal, "SIGXCPU", 24):
        return Rejection.of("time_limit", "it used more time than it may")
    return Rejection.of("crashed", f"it crashed (status {status})")


def main(order: Path, answer: Path) -> None:
    """The process: read the order, bound the memory, work, leave the answer."""
    path, module, name, args, limits = pickle.loads(order.read_bytes())  # noqa: S301  # from our own parent
    sys.path[:] = path
    function = getattr(import_module(module), name)
    try:
        _bound(limits)
        reply = _Reply(result=msgspec.Raw(msgspec.msgpack.encode(function(*args))))
    except Rejection as rejection:
        reply = _Reply(problems=[(p.code, p.message, p.file) for p in rejection.problems])
    except MemoryError:
        reply = _Reply(problems=[("memory_limit", "it needs more memory than it may use", None)])
    except Exception as error:  # noqa: BLE001  # whatever it is, the parent has to hear of it
        reply = _Reply(fault=f"{type(error).__name__}: {error}")
    temporary = answer.with_suffix(".part")
    temporary.write_bytes(msgspec.msgpack.encode(reply))
    temporary.replace(answer)


def _bound(limits: Limits) -> None:
    """Bound private memory above what is held now, so that a bomb ends here and not the machine."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if limits.device == "cpu" and sys.platform == "linux":
            held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            soft = held + limits.memory_bytes
            resource.setrlimit(resource.RLIMIT_DATA, (soft, soft))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

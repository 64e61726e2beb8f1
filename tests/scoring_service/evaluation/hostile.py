"""What a child may do when its input has taken it over."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from goat.errors import Problem, Rejection

REPLY = 3
"""Descriptor of the channel to the worker, as a child that looks around finds it."""


class Found(NamedTuple):
    place: tuple[int, int]
    problems: dict[str, Problem]


def echo(value: Any) -> Any:
    return value


def find() -> Found:
    return Found((1, 2), {"a": Problem("code", "message")})


def find_something_else() -> Found:
    return [["1", "2"], {}]  # type: ignore[return-value]  # that is the point


def surroundings() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        # one of them is the listing's own
        "descriptors": {n: os.readlink(f"/proc/self/fd/{n}") for n in range(3)},
        "open": len(os.listdir("/proc/self/fd")) - 1,
        "group": os.getpgid(0) == os.getpid(),
    }


def complain(count: int, message: str = "It is \x1b[31mred\x1b[0m.") -> None:
    raise Rejection([Problem("wrong_shape", message, f"sample_{n}.pt") for n in range(count)])


def complain_strangely() -> None:
    raise Rejection.of("<script>", "x" * 10_000, "\u202egnp.exe" + "y" * 10_000)


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(600)


def allocate(size: int = 4 << 30) -> int:
    return len(bytearray(size))


def allocate_bit_by_bit() -> int:
    kept = []
    while True:
        kept.append(bytearray(10 << 20))


def fork() -> str:
    try:
        return "child" if os.fork() == 0 else "parent"
    except OSError as error:
        return type(error).__name__


def fork_forever() -> None:
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def execute() -> str:
    try:
        os.execv("/bin/true", ["true"])
    except OSError as error:
        return type(error).__name__


def start_thread() -> list[int]:
    found: list[int] = []
    thread = threading.Thread(target=found.append, args=(1,))
    thread.start()
    thread.join()
    return found


def bounds() -> dict[str, int]:
    """Soft limits in force, -1 for none."""
    return {name: resource.getrlimit(getattr(resource, name))[0] for name in ("RLIMIT_AS", "RLIMIT_NPROC")}


def write_file(path: str) -> None:
    Path(path).write_bytes(b"x" * 100_000)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_itself_once(path: str) -> str:
    # A folder is not a file: making one is possible under the limits, and tells the next attempt.
    try:
        os.mkdir(path)
    except FileExistsError:
        return "second time"
    kill_itself()
    return "unreachable"


def crash() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(0)


def reply_garbage() -> None:
    os.write(REPLY, b"\x00\x00\x00\x05hello")
    os._exit(0)


def reply_pickle(path: str) -> None:
    payload = f"cposix\nsystem\n(S'touch {path}'\ntR.".encode()
    os.write(REPLY, len(payload).to_bytes(4, "big") + payload)
    os._exit(0)


def promise_too_much() -> None:
    os.write(REPLY, b"\xff\xff\xff\xff")
    time.sleep(600)


def reply_hugely() -> bytes:
    return b"x" * (20 << 20)


def nest_deeply() -> None:
    payload = b"\x81\xa6result" + b"\x91" * 1_000_000 + b"\xc0"
    os.write(REPLY, len(payload).to_bytes(4, "big"))
    with contextlib.suppress(BrokenPipeError):
        view = memoryview(payload)
        while view:
            view = view[os.write(REPLY, view) :]
    os._exit(0)


def fail() -> None:
    raise KeyError("a bug of ours")


def return_a_class() -> Any:
    return Path

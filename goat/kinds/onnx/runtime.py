"""The packages that run models: which must be there, which exclude each other, what they report."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Mapping
from typing import Any, Final

from goat.errors import MissingPackage
from goat.kinds.base import Device

PROVIDERS: Final[dict[Device, str]] = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider"}


def require_runtime(device: Device) -> None:
    """Raise `goat.errors.MissingPackage` if models cannot be run here, with what to install.

    Imports neither `onnx` nor `onnxruntime`.
    """
    extra = "gpu" if device == "gpu" else "cpu"
    both = [name for name in ("onnxruntime", "onnxruntime-gpu") if installed(name)]
    if len(both) == 2:
        raise MissingPackage(
            "onnxruntime and onnxruntime-gpu are both installed and break each other: pip uninstall -y "
            f'onnxruntime onnxruntime-gpu, then pip install "mls-goat[{extra}]"',
            package="onnxruntime",
        )
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackage(
            f'Running ONNX models needs {" and ".join(missing)}: pip install "mls-goat[{extra}]"',
            package=missing[0],
        )


def load_runtime() -> Any:
    """The module `onnxruntime`, with its telemetry off."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def require_provider(device: Device) -> None:
    """Raise RuntimeError if this build of the runtime cannot use the device: nobody's verdict."""
    there = load_runtime().get_available_providers()
    if PROVIDERS[device] not in there:
        raise RuntimeError(f"{PROVIDERS[device]} is not in this build of onnxruntime, only {there}")


def open_session(
    content: bytes,
    device: Device,
    *,
    threads: int = 1,
    gpu_memory_bytes: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> Any:
    """An InferenceSession of a model's bytes on that device and no other.

    gpu_memory_bytes: that the runtime may take for its arena; 0 for no bound. sizes: of dimensions that
    the model leaves open, by their names. Raises what the runtime raises, and RuntimeError where it fell
    back to another device: a number of another device must never be published.
    """
    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Bytes that are a sound message and a file of the runtime's other format at once are a message.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    for name, size in (sizes or {}).items():
        options.add_free_dimension_override_by_name(name, size)
    provider: Any = PROVIDERS[device]
    if device == "gpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        bound = {"gpu_mem_limit": str(gpu_memory_bytes)} if gpu_memory_bytes else {}
        provider = (provider, {"device_id": "0", "arena_extend_strategy": "kSameAsRequested", **bound})
    session = runtime.InferenceSession(content, sess_options=options, providers=[provider])
    if session.get_providers()[0] != PROVIDERS[device]:
        raise RuntimeError(f"{PROVIDERS[device]} is not there; got {session.get_providers()}")
    return session


def canary() -> bytes:
    """The smallest model, which doubles two numbers: where it does not run, the fault is the machine's and
    not a participant's."""
    from onnx import TensorProto, helper

    taken, given = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "canary", [taken], [given])
    content: bytes = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
    ).SerializeToString()
    return content


def installed(distribution: str) -> bool:
    """Whether a package of that name is there."""
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True

"""The packages that run models: which must be there, which exclude each other, what they report."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
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


def installed(distribution: str) -> bool:
    """Whether a package of that name is there."""
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True

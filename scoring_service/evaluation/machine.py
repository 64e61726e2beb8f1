"""The machine record: what a result was computed on, stored with it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

_LIBRARIES = ("mls-goat", "numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu")
"""Whose versions may change a number or its time."""


@cache
def machine_record() -> dict[str, Any]:
    """Host, processor and versions as plain values; read once per process."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version for name in _LIBRARIES if (version := _version(name)) is not None},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

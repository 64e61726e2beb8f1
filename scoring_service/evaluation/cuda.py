"""Imported by the fork server of a GPU worker: CUDA's libraries are loaded once, not by every child.

Loading opens no device, so the process can still be forked; a child makes the first call of CUDA.
"""

from __future__ import annotations

from goat.kinds.onnx.runtime import load_runtime

# From the nvidia packages of this environment, else from where the system has them.
load_runtime().preload_dlls()

"""Imported by the fork server of a CPU worker: the first session of a process is made once, not by every
child.

It registers the runtime's operators, which costs as much as loading a small model. The model is our own,
it runs on this one thread, and nothing of it stays: the process can still be forked. Where it fails, the
worker's canary fails as well, and says why.
"""

from __future__ import annotations

import contextlib

import numpy as np

from goat.kinds.onnx.runtime import canary, open_session

with contextlib.suppress(Exception):
    open_session(canary(), "cpu").run(None, {"x": np.zeros(1, np.float32)})

"""A worker's folder for what an evaluation writes on the way: gone with the worker, however it ends.

A model's answers may be tens of megabytes. A killed worker leaves them behind; the next one that starts
removes whatever belongs to nobody alive, which the kernel's locks tell.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


class Scratch:
    """While it is open, temporary files of this process lie in a folder of its own below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before: str | None = None
        self._held = -1
        self.folder = root

    def __enter__(self) -> Scratch:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        gate = os.open(self._root, os.O_RDONLY)
        try:
            # One at a time: a folder that is being made has no lock yet, and must not look left behind.
            fcntl.flock(gate, fcntl.LOCK_EX)
            self._remove_left_behind()
            self.folder = Path(tempfile.mkdtemp(prefix="worker-", dir=self._root))
            self._held = os.open(self.folder, os.O_RDONLY)
            fcntl.flock(self._held, fcntl.LOCK_EX)
        finally:
            os.close(gate)
        self._before, tempfile.tempdir = tempfile.tempdir, str(self.folder)
        return self

    def __exit__(self, *_exc: object) -> None:
        tempfile.tempdir = self._before
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._held)

    def _remove_left_behind(self) -> None:
        for folder in self._root.iterdir():
            try:
                descriptor = os.open(folder, os.O_RDONLY)
            except FileNotFoundError:
                continue  # its worker ended just now, and took it along
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its worker lives
            finally:
                os.close(descriptor)
            shutil.rmtree(folder, ignore_errors=True)

"""Choose a file in the browser: sent to the kernel in pieces, so that no limit of the connection is hit.

A notebook server cuts a connection that carries a message of 10 MiB; pieces of at most 1 MiB never come near
it, each is acknowledged, and a kernel that died is noticed. What is too large for a browser at all is
steered to the file browser and a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import traitlets

from goat.text import plain
from goat.widgets.assets import source
from goat.widgets.base import Shown

FOLDER = "uploads"
LIMIT_BYTES = 100_000_000


class UploadWidget(Shown):
    """A button that takes one file and puts it into the folder ``uploads``."""

    _esm = source("grid.js", "upload.js")
    _css = source("board.css")

    limit = traitlets.Int(LIMIT_BYTES).tag(sync=True)
    accept = traitlets.Unicode("").tag(sync=True)
    """Endings that the browser's dialog offers, e.g. ``.onnx``; all when empty."""
    done = traitlets.Unicode("").tag(sync=True)
    """Path of the file that arrived last."""

    def __init__(self, arrived: Callable[[str], None], folder: Path | None = None) -> None:
        self._arrived = arrived
        self._folder = folder or Path(FOLDER)
        self._file: BinaryIO | None = None
        self._name = ""
        self._size = self._got = 0
        super().__init__()

    def _heard(self, widget: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
        try:
            if "start" in content:
                self._start(str(content["start"]), int(content["size"]))
            elif "at" in content and self._file is not None:
                self._piece(int(content["at"]), buffers[0])
            elif "at" in content:
                self.send({"failed": "The kernel was restarted in between: choose the file again."})
        except OSError as error:
            self._drop()
            self.send({"failed": f"The file cannot be kept here: {plain(error, 200)}."})

    def _start(self, name: str, size: int) -> None:
        self._drop()
        if size > self.limit:
            self.send({"failed": "The file is too large."})
            return
        # Only the last part of the name, of plain letters: it becomes a file of ours.
        name = re.split(r"[/\\]", name)[-1]
        self._name = re.sub(r"[^\w.\- ]", "_", name).lstrip(". ")[:120] or "upload"
        self._size, self._got = size, 0
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / f".{self._name}.part").open("wb")
        self.send({"next": 0})
        self._finish_if_whole()

    def _piece(self, at: int, content: bytes) -> None:
        assert self._file is not None, "only called while a file is open"
        if at == self._got:
            self._file.write(content)
            self._got += len(content)
        self.send({"next": self._got})
        self._finish_if_whole()

    def _finish_if_whole(self) -> None:
        if self._file is None or self._got < self._size:
            return
        self._file.close()
        self._file = None
        target = self._folder / self._name
        os.replace(self._folder / f".{self._name}.part", target)
        self.done = str(target)
        self.send({"arrived": str(target)})
        self._arrived(str(target))

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            (self._folder / f".{self._name}.part").unlink(missing_ok=True)
            self._file = None

    def as_text(self) -> str:
        return f"(a button to choose a file; last: {self.done or 'none'})"

"""Follow the programs' log files and pick what a person at the terminal should see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_NOTABLE = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b|^Traceback |^[\w.]+(Error|Exception): ")

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters: names and file names of participants may be in a line, and must not steer the
organiser's terminal."""


class LogFollower:
    """Reads what was added to ``*.log`` in a folder since the last look, across rotations."""

    def __init__(self, folder: Path, *, everything: bool = False) -> None:
        self._folder = folder
        self._everything = everything
        self._seen: dict[Path, tuple[int, int]] = {}
        for path in self._logs():
            status = path.stat()
            self._seen[path] = (status.st_ino, status.st_size)

    def _logs(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("*.log") if path.name != "supervisor.log")

    def new_lines(self) -> Iterator[tuple[str, str]]:
        """``(program, line)`` for each new line that matters (or for all, with ``everything``)."""
        for path in self._logs():
            for line in self._read_new(path):
                notable = path.stem != "queue" and _NOTABLE.search(line)
                if line and (self._everything or notable):
                    yield path.stem, _UNPRINTABLE.sub("?", line)

    def _read_new(self, path: Path) -> list[str]:
        status = path.stat()
        inode, offset = self._seen.get(path, (status.st_ino, 0))
        if status.st_ino != inode or status.st_size < offset:
            offset = 0  # rotated: a new file under the old name
        with path.open("rb") as file:
            file.seek(offset)
            # Only whole lines: the rest is read when its end has come.
            whole = file.read(1 << 20).rpartition(b"\n")
        self._seen[path] = (status.st_ino, offset + len(whole[0]) + len(whole[1]))
        return whole[0].decode(errors="replace").splitlines()


def last_lines(path: Path, count: int = 12) -> list[str]:
    """The end of a log file, safe to print; empty if there is none."""
    if not path.exists():
        return []
    lines = path.read_text(errors="replace").splitlines()[-count:]
    return [_UNPRINTABLE.sub("?", line) for line in lines]

"""A stretch of bytes that is read piece by piece: of an open file, or of bytes in memory.

Readers of hostile files get a window instead of a mapping: they touch a few hundred bytes of a
file of gigabytes, and a file inside a stored archive is just a smaller window of the same file.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from goat.readers.faults import Fault

KEPT = 1024
"""Bytes at either end of a file that are read at once and kept."""


class Window(ABC):
    """Read access to ``size`` bytes."""

    size: int

    @abstractmethod
    def read(self, offset: int, count: int) -> bytes:
        """Exactly ``count`` bytes from ``offset``. Raises `Fault` (``truncated``) outside the window."""

    @abstractmethod
    def part(self, offset: int, size: int) -> Window:
        """A window inside this one. Raises `Fault` (``truncated``) if it would stick out."""

    def _require(self, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count > self.size:
            raise Fault("truncated", "the file ends before the data that it announces")


class FileWindow(Window):
    """A stretch of an open file; the descriptor stays its owner's.

    All that a reader wants of a `.pt` file lies in its first and its last kilobyte, so each of them
    is read once and kept.
    """

    __slots__ = ("_descriptor", "_head", "_start", "_tail", "size")

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self.size = size
        self._head = self._tail = b""

    def read(self, offset: int, count: int) -> bytes:
        end = offset + count
        if offset < 0 or count < 0 or end > self.size:
            self._require(offset, count)
        if end <= KEPT:
            if not self._head:
                self._head = self._fetch(0, min(KEPT, self.size))
            return self._head[offset:end]
        from_tail = offset - self.size + KEPT
        if from_tail >= 0:
            if not self._tail:
                self._tail = self._fetch(self.size - KEPT, KEPT)
            return self._tail[from_tail : from_tail + count]
        return self._fetch(offset, count)

    def part(self, offset: int, size: int) -> FileWindow:
        self._require(offset, size)
        return FileWindow(self._descriptor, self._start + offset, size)

    def _fetch(self, offset: int, count: int) -> bytes:
        data = _pread(self._descriptor, count, self._start + offset)
        if len(data) != count:
            raise Fault("truncated", "the file became shorter while it was read")
        return data


class BytesWindow(Window):
    """Bytes in memory: an archive member that had to be inflated."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, count: int) -> bytes:
        self._require(offset, count)
        return self._data[offset : offset + count]

    def part(self, offset: int, size: int) -> BytesWindow:
        self._require(offset, size)
        return BytesWindow(self._data[offset : offset + size])


def _seek_and_read(descriptor: int, count: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, count)


# Windows has no pread; one reader per descriptor makes seek and read just as good.
_pread = getattr(os, "pread", _seek_and_read)

"""Remembers how `.pt` files of one program are laid out, so that the next one needs no parsing.

Files that one program saved in one shape differ in three things only: the values, their checksums,
and the name of the folder inside. Where every other byte that the reader looked at is the same, it
would find the same: the bytes are compared instead, as two large integers under a mask.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from goat.readers.window import KEPT, Window
from goat.readers.zipdir import CENTRAL_SIZE, LOCAL_SIZE, Directory, Entry

_MAX_REMEMBERED = 32


class TensorPlace(NamedTuple):
    """A plain contiguous tensor: its type, and where its values lie in the window it was read from."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Bytes from the start of the window to the first element."""
    nbytes: int
    numel: int


class _Layout(NamedTuple):
    head_mask: int
    head: int
    tail_mask: int
    tail: int
    place: TensorPlace


class LayoutMemory:
    """The last layout seen of each file size."""

    def __init__(self) -> None:
        self._of_size: dict[int, _Layout] = {}

    def recall(self, window: Window) -> TensorPlace | None:
        """The tensor's place, if the file is laid out like an earlier one of its size."""
        layout = self._of_size.get(window.size)
        if layout is None:
            return None
        head, tail = _ends(window)
        same = head & layout.head_mask == layout.head and tail & layout.tail_mask == layout.tail
        return layout.place if same else None

    def remember(
        self, window: Window, directory: Directory, read: Iterable[tuple[Entry, int, int]], place: TensorPlace
    ) -> None:
        """Keep the layout of a file that was read in full.

        read: the entries that were looked at, each with where its data starts and how many bytes of
        them were looked at. Nothing is kept unless all of it lies in the file's first kilobyte, and
        the directory in its last.
        """
        tail_start = window.size - KEPT
        if directory.start < tail_start or tail_start < 0:
            return
        prefix = len(directory.entries[0].raw_name.partition(b"/")[0])
        head_mask, tail_mask = bytearray(KEPT), bytearray(KEPT)
        for entry, start, count in read:
            if start + count > KEPT:
                return
            _cover(head_mask, entry.header, start + count)
            _uncover(head_mask, entry.header + 14, 4)
            _uncover(head_mask, entry.header + LOCAL_SIZE, prefix)
        position = directory.start - tail_start
        _cover(tail_mask, position, KEPT)
        raw = window.read(tail_start, KEPT)
        for _ in directory.entries:
            _uncover(tail_mask, position + 16, 4)
            _uncover(tail_mask, position + CENTRAL_SIZE, prefix)
            position += CENTRAL_SIZE + sum(struct.unpack_from("<3H", raw, position + 28))
        masks = int.from_bytes(head_mask, "little"), int.from_bytes(tail_mask, "little")
        head, tail = _ends(window)
        if len(self._of_size) >= _MAX_REMEMBERED:
            self._of_size.clear()
        self._of_size[window.size] = _Layout(masks[0], head & masks[0], masks[1], tail & masks[1], place)


def _ends(window: Window) -> tuple[int, int]:
    head = int.from_bytes(window.read(0, KEPT), "little")
    return head, int.from_bytes(window.read(window.size - KEPT, KEPT), "little")


def _cover(mask: bytearray, start: int, end: int) -> None:
    mask[start:end] = b"\xff" * (end - start)


def _uncover(mask: bytearray, start: int, count: int) -> None:
    mask[start : start + count] = b"\0" * count

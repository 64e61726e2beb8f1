"""Strict reader of a zip file's directory: where each entry's bytes lie, and nothing else.

The standard library's reader is lenient: it accepts prefixed data, lying sizes and entries that
share bytes. Here the central directory must lie exactly where it is announced, local headers must
agree with it, and every entry's data must lie before the directory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from goat.readers.faults import Fault
from goat.readers.window import Window

STORED = 0
DEFLATED = 8

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCATOR64 = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4sxB2x2H8x2L4H2x2L")
_LOCAL = struct.Struct("<4s2x2H8x2L2H")
LOCAL_SIZE, CENTRAL_SIZE = _LOCAL.size, _CENTRAL.size
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF

_UNIX = 3
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW = 0x8
_UTF8 = 0x800


class Entry(NamedTuple):
    """One entry as the central directory tells it."""

    name: str
    raw_name: bytes
    method: int
    flags: int
    packed: int
    """Bytes in the file."""
    size: int
    """Bytes after unpacking; equals ``packed`` for a stored entry."""
    header: int
    """Offset of the local header in the window."""
    mode: int
    """Unix file mode; 0 when the archive was not made on Unix."""


class Directory(NamedTuple):
    entries: list[Entry]
    start: int
    """Where the central directory starts; all data lies before it."""


def looks_like_zip(window: Window) -> bool:
    """Whether it starts as a zip with at least one entry starts, or is an empty one."""
    return window.size >= 4 and window.read(0, 4) in (b"PK\x03\x04", _END_MARK)


def read_directory(window: Window, *, max_entries: int) -> Directory:
    """All entries in directory order. Names are not judged here.

    Raises `Fault` with code ``bad_zip``, ``too_many_entries`` or ``truncated``.
    """
    end, total, size, start = _find_end(window)
    if total > max_entries:
        raise Fault("too_many_entries", f"it has {total} entries; at most {max_entries} are read")
    if start + size != end:
        raise Fault("bad_zip", "its directory is not where it says; zip the files again")
    return Directory(_read_entries(window.read(start, size), total), start)


def locate(window: Window, directory: Directory, entry: Entry) -> int:
    """Offset of the entry's data, after its local header was held against the directory.

    Raises `Fault` (``bad_zip``, ``truncated``) when the two disagree or data would lie outside.
    """
    name_size = len(entry.raw_name)
    raw = window.read(entry.header, _LOCAL.size + name_size)
    mark, flags, method, packed, size, name_length, extra_length = _LOCAL.unpack_from(raw)
    announced = (packed, size)
    sizes_agree = (
        announced == (entry.packed, entry.size)
        or (flags & _SIZES_FOLLOW and announced == (0, 0))
        or announced == (_FULL32, _FULL32)  # the real ones are in the zip64 field, as in the directory
    )
    if (
        mark != b"PK\x03\x04"
        or method != entry.method
        or (flags ^ entry.flags) & (_ENCRYPTED | _SIZES_FOLLOW)
        or name_length != name_size
        or raw[_LOCAL.size :] != entry.raw_name
        or not sizes_agree
    ):
        raise Fault("bad_zip", "its directory and its entries contradict each other; zip the files again")
    start: int = entry.header + _LOCAL.size + name_length + extra_length
    if start + entry.packed > directory.start:
        raise Fault("bad_zip", "an entry reaches beyond the data; zip the files again")
    return start


def refuse_overlaps(stretches: Iterable[tuple[int, int]]) -> None:
    """Raise `Fault` (``bad_zip``) if two (start, end) stretches share bytes, as in nested zip bombs."""
    reached = 0
    for start, end in sorted(stretches):
        if start < reached:
            raise Fault("bad_zip", "its entries overlap; zip the files again")
        reached = end


class _End(NamedTuple):
    """Where the directory is, as the end record (or its zip64 form) says."""

    at: int
    total: int
    size: int
    start: int


def _find_end(window: Window) -> _End:
    for reach in (1024, _END.size + _FULL16):
        tail = window.read(max(0, window.size - reach), min(reach, window.size))
        at = len(tail)
        while (at := tail.rfind(_END_MARK, 0, at)) >= 0:
            # The comment has to reach exactly to the end, or it is not the end record.
            if at + _END.size <= len(tail):
                _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, at)
                if at + _END.size + comment == len(tail):
                    _refuse_parts(disk, first_disk, here, count)
                    return _prefer_zip64(window, _End(window.size - len(tail) + at, count, size, start))
        if reach >= window.size:
            break
    raise Fault("bad_zip", "it is not a whole zip file; it may have been cut off")


def _prefer_zip64(window: Window, end: _End) -> _End:
    """The zip64 record if there is one (torch always writes it); the two must agree."""
    locator_at = end.at - _LOCATOR64.size
    if locator_at < 0:
        return end
    mark, _, record_at, _ = _LOCATOR64.unpack(window.read(locator_at, _LOCATOR64.size))
    if mark != b"PK\x06\x07":
        return end
    mark, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack(
        window.read(record_at, _END64.size)
    )
    _refuse_parts(disk, first_disk, here, count)
    agrees = end.total in (count, _FULL16) and end.size in (size, _FULL32) and end.start in (start, _FULL32)
    if mark != b"PK\x06\x06" or record_at + 12 + length != locator_at or not agrees:
        raise Fault("bad_zip", "its zip64 record is broken; zip the files again")
    return _End(record_at, count, size, start)


def _refuse_parts(disk: int, first_disk: int, here: int, count: int) -> None:
    if disk or first_disk or here != count:
        raise Fault("bad_zip", "it is one part of a split archive; make a single zip")


def _read_entries(raw: bytes, total: int) -> list[Entry]:
    """All entries of a central directory, which they fill exactly."""
    entries: list[Entry] = []
    position, end = 0, len(raw)
    for _ in range(total):
        if position + _CENTRAL.size > end:
            raise Fault("bad_zip", "its directory has fewer entries than it says; zip the files again")
        (
            mark, system, flags, method, packed, size, name_length, extra_length, comment_length, disk,
            attributes, header,
        ) = _CENTRAL.unpack_from(raw, position)  # fmt: skip
        name_at = position + _CENTRAL.size
        extra_at = name_at + name_length
        position = extra_at + extra_length + comment_length
        if mark != b"PK\x01\x02" or position > end or disk not in (0, _FULL16):
            raise Fault("bad_zip", "its directory is damaged; zip the files again")
        if flags & _ENCRYPTED:
            raise Fault("bad_zip", "it is encrypted; zip the files without a password")
        if _FULL32 in (packed, size, header):
            extra = raw[extra_at : extra_at + extra_length]
            size, packed, header = _read_zip64(extra, size, packed, header)
        if method == STORED and packed != size:
            raise Fault("bad_zip", "a stored entry has two sizes; zip the files again")
        raw_name = raw[name_at:extra_at]
        name = raw_name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        mode = attributes >> 16 if system == _UNIX else 0
        entries.append(Entry(name, raw_name, method, flags, packed, size, header, mode))
    if position != end:
        raise Fault("bad_zip", "its directory has more entries than it says; zip the files again")
    return entries


def _read_zip64(extra: bytes, *fields: int) -> tuple[int, int, int]:
    """Replace each saturated field (in the order size, packed, header) from the zip64 extra field."""
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1 and at + 4 + length <= len(extra):
            wanted = sum(field == _FULL32 for field in fields)
            if length < 8 * wanted:
                break
            values = iter(struct.unpack_from(f"<{wanted}Q", extra, at + 4))
            size, packed, header = (next(values) if field == _FULL32 else field for field in fields)
            return size, packed, header
        at += 4 + length
    raise Fault("bad_zip", "its zip64 sizes are missing; zip the files again")

"""Lists the files of a submission where they lie: in a folder, in a zip, or none but one `.pt`.

Nothing is extracted and nothing is written. A stored zip entry is a stretch of the archive that can
be mapped in place; a deflated one is inflated into memory with a bound that holds whatever the
archive claims. Names are only ever compared, never used as paths.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goat.readers.faults import Fault, printable
from goat.readers.pt import is_pt_directory
from goat.readers.window import BytesWindow, FileWindow, Window
from goat.readers.zipdir import (
    DEFLATED,
    STORED,
    Directory,
    Entry,
    locate,
    looks_like_zip,
    read_directory,
    refuse_overlaps,
)

MAX_ENTRIES = 20_000
_IGNORED_NAMES = {".DS_Store", "Thumbs.db", "desktop.ini"}
_SAFE_SEGMENT = re.compile(r"[^\x00-\x1f\x7f\\:]+")
_OTHER_ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a collection."""

    name: str
    """Relative, with ``/``; the common top folder of an archive is left out."""
    path: str
    """The file that holds its bytes: itself in a folder, else the archive."""
    offset: int = 0
    packed: int = 0
    """Bytes that it takes in the archive."""
    size: int = 0
    """Bytes that it has. In a folder all three are 0: a file there is whatever it is when opened."""
    deflated: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """What a submission is made of. ``stacked``: the file itself is one `.pt` and has no members."""

    form: Literal["folder", "zip", "stacked"]
    members: tuple[Member, ...] = ()


def list_collection(path: Path, *, max_bytes: int, max_entries: int = MAX_ENTRIES) -> Collection:
    """The files at ``path``, sorted by name; litter of operating systems is left out.

    max_bytes: the most that all deflated entries together may inflate to.
    Raises `Fault` with code ``bad_archive`` (not a zip, damaged, encrypted, links, unsafe or double
    names, overlapping entries, bombs) or ``too_many_entries``; OSError if ``path`` cannot be read.
    """
    if path.is_dir():
        return Collection("folder", tuple(_list_folder(path, max_entries)))
    with open_window(path) as window:
        if not looks_like_zip(window):
            return _not_a_zip(window)
        try:
            directory = read_directory(window, max_entries=max_entries)
            if is_pt_directory(directory):
                return Collection("stacked")
            members = tuple(_list_zip(os.fspath(path), window, directory, max_bytes))
        except Fault as fault:
            if fault.code in ("bad_zip", "truncated"):
                raise Fault("bad_archive", fault.message) from fault
            raise
    return Collection("zip", members)


@contextmanager
def open_window(path: str | os.PathLike[str]) -> Iterator[FileWindow]:
    """The whole file as a window, for as long as the context lasts."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        yield FileWindow(descriptor, 0, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def member_window(window: Window, member: Member, *, max_bytes: int) -> Window:
    """A member's own bytes, given the window of the file that holds it.

    Raises `Fault` (``bad_archive``) if a deflated member is larger than ``max_bytes`` or broken.
    """
    if not member.offset:
        return window  # a file of its own: in an archive a header comes first
    if not member.deflated:
        return window.part(member.offset, member.size)
    packed = window.read(member.offset, member.packed)
    return BytesWindow(inflate(packed, member.size, max_bytes=max_bytes))


def inflate(packed: bytes, size: int, *, max_bytes: int) -> bytes:
    """Inflate to exactly ``size`` bytes, never holding more than ``max_bytes``.

    Raises `Fault` (``bad_archive``) when the data are more, fewer or damaged.
    """
    if not 0 <= size <= max_bytes:  # a negative one would lift zlib's bound
        raise Fault("bad_archive", f"it unpacks to {size} bytes; a file here has at most {max_bytes}")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than announced tells a lying entry from an honest one.
        data = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        raise Fault("bad_archive", "its compressed data are damaged; zip the files again") from error
    if len(data) != size or not inflater.eof:
        raise Fault("bad_archive", "it unpacks to another size than announced; zip the files again")
    return data


def _not_a_zip(window: Window) -> Collection:
    head = window.read(0, min(window.size, 262))
    if head.startswith(_OTHER_ARCHIVES) or (head[257:262] == b"ustar" and b".pt" in head[:100]):
        raise Fault("bad_archive", "it is not a zip; send a folder, a .zip or one stacked .pt")
    if head[:1] == b"\x80" or head[257:262] == b"ustar":
        return Collection("stacked")  # an older torch container: the reader of .pt says how to re-save
    raise Fault("bad_archive", "it is neither a zip nor a .pt file; send a folder, a .zip or one stacked .pt")


def _list_folder(folder: Path, max_entries: int) -> list[Member]:
    """Regular files below a folder of this machine; links to files count as the files they are."""
    members: list[Member] = []
    waiting = [("", os.fspath(folder))]
    while waiting:
        prefix, current = waiting.pop()
        with os.scandir(current) as entries:
            for entry in entries:
                name = prefix + entry.name
                if _is_litter(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((name + "/", entry.path))
                elif entry.is_file():
                    members.append(Member(name, entry.path))
                else:
                    raise Fault("bad_archive", f"{printable(name)} is not a regular file")
                if len(members) > max_entries:
                    raise Fault("too_many_entries", f"it has more than {max_entries} files")
    members.sort(key=lambda member: member.name)
    return members


def _list_zip(path: str, window: Window, directory: Directory, max_bytes: int) -> list[Member]:
    members: list[Member] = []
    stretches: list[tuple[int, int]] = []
    inflated = 0
    for entry in directory.entries:
        start = locate(window, directory, entry)
        stretches.append((entry.header, start + entry.packed))
        _judge(entry)
        deflated = entry.method == DEFLATED
        inflated += entry.size if deflated else 0
        if entry.name.endswith("/") or _is_litter(entry.name):
            continue
        members.append(Member(entry.name, path, start, entry.packed, entry.size, deflated))
    if inflated > max_bytes:
        raise Fault("bad_archive", f"it unpacks to {inflated} bytes; at most {max_bytes} are unpacked")
    refuse_overlaps(stretches)
    members = _without_top_folder(members)
    members.sort(key=lambda member: member.name)
    for one, other in itertools.pairwise(members):
        if one.name == other.name:
            raise Fault("bad_archive", f"it has two entries named {printable(one.name)}")
    return members


def _judge(entry: Entry) -> None:
    """Refuse an entry that no honest zip of plain files has."""
    name = printable(entry.name)
    segments = entry.name.removesuffix("/").split("/")
    if any(segment in ("", ".", "..") or not _SAFE_SEGMENT.fullmatch(segment) for segment in segments):
        raise Fault("bad_archive", f"it has an entry with an unsafe name, {name}; zip plain files")
    if entry.method not in (STORED, DEFLATED):
        raise Fault("bad_archive", f"{name} is compressed in an unusual way; use stored or deflated entries")
    kind = stat.S_IFMT(entry.mode)
    if kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise Fault("bad_archive", f"{name} is a link or a device; zip the files themselves")
    if entry.name.endswith("/") and entry.size:
        raise Fault("bad_archive", f"{name} is a folder with content of its own; zip the files again")


def _is_litter(name: str) -> bool:
    segments = name.split("/")
    return segments[0] == "__MACOSX" or segments[-1] in _IGNORED_NAMES or segments[-1].startswith("._")


def _without_top_folder(members: list[Member]) -> list[Member]:
    """People zip the folder as often as its content."""
    tops = {member.name.partition("/")[0] for member in members if "/" in member.name}
    if len(tops) != 1 or not all("/" in member.name for member in members):
        return members
    return [Member(m.name.partition("/")[2], m.path, m.offset, m.packed, m.size, m.deflated) for m in members]

"""Reads the place of one plain tensor in a `.pt` file, and maps its values where they lie.

Only the zip container that torch has written since 1.6 is read, and only a single CPU-readable
plain tensor in it: saved as a tensor or as a Parameter, whole or as a contiguous view of a larger
storage, in the machine's little-endian order. Everything about it is known and checked before a
single element is touched; nothing is unpickled (`goat.readers.pt_pickle`).

Checksums of the entries are not computed: a file's digest already proves that it arrived as it was
sent, and the sum would cost many times what scoring does.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goat.errors import Rejection
from goat.readers.faults import Fault
from goat.readers.pt_layout import LayoutMemory, TensorPlace
from goat.readers.pt_pickle import ITEM_SIZES, MAX_PICKLE_BYTES, RESAVE, parse_tensor_pickle
from goat.readers.window import FileWindow, Window
from goat.readers.zipdir import STORED, Directory, Entry, locate, looks_like_zip, read_directory

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ENTRIES = 64
MAX_ELEMENTS = 1 << 31

_FOREIGN_STARTS = {
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19": "was saved in torch's old format",
    b"\x80": "is a bare pickle",
    b"\x93NUMPY": "is a NumPy file",
    b"\x89PNG": "is a PNG image",
    b"\xff\xd8\xff": "is a JPEG image",
    b"\x89HDF": "is an HDF5 file",
    b"\x1f\x8b": "is gzip-compressed",
}


_LAYOUTS = LayoutMemory()


def inspect_pt(window: Window, *, max_elements: int = MAX_ELEMENTS) -> TensorPlace:
    """Where the one tensor of a `.pt` file lies; reads some hundred bytes however large the file is.

    Raises `Fault` with one of the codes ``unsupported_container``, ``too_many_entries``,
    ``compressed_entry``, ``forbidden_global``, ``not_a_plain_tensor``, ``not_contiguous``,
    ``too_many_elements``, ``pickle_too_complex``, ``bad_tensor_metadata``.
    """
    if not looks_like_zip(window):
        raise Fault("unsupported_container", f"it {_what_it_is(window)}; {RESAVE}")
    try:
        return _inspect(window, max_elements)
    except Fault as fault:
        if fault.code in ("bad_zip", "truncated"):
            raise Fault("bad_tensor_metadata", fault.message) from fault
        raise


def read_pt(path: str | os.PathLike[str], *, max_elements: int = MAX_ELEMENTS) -> NDArray[Any]:
    """The tensor of a `.pt` file as a read-only array over the mapped file; nothing is copied.

    Raises `goat.errors.Rejection` if the file is not one plain tensor (see `inspect_pt`), with code
    ``wrong_dtype`` for bfloat16, which NumPy does not have; OSError if it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size
        try:
            place = inspect_pt(FileWindow(descriptor, 0, size), max_elements=max_elements)
            return map_tensor(descriptor, place)
        except Fault as fault:
            name = Path(path).name
            raise Rejection.of(fault.code, f"{name}: {fault.message}", name) from fault
    finally:
        os.close(descriptor)


def map_tensor(descriptor: int, place: TensorPlace) -> NDArray[Any]:
    """The values at ``place`` of an open file, mapped read-only."""
    import numpy as np

    if place.dtype == "bfloat16":
        raise Fault("wrong_dtype", "its tensor is bfloat16; convert with .float() before torch.save")
    dtype = np.dtype(place.dtype)
    if place.nbytes == 0:
        return np.frombuffer(b"", dtype).reshape(place.shape)
    mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    count = place.nbytes // dtype.itemsize
    return np.frombuffer(mapping, dtype, count, place.offset).reshape(place.shape)


def is_pt_directory(directory: Directory) -> bool:
    """Whether a zip's entries are those of one `.pt` file (and not a collection of such files)."""
    return any(entry.name.count("/") <= 1 and entry.name.endswith("data.pkl") for entry in directory.entries)


def _inspect(window: Window, max_elements: int) -> TensorPlace:
    known = _LAYOUTS.recall(window)
    if known is not None and known.numel <= max_elements:
        return known
    directory = read_directory(window, max_entries=MAX_ENTRIES)
    entries = _entries(directory)
    looked_at: list[tuple[Entry, int, int]] = []

    def read(entry: Entry, limit: int) -> bytes:
        if entry.size > limit:
            raise Fault("pickle_too_complex", f"its pickle holds far more than one tensor; {RESAVE}")
        start = locate(window, directory, entry)
        looked_at.append((entry, start, entry.size))
        return window.read(start, entry.size)

    if "byteorder" in entries and read(entries["byteorder"], 16) != b"little":
        raise Fault("unsupported_container", f"it was saved on a big-endian machine; {RESAVE}")
    meta = parse_tensor_pickle(read(entries["data.pkl"], MAX_PICKLE_BYTES), max_elements)
    storage = entries.get(f"data/{meta.key}")
    if storage is None or storage.size != meta.storage_bytes:
        raise Fault("bad_tensor_metadata", f"its storage is not what its pickle says; {RESAVE}")
    start = locate(window, directory, storage)
    looked_at.append((storage, start, 0))
    item_size = ITEM_SIZES[meta.dtype]
    place = TensorPlace(
        meta.dtype, meta.shape, start + meta.offset * item_size, meta.numel * item_size, meta.numel
    )
    _LAYOUTS.remember(window, directory, looked_at, place)
    return place


def _entries(directory: Directory) -> dict[str, Entry]:
    """The entries by their name below the one top folder."""
    if not directory.entries:
        raise Fault("bad_tensor_metadata", f"it is empty; {RESAVE}")
    prefix = directory.entries[0].name.partition("/")[0] + "/"
    entries: dict[str, Entry] = {}
    compressed = False
    for entry in directory.entries:
        name = entry.name
        if not name.startswith(prefix):
            raise Fault("unsupported_container", f"it is not laid out as torch.save does it; {RESAVE}")
        compressed = compressed or entry.method != STORED
        entries[name[len(prefix) :]] = entry
    if "constants.pkl" in entries:
        raise Fault("unsupported_container", f"it is a TorchScript archive; {RESAVE}")
    if compressed:
        raise Fault("compressed_entry", f"its values are compressed and cannot be mapped; {RESAVE}")
    if len(entries) != len(directory.entries):
        raise Fault("bad_tensor_metadata", f"it has two entries of one name; {RESAVE}")
    if "data.pkl" not in entries:
        raise Fault("unsupported_container", f"it is a zip, but not one that torch.save wrote; {RESAVE}")
    return entries


def _what_it_is(window: Window) -> str:
    head = window.read(0, min(window.size, 512))
    if head[257:262] == b"ustar":
        return "was saved in torch's old tar format"
    known = (what for start, what in _FOREIGN_STARTS.items() if head.startswith(start))
    return next(known, "is not a .pt file")

"""Writes a NumPy array as the `.pt` file that `torch.save(tensor)` would have made, without torch.

The bytes depend only on the array (no times, no names, no random ids), so equal arrays are equal
files. Storage starts at a multiple of 64 bytes and can be mapped in place.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

STORAGE_OF_DTYPE: dict[str, str] = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
"""NumPy name of a dtype → name of torch's storage class in the pickle."""

ALIGNMENT = 64
_PREFIX = "archive"
_ZIP64_FROM = 1 << 31
_PADDING_ID = 0x4246  # "FB": torch's own id for the padding field


def write_pt(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write one array as one plain tensor.

    array: any shape; dtype one of `STORAGE_OF_DTYPE`. Copied only if not C-contiguous.
    Raises ValueError for other dtypes, OSError when the file cannot be written.
    """
    array = np.asarray(array)
    with _PtFile(Path(path), array.dtype, array.shape) as file:
        file.write(array)


def write_stacked_pt(
    path: str | os.PathLike[str],
    images: Iterable[NDArray[Any]],
    count: int,
    *,
    dtype: str,
    shape: tuple[int, ...],
) -> None:
    """Write ``count`` images of one shape and dtype as one tensor of shape ``(count, *shape)``.

    Streams: one image is in memory at a time. Raises ValueError if an image differs or the number
    of images is not ``count``; nothing is left behind then.
    """
    with _PtFile(Path(path), np.dtype(dtype), (count, *shape)) as file:
        written = 0
        for image in images:
            if image.shape != shape or image.dtype != np.dtype(dtype):
                raise ValueError(f"image {written} is {image.dtype}{image.shape}, not {dtype}{shape}")
            file.write(image)
            written += 1
        if written != count:
            raise ValueError(f"{written} images were given, {count} announced")


class _PtFile:
    """One `.pt` file in the making: tensor bytes may arrive in pieces. Removed if that fails."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        if dtype.name not in STORAGE_OF_DTYPE:
            raise ValueError(f"dtype {dtype} has no plain tensor; use one of {', '.join(STORAGE_OF_DTYPE)}")
        self._path = path
        self._dtype = dtype.newbyteorder("<")
        self._pickle = tensor_pickle(dtype.name, shape)
        self._nbytes = dtype.itemsize * int(np.prod(shape, dtype=object))

    def __enter__(self) -> Self:
        self._raw = open(self._path, "wb")
        self._zip = zipfile.ZipFile(self._raw, "w", zipfile.ZIP_STORED)
        add_entry(self._zip, self._raw, f"{_PREFIX}/data.pkl", self._pickle)
        add_entry(self._zip, self._raw, f"{_PREFIX}/byteorder", b"little")
        self._storage = open_entry(self._zip, self._raw, f"{_PREFIX}/data/0", self._nbytes)
        return self

    def write(self, array: NDArray[Any]) -> None:
        contiguous = np.asarray(array, dtype=self._dtype, order="C")
        # 0-d arrays and bool have no byte view of their own; a flat uint8 view works for all.
        self._storage.write(contiguous.reshape(-1).view(np.uint8).data)

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            self._storage.close()
            if failure is None:
                add_entry(self._zip, self._raw, f"{_PREFIX}/version", b"3\n")
            self._zip.close()
        finally:
            self._raw.close()
            if failure is not None:
                self._path.unlink(missing_ok=True)


def open_entry(archive: zipfile.ZipFile, raw: IO[bytes], name: str, size: int) -> IO[bytes]:
    """Open a stored entry of ``size`` bytes whose data starts at a multiple of `ALIGNMENT`."""
    info = zipfile.ZipInfo(name)  # the default time, 1980-01-01, is the same for everyone
    info.create_system = 3  # the default is the writer's own system
    info.file_size = size
    zip64 = size >= _ZIP64_FROM
    header = 30 + len(name.encode()) + (20 if zip64 else 0)
    padding = -(raw.tell() + header + 4) % ALIGNMENT
    info.extra = struct.pack("<HH", _PADDING_ID, padding) + b"Z" * padding
    return archive.open(info, "w", force_zip64=zip64)


def add_entry(archive: zipfile.ZipFile, raw: IO[bytes], name: str, data: bytes) -> None:
    """Add a whole stored entry, aligned."""
    with open_entry(archive, raw, name, len(data)) as entry:
        entry.write(data)


def tensor_pickle(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The pickle (protocol 2) of a contiguous CPU tensor over storage ``0``, as torch.save writes it."""
    numel = 1
    strides: list[int] = []
    for size in reversed(shape):
        strides.insert(0, numel)
        numel *= max(size, 1)
    if 0 in shape:
        numel = 0
    storage = b"(" + _text("storage") + _global("torch", STORAGE_OF_DTYPE[dtype])
    storage += _text("0") + _text("cpu") + _int(numel) + b"tQ"
    hooks = _global("collections", "OrderedDict") + b")R"
    arguments = b"(" + storage + _int(0) + _ints(shape) + _ints(tuple(strides)) + b"\x89" + hooks + b"t"
    return b"\x80\x02" + _global("torch._utils", "_rebuild_tensor_v2") + arguments + b"R."


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _int(value: int) -> bytes:
    if value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def _ints(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_int, values)) + b"t"

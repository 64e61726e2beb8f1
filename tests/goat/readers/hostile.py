"""Builds `.pt` files and zips that no honest program writes."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from goat.readers.pt_writer import tensor_pickle


def zip_bytes(entries: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def pt_entries(data: bytes, storage: bytes = b"\0" * 48, **more: bytes) -> dict[str, bytes]:
    """The entries of a `.pt` with this pickle; ``more`` adds entries below the top folder."""
    return {
        "archive/data.pkl": data,
        "archive/byteorder": b"little",
        "archive/data/0": storage,
        "archive/version": b"3\n",
        **{f"archive/{name.replace('__', '/')}": content for name, content in more.items()},
    }


def write_pickle(path: Path, data: bytes, storage: bytes = b"\0" * 48) -> Path:
    """A `.pt` with the given pickle and 48 bytes (3x4 float32) of storage."""
    path.write_bytes(zip_bytes(pt_entries(data, storage)))
    return path


def tensor(
    *,
    storage: str = "FloatStorage",
    key: str = "0",
    numel: int = 12,
    offset: int = 0,
    shape: tuple[int, ...] = (3, 4),
    strides: tuple[int, ...] = (4, 1),
) -> bytes:
    """A pickle of a tensor with any numbers in it, true or not."""
    honest = tensor_pickle("float32", (3, 4))
    head, _, rest = honest.partition(b"ctorch\nFloatStorage\n")
    assert head
    assert rest

    def integer(value: int) -> bytes:
        if -(1 << 31) <= value < 1 << 31:
            return b"J" + struct.pack("<i", value)
        raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def integers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(integer, values)) + b"t"

    return (
        head
        + f"ctorch\n{storage}\n".encode()
        + text(key)
        + text("cpu")
        + integer(numel)
        + b"tQ"
        + integer(offset)
        + integers(shape)
        + integers(strides)
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )


class Exploit:
    """Runs a command when it is unpickled by a careless reader."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (self.command,)


def exploit_pickle(command: str, protocol: int = 2) -> bytes:
    return pickle.dumps(Exploit(command), protocol=protocol)

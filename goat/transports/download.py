"""A download that goes on where it stopped, verified by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from goat.errors import GoatError, RequestError
from goat.records import DataFile
from goat.transports.http import HttpTransport, Request
from goat.transports.problems import unreachable

_CHUNK = 1 << 20
_STALLS = 5
"""Connections in a row that may break without a new byte before we give up."""

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all)."""


def fetch(
    transport: HttpTransport, request: Request, file: DataFile, part: Path, progress: Progress | None = None
) -> None:
    """Fill ``part`` with the file's bytes; what ``part`` already holds is not fetched again.

    Raises `goat.errors.ServiceUnreachable` (``part`` stays, a later call goes on from there) and
    `goat.errors.RequestError` when the bytes are not those that the service announced.
    """
    for fresh in (False, True):
        if fresh:
            part.unlink(missing_ok=True)
        _fill(transport, request, file, part, progress)
        if digest(part) == file.sha256:
            return
    part.unlink(missing_ok=True)
    raise RequestError(
        f"{file.name} arrived damaged twice (its SHA-256 differs from the announced one): "
        "try again, and tell the organiser if it stays so.",
        file=file.name,
    )


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fill(
    transport: HttpTransport, request: Request, file: DataFile, part: Path, progress: Progress | None
) -> None:
    stalls = 0
    while True:
        have = part.stat().st_size if part.exists() else 0
        if have > file.size:
            part.unlink()
            have = 0
        if have == file.size and part.exists():
            return
        try:
            _append(transport, _ranged(request, file, have), file, part, progress)
        except httpx.TransportError as error:
            now = part.stat().st_size if part.exists() else 0
            stalls = 0 if now > have else stalls + 1
            if stalls >= _STALLS:
                raise unreachable(error, transport.url, request.doing, stalls) from None
        else:
            if part.stat().st_size < file.size:
                stalls += 1
            if stalls >= _STALLS:
                raise GoatError(f"{file.name} is shorter than the service announced: tell the organiser.")


def _ranged(request: Request, file: DataFile, have: int) -> Request:
    headers = {**request.headers, "Accept-Encoding": "identity"}
    if have:
        # If the file changed in the meantime, If-Range makes the service send it whole.
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{file.sha256}"'}
    return replace(request, headers=headers)


def _append(
    transport: HttpTransport, request: Request, file: DataFile, part: Path, progress: Progress | None
) -> None:
    with transport.open(request, stream=True) as response:
        resumed = response.status_code == 206
        with part.open("ab" if resumed else "wb") as out:
            for chunk in response.iter_raw(_CHUNK):
                out.write(chunk)
                if out.tell() > file.size:
                    raise RequestError(f"{file.name} is longer than announced: tell the organiser.")
                if progress is not None:
                    progress(out.tell(), file.size)

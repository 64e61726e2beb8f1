"""Uploads: bytes from the network to the store, hashed on the way, never parsed and never held.

The event loop only passes buffers on: writing and hashing happen in threads of their own, one buffer
ahead of the network, so that other requests do not wait. What does not arrive whole leaves nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request

from goat.errors import Invalid, LimitReached, TooLarge, UploadIncomplete
from scoring_service.doors.http.multipart import OVERHEAD_BYTES, FilePart

T = TypeVar("T")

BUFFER_BYTES = 1 << 20
THREADS = 4
INCOMPLETE = "The upload ended before it was whole; nothing was accepted. Send it again."


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow an upload may be, and how many may run. Seconds, bytes."""

    idle_s: float = 30.0
    """Longest wait for the next bytes."""
    grace_s: float = 30.0
    """Time before the average speed counts."""
    least_bytes_per_s: float = 4096.0
    per_team: int = 4
    in_total: int = 64


class Spool(Protocol):
    """A file on its way into the store (`scoring_service.store.Upload`)."""

    size: int

    @property
    def digest(self) -> str: ...

    def write(self, chunk: bytes | bytearray | memoryview) -> None: ...

    def finish(self) -> str: ...

    def abort(self) -> None: ...


class Spooler(Protocol):
    """The store, as far as uploads need it."""

    def require_space(self, size: int) -> None: ...

    def open_upload(self) -> Spool: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived whole and lies in the store."""

    sha256: str
    size: int
    filename: str | None
    """The name in the form, if it came in one."""
    fields: Mapping[str, str]
    """The form's other fields; none without a form."""


class UploadDesk:
    """Takes uploads in. One per process; belongs to one event loop."""

    def __init__(
        self, store: Spooler, pace: Pace | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._pace = pace or Pace()
        self._monotonic = monotonic
        self._running: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="upload")

    def close(self) -> None:
        """Stop the threads; called when the server ends."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def seat(self, team_id: str) -> Iterator[None]:
        """A place among the uploads in progress. Raises `goat.errors.LimitReached`."""
        pace = self._pace
        if self._running[team_id] >= pace.per_team or self._running.total() >= pace.in_total:
            raise LimitReached(
                f"Your team has {self._running[team_id]} uploads in progress, of {pace.per_team} allowed, "
                "or the server is busy with others. Try again when one has ended.",
                limit="uploads_at_once",
                allowed=pace.per_team,
                left=0,
                retry_after=5,
            )
        self._running[team_id] += 1
        try:
            yield
        finally:
            self._running[team_id] -= 1
            self._running += Counter()  # drops the teams that have none left

    @property
    def in_progress(self) -> int:
        """How many uploads run now."""
        return self._running.total()

    async def in_thread(self, function: Callable[..., T], *args: object) -> T:
        """Run something that blocks in an upload thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *args))

    async def take(self, request: Request, max_bytes: int, *, form: bool) -> Received:
        """Stream the request's body into the store.

        ``form`` takes the field ``file`` of a multipart body, otherwise the body is the file. Raises
        `TooLarge`, `UploadIncomplete`, `StorageFull`, `Invalid`; nothing is left behind then.
        """
        cap = max_bytes + (OVERHEAD_BYTES if form else 0)
        declared = declared_length(request)
        if declared is not None and declared > cap:
            raise too_large(max_bytes)
        await self.in_thread(self._store.require_space, max_bytes if declared is None else declared)
        spool = await self.in_thread(self._store.open_upload)
        try:
            sink = _Form(request, spool, max_bytes) if form else _Raw(spool)
            size = await self._pump(self._body(request, max_bytes, cap), sink)
            if size != declared and declared is not None:
                raise UploadIncomplete(INCOMPLETE)
            return await self.in_thread(_finish, sink, spool, wanted_digest(request))
        finally:
            await asyncio.shield(self.in_thread(spool.abort))

    async def _pump(self, body: AsyncIterator[bytes], sink: _Raw | _Form) -> int:
        """Pass the body to the sink, a buffer at a time, writing one while the next arrives."""
        batch: list[bytes] = []
        held = size = 0
        writing: asyncio.Future[None] | None = None
        try:
            async for chunk in body:
                batch.append(chunk)
                held += len(chunk)
                size += len(chunk)
                if held >= BUFFER_BYTES:
                    if writing is not None:
                        await writing
                    writing = asyncio.ensure_future(self.in_thread(sink.write, batch))
                    batch, held = [], 0
        finally:
            # Also on the way out of an error: the file must not be closed under a running write.
            if writing is not None:
                await writing
        if batch:
            await self.in_thread(sink.write, batch)
        return size

    async def _body(self, request: Request, max_bytes: int, cap: int) -> AsyncIterator[bytes]:
        """The body's chunks within its bounds of size and pace."""
        pace, started, size = self._pace, self._monotonic(), 0
        stream = request.stream().__aiter__()
        while True:
            try:
                async with asyncio.timeout(pace.idle_s):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except (TimeoutError, ClientDisconnect):
                raise UploadIncomplete(INCOMPLETE) from None
            size += len(chunk)
            if size > cap:
                raise too_large(max_bytes)
            elapsed = self._monotonic() - started
            if elapsed > pace.grace_s and size < elapsed * pace.least_bytes_per_s:
                raise UploadIncomplete(
                    "The upload is too slow for this server; nothing was accepted. "
                    "Send it from a better connection."
                )
            if chunk:
                yield chunk


class _Raw:
    """The body is the file."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def write(self, batch: list[bytes]) -> None:
        for chunk in batch:
            self._spool.write(chunk)

    def end(self) -> tuple[str | None, Mapping[str, str]]:
        return None, {}


class _Form:
    """The file is a field of the body."""

    def __init__(self, request: Request, spool: Spool, max_bytes: int) -> None:
        self._spool = spool
        self._max_bytes = max_bytes
        self._part = FilePart(request.headers.get("content-type", ""), self._keep)

    def _keep(self, chunk: memoryview) -> None:
        if self._spool.size + len(chunk) > self._max_bytes:
            raise too_large(self._max_bytes)
        self._spool.write(chunk)

    def write(self, batch: list[bytes]) -> None:
        for chunk in batch:
            self._part.feed(chunk)

    def end(self) -> tuple[str | None, Mapping[str, str]]:
        return self._part.finish(), self._part.fields


def _finish(sink: _Raw | _Form, spool: Spool, wanted: str | None) -> Received:
    filename, fields = sink.end()
    if spool.size == 0:
        raise Invalid("The file is empty.", field="body")
    if wanted is not None and wanted != spool.digest:
        raise UploadIncomplete(
            "What arrived differs from its Content-Digest; nothing was accepted. Send it again."
        )
    size = spool.size
    return Received(spool.finish(), size, filename, fields)


def too_large(max_bytes: int) -> TooLarge:
    """The error for a file above the limit in force."""
    return TooLarge(
        f"The file has more than the {max_bytes} bytes that this challenge takes.", allowed=max_bytes
    )


def declared_length(request: Request) -> int | None:
    """Content-Length, if there is one."""
    raw = request.headers.get("content-length")
    if raw is None:
        return None
    if not raw.isdigit():
        raise Invalid("Content-Length must be a number.", field="content-length")
    return int(raw)


def wanted_digest(request: Request) -> str | None:
    """The SHA-256 (hex) of a ``Content-Digest: sha-256=:base64:`` header. Raises `goat.errors.Invalid`."""
    raw = request.headers.get("content-digest")
    if raw is None:
        return None
    for entry in raw.split(","):
        name, _, value = entry.strip().partition("=")
        if name.lower() == "sha-256":
            try:
                digest = base64.b64decode(value.strip().strip(":"), validate=True)
            except binascii.Error:
                digest = b""
            if len(digest) != 32:
                raise Invalid("Content-Digest must be sha-256=:<base64>:.", field="content-digest")
            return digest.hex()
    return None

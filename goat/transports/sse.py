"""Server-sent events, read from raw bytes.

Lines end at LF, CR LF or CR only: a JSON text may contain U+2028, at which ``str.splitlines`` would
cut an event in two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_EVENT_BYTES = 16 << 20
"""A board of some ten thousand teams fits; an endless line does not."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. A comment (the server's heartbeat) comes through as event ``heartbeat`` without data."""

    event: str
    data: str
    id: str | None = None


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Complete lines of a byte stream, whatever its chunks are. Raises ValueError beyond the bound."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        # A CR at the very end may be half of a CR LF; it waits for the next chunk.
        held = rest[-1:] if rest.endswith(b"\r") else b""
        text = rest[: len(rest) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = text.split(b"\n")
        rest += held
        if len(rest) > MAX_EVENT_BYTES:
            raise ValueError("an event of the stream is too long")
        for line in whole:
            yield line.decode("utf-8", "replace")


def events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Events of a stream, and its heartbeats."""
    name, last_id = "message", None
    data: list[str] = []
    for line in lines(chunks):
        if not line:
            if data:
                yield ServerEvent(name, "\n".join(data), last_id)
            name, data = "message", []
            continue
        if line.startswith(":"):
            yield ServerEvent("heartbeat", "", last_id)
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value

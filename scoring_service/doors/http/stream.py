"""One open event stream, as plain ASGI: first what brings the listener up to date, then what comes."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from goat.errors import Invalid
from scoring_service.doors.http.delta import BoardEvent, event_text
from scoring_service.doors.http.hub import Hub
from scoring_service.doors.http.listener import Listener

MAX_BOARDS = 32
SERVER_SEND = "goat.send"
"""Where `front` leaves the server's own ``send`` in the scope of a stream."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx and its kin would hold events back otherwise.
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


def boards_of(challenges: str) -> tuple[str, ...]:
    """The boards named in ``?challenges=task1,combined``. Raises `goat.errors.Invalid`."""
    names = tuple(dict.fromkeys(name.strip() for name in challenges.split(",") if name.strip()))
    if len(names) > MAX_BOARDS:
        raise Invalid(f"One stream carries {MAX_BOARDS} boards at most.", field="challenges")
    return names


class EventStream(Response):
    """The reply that stays open. The listener has joined before, so refusals are ordinary replies."""

    def __init__(
        self, hub: Hub, listener: Listener, first: list[BoardEvent], hello: dict[str, object]
    ) -> None:
        super().__init__(media_type="text/event-stream")
        self._hub = hub
        self._listener = listener
        self._first = first
        self._hello = hello

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The way here went through a dozen coroutines, and each wrapped `send` in one of its own. An
        # event must not go through all of them for every listener: the server's own `send`, in a task
        # that starts here, makes the fan-out cheap (benchmarks/stream.py).
        send = scope.get(SERVER_SEND, send)
        listener = self._listener
        watcher = asyncio.create_task(_watch(receive, listener))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            events = [listener.message(event)["body"] for event in self._first]
            first = b"retry: 1000\n" + event_text("hello", self._hello) + b"".join(events)
            pump = asyncio.create_task(listener.pump(send, first))
            try:
                await pump
            finally:
                pump.cancel()
        finally:
            watcher.cancel()
            self._hub.leave(listener)


async def _watch(receive: Receive, listener: Listener) -> None:
    """Close the stream when its client hangs up."""
    with contextlib.suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        listener.close()


def greeting(listener: Listener, now: datetime) -> dict[str, object]:
    """Content of the ``hello`` event."""
    identity = listener.identity
    return {
        "server_time": now,
        "boards": listener.boards,
        "team_name": identity.team_name if identity else None,
    }

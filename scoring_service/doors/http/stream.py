"""One open event stream, as plain ASGI: first what brings the listener up to date, then what comes."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from goat.errors import Invalid
from scoring_service.doors.http.delta import BoardEvent, event_text, id_line
from scoring_service.doors.http.hub import Hub, Listener

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
    """The reply that stays open. `join` has succeeded before it starts, so refusals are ordinary replies."""

    def __init__(
        self,
        hub: Hub,
        listener: Listener,
        first: list[BoardEvent],
        hello: dict[str, object],
        known: dict[str, int],
    ) -> None:
        super().__init__(media_type="text/event-stream")
        self._hub = hub
        self._listener = listener
        self._first = first
        self._hello = hello
        self._versions = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Every layer in between wraps `send` in a coroutine of its own, for each event of each listener.
        send = scope.get(SERVER_SEND, send)
        listener = self._listener
        listener.task = asyncio.current_task()
        watcher = asyncio.create_task(_watch(receive, listener))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            greeting = b"retry: 1000\n" + event_text("hello", self._hello)
            await send(_chunk(greeting + b"".join(map(self._text, self._first))))
            inbox, alone = listener.inbox, len(listener.boards) == 1
            while not listener.closed:
                if not inbox:
                    await listener.wait()
                elif len(inbox) > 1:
                    await send(_chunk(b"".join(self._text(inbox.popleft()) for _ in range(len(inbox)))))
                else:
                    event = inbox.popleft()
                    if alone and isinstance(event, BoardEvent):
                        await send(event.message)
                    else:
                        await send(_chunk(self._text(event)))
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if not listener.closed:
                raise  # the server stops; otherwise the hub gave up on a listener who does not read
        finally:
            watcher.cancel()
            self._hub.leave(listener)

    def _text(self, event: BoardEvent | bytes) -> bytes:
        """The event's bytes: the shared ones where possible, with an id of all boards otherwise."""
        if not isinstance(event, BoardEvent):
            return event
        if len(self._listener.boards) == 1:
            return event.whole
        self._versions[event.board] = event.version
        return id_line(self._versions) + event.text


def _chunk(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


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

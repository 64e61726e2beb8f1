"""One open stream, as the hub sees it: what it watches, and how an event gets to it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.types import Message, Send

from scoring_service.doors.http import eager
from scoring_service.doors.http.delta import BoardEvent, id_line
from scoring_service.teams.identity import Identity

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Listener:
    """A listener is idle until its socket is full; what comes while it is not waits in its inbox."""

    boards: tuple[str, ...]
    identity: Identity | None = None
    authorization: str | None = None
    address: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    """Board → the version that it has been sent."""
    inbox: deque[BoardEvent | bytes] = field(default_factory=deque)
    closed: bool = False
    _send: Send | None = None
    _idle: bool = False
    _rest: Awaitable[None] | None = None
    _waiter: asyncio.Future[None] | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def party(self) -> tuple[str, str]:
        """Whose share of streams this one takes."""
        if self.identity is None:
            return ("address", self.address)
        return ("team", self.identity.team_id or self.identity.account_id)

    @property
    def team_id(self) -> str | None:
        """The team whose submissions it is told of."""
        return self.identity.team_id if self.identity else None

    def give(self, event: BoardEvent | bytes, limit: int) -> None:
        """Send an event now if that needs no waiting, otherwise keep it; at ``limit`` kept ones, give up."""
        if self.closed:
            return
        if not self._idle:
            if len(self.inbox) >= limit:
                self.drop()
            else:
                self.inbox.append(event)
            return
        assert self._send is not None, "a listener is idle only while it is pumped"
        try:
            # ASGI types `send` as any awaitable; in every server it is a coroutine function.
            sending = cast(Coroutine[Any, Any, None], self._send(self.message(event)))
            self._rest = eager.start(sending)
        except Exception:
            logger.exception("an event stream broke while an event was sent")
            self.drop()
            return
        if self._rest is not None:
            self._wake()

    def message(self, event: BoardEvent | bytes) -> Message:
        """The event as an ASGI message: the shared one where possible, else with an id of all boards."""
        if not isinstance(event, BoardEvent):
            return chunk(event)
        if len(self.boards) == 1:
            return event.message
        self.versions[event.board] = event.version
        return chunk(id_line(self.versions) + event.text)

    async def pump(self, send: Send, first: bytes) -> None:
        """Send ``first``, then what is given, until the stream is closed. Runs in a task of its own."""
        self._task, self._send = asyncio.current_task(), send
        try:
            await send(chunk(first))
            while not self.closed:
                if self._rest is not None:
                    rest, self._rest = self._rest, None
                    await rest
                elif self.inbox:
                    await send(self.message(self.inbox.popleft()))
                else:
                    await self._sleep()
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if not self.closed:
                raise  # the server stops; otherwise this listener does not read, and was given up

    def close(self) -> None:
        """End the stream as soon as its task gets to it."""
        self.closed = True
        self._wake()

    def drop(self) -> None:
        """End the stream of somebody who does not read: its task is stuck in sending."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()

    async def _sleep(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._idle = True
        await self._waiter

    def _wake(self) -> None:
        self._idle = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def chunk(body: bytes) -> Message:
    """A part of a reply that goes on."""
    return {"type": "http.response.body", "body": body, "more_body": True}

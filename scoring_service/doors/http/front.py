"""The outermost layer, plain ASGI: what must happen before, after or instead of FastAPI.

Boards are answered from cached bytes right here; text that no database stores is refused; a refusal
that comes before the whole body was read is still delivered, by reading on for a moment (a server
that closes at once resets the connection, and the sender never sees why).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from goat.errors import GoatError, Invalid
from scoring_service.doors.http import boards
from scoring_service.doors.http.board_cache import BoardCache
from scoring_service.doors.http.errors import our_fault, reply_to
from scoring_service.doors.http.guard import Authenticator
from scoring_service.doors.http.stream import SERVER_SEND

LINGER_S = 2.0
LINGER_BYTES = 256 << 20


class State(Protocol):
    """What this layer needs of the door (`state.Door`)."""

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def boards(self) -> BoardCache: ...


class Front:
    """Raw ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        authorization, known, has_body = _headers(scope)
        try:
            if scope["method"] == "GET":
                request = boards.parse(scope["path"], scope["query_string"])
                if request is not None:
                    await self._board(request, authorization, known, scope, receive, send)
                    return
            if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
                raise Invalid("A NUL character fits nowhere in an address.", field="path")
        except Exception as error:  # noqa: BLE001  # nothing outside of this layer would answer
            path = scope["path"].replace("\x00", "\ufffd")
            reply = reply_to(error, path) if isinstance(error, GoatError) else our_fault(error, path)
            await reply(scope, receive, send)
            return
        if scope["path"] == "/v1/stream":
            scope[SERVER_SEND] = send
        if has_body:
            exchange = _Exchange(receive, send)
            await self._app(scope, exchange.receive, exchange.send)
        else:
            await self._app(scope, receive, send)

    async def _board(
        self,
        request: boards.BoardRequest,
        authorization: str | None,
        known: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        state = self._state
        identity = None
        if authorization is not None:
            identity = state.authenticator.remembered(authorization)
            if identity is None:
                identity = await state.authenticator.identity(authorization)
        page = state.boards.ready(request.challenge, request.split, identity)
        if page is None:
            page = await state.boards.page(request.challenge, request.split, identity)
        await boards.BoardReply(page, request, known)(scope, receive, send)


def _headers(scope: Scope) -> tuple[str | None, bytes, bool]:
    """Authorization, If-None-Match, and whether a body follows."""
    authorization, known, has_body = None, b"", False
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"if-none-match":
            known = value
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
    return authorization, known, has_body


class _Exchange:
    """One request with a body: notes how far it was read, and lingers after a refusal."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = False
        self._refused = False

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body"):
            self._whole = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._refused = message["status"] >= 400 and not self._whole
            if self._refused:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await self._send(message)
        elif self._refused and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._send(message)

    async def _linger(self) -> None:
        """Read on and throw away, for a bounded time and size, so that the sender gets to our answer."""
        size = 0
        try:
            async with asyncio.timeout(LINGER_S):
                while not self._whole and size < LINGER_BYTES:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return

"""Who may, decided from the headers before one byte of the body is read.

Every route belongs to a class of this module, and the class says who may use it; a route cannot
forget to ask. Tokens are verified once and the account behind them is looked up again after at most
`FRESH_S` seconds, so a ban or a new password is in force everywhere within that time.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.responses import Response

from goat.errors import NotAuthenticated, TooLarge, UploadIncomplete
from scoring_service.doors.http.encoding import StrictRequest
from scoring_service.doors.http.tokens import Tokens
from scoring_service.teams.identity import Identity

FRESH_S = 5.0
CACHED_TOKENS = 4096
SMALL_BODY_BYTES = 1 << 20
SMALL_BODY_S = 30.0
HUB_SECRET = "x-goat-hub"  # noqa: S105 - the name of a header
"""Header with the secret that the hub and we share."""

Access = Literal["anyone", "account", "organiser", "hub"]


class Authenticator:
    """Authorization header → identity, with a short memory."""

    def __init__(
        self,
        tokens: Tokens,
        identify: Callable[[str, int], Identity],
        *,
        identify_hub: Callable[[str], Identity] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._identify = identify
        self._identify_hub = identify_hub
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    def remembered(self, authorization: str) -> Identity | None:
        """The identity of a header that was looked up less than `FRESH_S` seconds ago."""
        found = self._known.get(authorization)
        if found is None or self._monotonic() - found[1] > FRESH_S:
            return None
        return found[0]

    async def identity(self, authorization: str | None) -> Identity | None:
        """Who that is; None without a header. Raises `goat.errors.NotAuthenticated`."""
        if authorization is None:
            return None
        known = self.remembered(authorization)
        if known is not None:
            return known
        return await asyncio.to_thread(self.look_up, authorization)

    def look_up(self, authorization: str) -> Identity:
        """Verify and ask the database, whatever is remembered. Blocks."""
        self._known.pop(authorization, None)
        token = _bearer_token(authorization)
        if self._identify_hub is not None and token.count(".") != 2:  # ours always have two dots
            identity = self._identify_hub(token)
        else:
            claims = self._tokens.verify(token)
            identity = self._identify(claims.account_id, claims.token_version)
        self._known[authorization] = (identity, self._monotonic())
        while len(self._known) > CACHED_TOKENS:
            self._known.popitem(last=False)
        return identity

    def forget(self) -> None:
        """Look everybody up anew, e.g. after a password change or a ban made here."""
        self._known.clear()


def _bearer_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("The Authorization header must be 'Bearer' and a token of POST /auth/login.")
    return token.strip()


def authorization_of(scope: Any) -> str | None:
    """The Authorization header of an ASGI scope."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value, "latin-1")
    return None


class GuardedRoute(APIRoute):
    """Base of all routes: authenticate, authorise, then read a bounded body, then go on."""

    access: ClassVar[Access]
    reads_body: ClassVar[bool] = True
    """False where the route itself streams the body and bounds it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            door = request.app.state.door
            authenticator: Authenticator = door.authenticator
            if self.access == "hub" and not (
                door.hub_link and door.hub_link.is_hub(request.headers.get(HUB_SECRET, ""))
            ):
                raise NotAuthenticated("Only the hub beside this service may ask that.")
            identity = await authenticator.identity(authorization_of(request.scope))
            if self.access not in ("anyone", "hub") and identity is None:
                raise NotAuthenticated(
                    "Log in first: POST /auth/login, then send 'Authorization: Bearer <token>'."
                )
            if self.access == "organiser" and identity is not None:
                identity.require_organiser()
            request.state.identity = identity
            strict = StrictRequest(request.scope, request.receive)
            if self.reads_body:
                await _read_small(strict)
            return await handler(strict)

        return guarded


async def _read_small(request: StrictRequest) -> None:
    """Read the body into the request, at most `SMALL_BODY_BYTES` within `SMALL_BODY_S`."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > SMALL_BODY_BYTES:
        raise TooLarge(f"This request may have {SMALL_BODY_BYTES} bytes at most.", allowed=SMALL_BODY_BYTES)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(SMALL_BODY_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > SMALL_BODY_BYTES:
                    raise TooLarge(
                        f"This request may have {SMALL_BODY_BYTES} bytes at most.", allowed=SMALL_BODY_BYTES
                    )
                chunks.append(chunk)
    except TimeoutError:
        raise UploadIncomplete("The body did not arrive in time; send it again.") from None
    request.keep_body(b"".join(chunks))


class AnyoneRoute(GuardedRoute):
    """For everybody; a token that is sent must be good, and the service decides what it may see."""

    access = "anyone"


class AccountRoute(GuardedRoute):
    """For whoever is logged in."""

    access = "account"


class UploadRoute(AccountRoute):
    """For whoever is logged in; the body is streamed by the route."""

    reads_body = False


class OrganiserRoute(GuardedRoute):
    """For organisers."""

    access = "organiser"


class HubRoute(GuardedRoute):
    """For the hub beside us, which knows the shared secret; for nobody else, organisers included."""

    access = "hub"


# The scheme only documents; the routes' classes above decide.
_bearer = HTTPBearer(auto_error=False, description="Token of POST /auth/login")
documented_bearer = Depends(_bearer)


async def _known(request: Request) -> Identity:
    identity = request.state.identity
    assert isinstance(identity, Identity), "only routes that need a login ask for an identity"
    return identity


async def _maybe(request: Request) -> Identity | None:
    identity: Identity | None = request.state.identity
    return identity


Known = Annotated[Identity, Depends(_known)]
"""The caller of a route that needs a login."""

Maybe = Annotated[Identity | None, Depends(_maybe)]
"""The caller of a route that is for everybody."""

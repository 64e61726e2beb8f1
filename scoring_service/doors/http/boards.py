"""Board requests: parsed once, answered from the cache, whether they come through FastAPI or past it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from scoring_service.doors.http.board_cache import TOP, BoardCache, CourseCache, Page
from scoring_service.teams.identity import Identity

_RESOURCE = re.compile(r"/v1/(?:challenges/([A-Za-z0-9:-]{1,130})|combined)/leaderboard")
_LISTING = re.compile(r"/leaderboard/([A-Za-z0-9:-]{1,130})")
_TEAM = re.compile(r"team_name=([A-Za-z0-9_.-]{1,64})")
_TYPE = (b"content-type", b"application/json")
_FIXED = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"authorization"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class BoardRequest:
    """A board that somebody asks for: whole (``listing`` False) or as the documented list of rows."""

    challenge: str
    split: str = "public"
    listing: bool = False
    k: int = TOP
    team_name: str | None = None


_QUERIES: Mapping[bytes, Mapping[str, Any]] = {
    b"": {},
    b"split=public": {},
    b"split=private": {"split": "private"},
}


def parse(path: str, query: bytes) -> BoardRequest | None:
    """The request of a plain board address; None for anything unusual, which FastAPI then judges."""
    found = _RESOURCE.fullmatch(path)
    if found is not None:
        options = _QUERIES.get(query)
        return None if options is None else BoardRequest(found[1] or "combined", **options)
    found = _LISTING.fullmatch(path)
    if found is None:
        return None
    if not query:
        return BoardRequest(found[1], listing=True)
    team = _TEAM.fullmatch(query.decode("latin-1"))
    return None if team is None else BoardRequest(found[1], listing=True, team_name=team[1])


async def board_response(
    cache: BoardCache, request: BoardRequest, identity: Identity | None, if_none_match: str
) -> Response:
    """The reply for a request that came through FastAPI."""
    page = await cache.page(request.challenge, request.split, identity)
    return BoardReply(page, request, if_none_match.encode("latin-1", "replace"))


async def history_response(
    cache: CourseCache,
    challenge: str,
    identity: Identity | None,
    if_none_match: str,
    *,
    top: int,
    team_name: str | None,
) -> Response:
    """How a board came to be, for its first ``top`` teams and one more."""
    page = await cache.page(challenge, "public", identity)
    return TaggedReply(*page.body(top, team_name), if_none_match.encode("latin-1", "replace"))


class TaggedReply(Response):
    """Bytes with an ETag, or 304 when the caller has them already. Skips the base class's set-up."""

    def __init__(self, body: bytes, etag: bytes, if_none_match: bytes) -> None:
        # No super().__init__(): it builds headers that are constant here.
        self.background = None
        self._body, self._etag = body, etag
        self._known = if_none_match

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"etag", self._etag), *_FIXED]
        if self._known and _matches(self._known, self._etag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers += (_TYPE, (b"content-length", b"%d" % len(self._body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


class BoardReply(TaggedReply):
    """A page's bytes, as the request wants them."""

    def __init__(self, page: Page, request: BoardRequest, if_none_match: bytes) -> None:
        found = page.listing(request.k, request.team_name) if request.listing else (page.body, page.etag)
        super().__init__(*found, if_none_match)


def _matches(known: bytes, etag: bytes) -> bool:
    return known in (etag, b"*") or etag in (tag.strip().removeprefix(b"W/") for tag in known.split(b","))

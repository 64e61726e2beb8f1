"""Boards as bytes: loaded and encoded once, then handed out until something changes.

A page belongs to an audience (organisers, an event's teams, anybody), and loading it asks the service
with a caller of that audience: visibility, freeze and reveal are decided there and nowhere else. A
page is trusted for `FRESH_S` seconds at most and forgotten at once when a change is announced;
however many ask at the same moment, one load answers them all.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from goat.records import Board, BoardHistory
from scoring_service.doors.http.encoding import encode
from scoring_service.leaderboard.course import Course
from scoring_service.teams.identity import Identity

FRESH_S = 0.1
COURSE_FRESH_S = 3.0
"""A board's course takes longer to load and nobody waits for its last seconds: the stream tells them."""
CACHED_PAGES = 256
TOP = 10
"""Rows of the documented list when the caller names no number."""

Loader = Callable[[str, str, Identity | None], Board]
"""(challenge, split, caller) → board. Raises what the service raises; blocks."""

Key = tuple[str, str, tuple[str, str | None] | None]


@dataclass(frozen=True, slots=True)
class Page:
    """One board, encoded whole and by row."""

    board: Board
    body: bytes
    etag: bytes
    rows: tuple[bytes, ...]
    row_of_team: dict[str, bytes]
    top: bytes
    """The first `TOP` rows as a JSON list."""
    top_etag: bytes
    loaded_at: float

    def listing(self, k: int, team_name: str | None) -> tuple[bytes, bytes]:
        """The first ``k`` rows and, when it is not among them, the team's own: JSON list and ETag."""
        extra = self.row_of_team.get(team_name.lower()) if team_name else None
        chosen = self.rows[:k]
        if extra is not None and extra not in chosen:
            chosen = (*chosen, extra)
        if k == TOP and len(chosen) == min(TOP, len(self.rows)):
            return self.top, self.top_etag
        body = _list(chosen)
        return body, etag_of(body)


@dataclass(frozen=True, slots=True)
class CoursePage:
    """How one board came to be; encoded for each choice of teams."""

    course: Course
    loaded_at: float

    def body(self, top: int, team_name: str | None) -> tuple[bytes, bytes]:
        """JSON of `goat.records.BoardHistory`, and its ETag."""
        shown: BoardHistory = self.course.of(top, team_name)
        body = encode(shown)
        return body, etag_of(body)


class Aged(Protocol):
    """A page knows since when it may be old."""

    @property
    def loaded_at(self) -> float: ...


P = TypeVar("P", bound=Aged)


def audience_of(identity: Identity | None) -> tuple[str, str | None] | None:
    """What decides which board somebody sees: the role and the event, not the person."""
    if identity is None:
        return None
    return (identity.role, None if identity.is_organiser else identity.event)


class PageCache(Generic[P]):
    """Pages by challenge, split and audience. Belongs to one event loop."""

    def __init__(
        self,
        make: Callable[[str, str, Identity | None, float], P],
        *,
        fresh_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._make = make
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._pages: OrderedDict[Key, P] = OrderedDict()
        self._loading: dict[Key, asyncio.Task[P]] = {}
        self._changes = 0

    def ready(self, challenge: str, split: str, identity: Identity | None) -> P | None:
        """The page if it is here and fresh: never waits."""
        page = self._pages.get((challenge, split, audience_of(identity)))
        if page is None or self._monotonic() - page.loaded_at > self._fresh_s:
            return None
        return page

    async def page(self, challenge: str, split: str, identity: Identity | None) -> P:
        """The page, loaded if need be. Raises what the service raises."""
        ready = self.ready(challenge, split, identity)
        if ready is not None:
            return ready
        key = (challenge, split, audience_of(identity))
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(key, identity))
            self._loading[key] = task
        # Shielded: one caller who hangs up must not take the load away from the others.
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Something changed: look again at the next request."""
        self._changes += 1
        self._pages.clear()
        # A load that began before the change may miss it; whoever asks from now on starts another.
        self._loading.clear()

    async def _fetch(self, key: Key, identity: Identity | None) -> P:
        challenge, split, _ = key
        changes, started = self._changes, self._monotonic()
        try:
            page = await asyncio.to_thread(self._make, challenge, split, identity, started)
        finally:
            if self._changes == changes:
                self._loading.pop(key, None)
        if self._changes == changes:
            self._pages[key] = page
            self._pages.move_to_end(key)
            while len(self._pages) > CACHED_PAGES:
                self._pages.popitem(last=False)
        return page


class BoardCache(PageCache[Page]):
    """Whole boards."""

    def __init__(
        self, load: Loader, *, fresh_s: float = FRESH_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        def make(challenge: str, split: str, identity: Identity | None, now: float) -> Page:
            return _page(load(challenge, split, identity), now)

        super().__init__(make, fresh_s=fresh_s, monotonic=monotonic)


class CourseCache(PageCache[CoursePage]):
    """How boards came to be. A result does not empty it, so that its cost does not grow with traffic."""

    def __init__(
        self,
        load: Callable[[str, Identity | None], Course],
        *,
        fresh_s: float = COURSE_FRESH_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        def make(challenge: str, _split: str, identity: Identity | None, now: float) -> CoursePage:
            return CoursePage(load(challenge, identity), now)

        super().__init__(make, fresh_s=fresh_s, monotonic=monotonic)


def _page(board: Board, loaded_at: float) -> Page:
    rows = tuple(encode(row) for row in board.rows)
    body, top = encode(board), _list(rows[:TOP])
    return Page(
        board=board,
        body=body,
        etag=etag_of(body),
        rows=rows,
        row_of_team={row.team_name.lower(): encoded for row, encoded in zip(board.rows, rows, strict=True)},
        top=top,
        top_etag=etag_of(top),
        loaded_at=loaded_at,
    )


def _list(rows: tuple[bytes, ...]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def etag_of(body: bytes) -> bytes:
    return b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'

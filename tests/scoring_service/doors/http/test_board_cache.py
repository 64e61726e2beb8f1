"""The board cache: one load however many ask, a board per audience, never an old one for long."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from goat.errors import Forbidden
from goat.records import Board, BoardRow
from scoring_service.doors.http.board_cache import CACHED_PAGES, BoardCache
from scoring_service.doors.http.boards import BoardRequest, parse
from scoring_service.teams.identity import Identity

TEAM = Identity(account_id="a", name="t", role="participant", token_version=1, event="e", team_id="t")
OTHER = Identity(account_id="b", name="u", role="participant", token_version=1, event="f", team_id="u")
ADMIN = Identity(account_id="c", name="admin", role="organiser", token_version=1)


class Loads:
    """Counts loads; each gives a board with the next version."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def __call__(self, challenge: str, split: str, identity: Identity | None) -> Board:
        self.count += 1
        version = self.count
        self.gate.wait(10)
        if self.error:
            raise self.error
        row = BoardRow(
            rank=1,
            team_name="Team_A",
            score=version,
            submission_id=identity.account_id if identity else "-",
            submitted_at=datetime(2026, 6, 1, tzinfo=UTC),
            entries=1,
        )
        return Board(
            event="e",
            challenge=challenge,
            split="public",
            version=version,
            frozen=False,
            higher_is_better=True,
            unit="",
            rows=[row],
        )


def test_a_thousand_who_ask_at_once_cost_one_load() -> None:
    async def story() -> None:
        loads = Loads()
        cache = BoardCache(loads)
        pages = await asyncio.gather(*(cache.page("task1", "public", TEAM) for _ in range(1000)))
        assert loads.count == 1
        assert len({id(page) for page in pages}) == 1

    asyncio.run(story())


def test_each_audience_has_a_board_of_its_own() -> None:
    async def story() -> None:
        loads = Loads()
        cache = BoardCache(loads)
        for identity in (None, TEAM, OTHER, ADMIN, None, TEAM, OTHER, ADMIN):
            page = await cache.page("task1", "public", identity)
            assert page.board.rows[0].submission_id == (identity.account_id if identity else "-")
        assert loads.count == 4

    asyncio.run(story())


def test_a_change_while_a_load_runs_is_not_missed() -> None:
    async def story() -> None:
        # Given a load that has begun
        loads = Loads()
        loads.gate.clear()
        cache = BoardCache(loads)
        early = asyncio.create_task(cache.page("task1", "public", None))
        while not loads.count:
            await asyncio.sleep(0.001)
        # When something changes before it ends
        cache.forget()
        late = asyncio.create_task(cache.page("task1", "public", None))
        await asyncio.sleep(0.01)
        loads.gate.set()
        # Then who asks after the change gets what was loaded after it
        assert (await early).board.version == 1
        assert (await late).board.version == 2
        assert (await cache.page("task1", "public", None)).board.version == 2

    asyncio.run(story())


def test_without_any_notice_a_page_is_old_for_a_moment_only() -> None:
    async def story() -> None:
        now = [0.0]
        loads = Loads()
        cache = BoardCache(loads, fresh_s=0.1, monotonic=lambda: now[0])
        first = await cache.page("task1", "public", None)
        now[0] = 0.09
        assert cache.ready("task1", "public", None) is first
        now[0] = 0.11
        assert (await cache.page("task1", "public", None)).board.version == 2

    asyncio.run(story())


def test_one_caller_who_hangs_up_takes_nothing_from_the_others() -> None:
    async def story() -> None:
        loads = Loads()
        loads.gate.clear()
        cache = BoardCache(loads)
        gone = asyncio.create_task(cache.page("task1", "public", None))
        stays = asyncio.create_task(cache.page("task1", "public", None))
        await asyncio.sleep(0.01)
        gone.cancel()
        loads.gate.set()
        assert (await stays).board.version == 1

    asyncio.run(story())


def test_a_refusal_is_not_remembered() -> None:
    async def story() -> None:
        loads = Loads()
        loads.error = Forbidden("not yet")
        cache = BoardCache(loads)
        with pytest.raises(Forbidden):
            await cache.page("task1", "private", TEAM)
        loads.error = None
        assert await cache.page("task1", "private", TEAM)

    asyncio.run(story())


def test_memory_is_bounded() -> None:
    async def story() -> None:
        cache = BoardCache(Loads())
        for number in range(CACHED_PAGES + 50):
            await cache.page(f"task{number}", "public", None)
        assert len(cache._pages) == CACHED_PAGES

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("/v1/challenges/task1/leaderboard", b"", BoardRequest("task1")),
        ("/v1/challenges/e:task1/leaderboard", b"split=private", BoardRequest("e:task1", "private")),
        ("/v1/combined/leaderboard", b"", BoardRequest("combined")),
        ("/v1/combined/leaderboard", b"split=private", BoardRequest("combined", "private")),
        ("/leaderboard/task1", b"", BoardRequest("task1", listing=True)),
        ("/leaderboard/task1", b"team_name=a.b-c", BoardRequest("task1", listing=True, team_name="a.b-c")),
        ("/leaderboard/task1", b"k=5", None),
        ("/leaderboard/task1", b"team_name=%41", None),
        ("/leaderboard/task 1", b"", None),
        ("/v1/challenges/task1/leaderboard", b"split=other", None),
        ("/v1/challenges/a/b/leaderboard", b"", None),
        ("/v1/queue", b"", None),
    ],
)
def test_only_plain_addresses_take_the_quick_way(path: str, query: bytes, found: BoardRequest | None) -> None:
    assert parse(path, query) == found

"""The course of a board over HTTP: shape, choice of teams, ETag, one load for many."""

from __future__ import annotations

import asyncio

import pytest

from goat.records import BoardHistory
from scoring_service.doors.http.board_cache import COURSE_FRESH_S, CourseCache
from scoring_service.leaderboard.course import Course, course
from scoring_service.teams.identity import Identity
from tests.scoring_service.doors.http.conftest import Site
from tests.scoring_service.leaderboard.test_course import about, step

PATH = "/v1/challenges/task1/leaderboard/history"


def test_it_tells_each_improvement_and_the_best(both_site: Site) -> None:
    site = both_site
    for number, name in enumerate(("team_a", "team_b")):
        identity = site.world.team(name)
        for seed, noise in ((1, 0.2), (2, 0.3), (3, 0.1)):
            site.world.submit(identity, noise=noise - number / 100, seed=seed)
            site.world.work()
    found = site.http.get(PATH).json()
    assert {step["team_name"] for step in found["steps"]} == {"team_a", "team_b"}
    assert len(found["steps"]) == 4, "the worse second submission of each moved nothing"
    best = [step["score"] for step in found["best"]]
    assert best == sorted(best)
    assert best[-1] == site.http.get("/v1/challenges/task1/leaderboard").json()["rows"][0]["score"]
    # And a caller chooses how many teams, and its own
    only = site.http.get(PATH, params={"top": 0, "team_name": "TEAM_A"}).json()["steps"]
    assert {step["team_name"] for step in only} == {"team_a"}


def test_what_is_known_already_is_not_sent_again(site: Site) -> None:
    first = site.http.get(PATH)
    assert first.headers["cache-control"] == "private, no-cache"
    again = site.http.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("query", ["top=31", "top=-1", "top=x", f"team_name={'x' * 300}", "top=1&top=x"])
def test_a_bad_question_is_a_problem(site: Site, query: str) -> None:
    assert site.http.get(f"{PATH}?{query}").status_code == 422


def test_a_board_that_is_not_there_is_named(site: Site) -> None:
    reply = site.http.get(PATH.replace("task1", "task9"))
    assert reply.status_code == 404
    assert "task9" in reply.json()["detail"]


def test_results_do_not_make_it_dearer() -> None:
    # Given a course that a thousand ask for, while results come in
    loads = 0
    now = 0.0

    def load(_challenge: str, _identity: Identity | None) -> Course:
        nonlocal loads
        loads += 1
        return course(about(), ["t"], [step("t", 0, 1.0)])

    async def story() -> None:
        nonlocal now
        cache = CourseCache(load, monotonic=lambda: now)
        for _ in range(3):
            pages = await asyncio.gather(*(cache.page("task1", "public", None) for _ in range(1000)))
            assert len({id(page) for page in pages}) == 1
        assert loads == 1
        # When its time is over
        now += COURSE_FRESH_S + 0.1
        await cache.page("task1", "public", None)
        assert loads == 2

    asyncio.run(story())
    assert isinstance(load("task1", None).of(1), BoardHistory)

"""How a board came to be: what stood on it and nothing else, bounded, at a flat cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from goat.errors import NotAuthenticated, NotFound
from goat.records import BoardHistory, BoardStep
from scoring_service.leaderboard.course import BEST_STEPS, TEAM_STEPS, course, thinned
from tests.scoring_service.leaderboard.test_boards import give
from tests.scoring_service.world import SetClock, World

START = datetime(2026, 6, 1, tzinfo=UTC)


def about(*, upward: bool = True) -> BoardHistory:
    return BoardHistory(
        event="e",
        challenge="task1",
        version=1,
        frozen=False,
        higher_is_better=upward,
        unit="dB",
        best=[],
        steps=[],
    )


def step(team: str, minute: int, score: float) -> BoardStep:
    return BoardStep(team_name=team, submitted_at=START + timedelta(minutes=minute), score=score)


def test_the_best_score_moves_only_when_somebody_beats_it() -> None:
    # Given two teams; the one that is last today led once
    steps = [step("late", 0, 20.0), step("first", 1, 18.0), step("first", 2, 25.0), step("late", 3, 21.0)]
    found = course(about(), ["first", "late"], steps)
    assert [(one.team_name, one.score) for one in found.about.best] == [("late", 20.0), ("first", 25.0)]
    # And where less is better, the other way round
    found = course(about(upward=False), ["first", "late"], steps)
    assert [(one.team_name, one.score) for one in found.about.best] == [("late", 20.0), ("first", 18.0)]


def test_the_first_teams_come_and_the_one_that_asks_wherever_it_is() -> None:
    names = [f"t{number}" for number in range(20)]
    steps = [step(name, at, 50.0 - at) for at, name in enumerate(names)]
    found = course(about(), names, steps)
    assert [one.team_name for one in found.of(2, "T19").steps] == ["t0", "t1", "t19"]
    assert [one.team_name for one in found.of(2, "t1").steps] == ["t0", "t1"]
    assert found.of(0, "nobody").steps == []


def test_a_team_that_is_not_on_the_board_has_no_past_on_it() -> None:
    found = course(about(), ["here"], [step("gone", 0, 99.0), step("here", 1, 5.0)])
    assert [one.team_name for one in found.about.best] == ["here"]
    assert found.of(10, "gone").steps == [step("here", 1, 5.0)]


def test_however_much_happened_the_answer_is_small_and_keeps_its_ends() -> None:
    many = [step("t", minute, float(minute)) for minute in range(5000)]
    found = course(about(), ["t"], many)
    shown = found.of(10).steps
    assert (len(shown), len(found.about.best)) == (TEAM_STEPS, BEST_STEPS)
    assert (shown[0], shown[-1]) == (many[0], many[-1])
    assert len(set(shown)) == TEAM_STEPS
    assert thinned(many[:3], 100) == many[:3]


def test_it_holds_what_the_board_showed(world: World) -> None:
    # Given a step of 0.5, probes below it, and a banned team
    world.apply(ladder_step=0.5)
    first, second, banned = (world.team(name) for name in ("first", "second", "banned"))
    for team, score in ((first, 20.0), (first, 20.3), (second, 22.0), (first, 23.0), (banned, 40.0)):
        give(world, team, score, private=91.5)
    world.services.teams.ban("banned", True)
    # Then only what moved the board is there, and no private score
    found = world.services.leaderboard.course("task1", None).of(10)
    assert [(one.team_name, one.score) for one in found.steps] == [
        ("first", 20.0),
        ("second", 22.0),
        ("first", 23.0),
    ]
    assert [one.score for one in found.best] == [20.0, 22.0, 23.0]
    assert "91.5" not in repr(found)


def test_a_frozen_boards_course_ends_at_the_freeze(sqlite_world: World) -> None:
    world, clock = sqlite_world, SetClock()
    world.services.db.clock = clock
    team = world.team()
    give(world, team, 28.0)
    world.services.events.freeze("task1", clock.moment + timedelta(minutes=1), actor="admin")
    clock.moment += timedelta(minutes=2)
    give(world, team, 35.0)
    found = world.services.leaderboard.course("task1", None).of(10)
    assert found.frozen
    assert [one.score for one in found.steps] == [one.score for one in found.best] == [28.0]
    # And after the reveal, which ends the freeze, it is whole
    world.services.events.reveal("task1", True, actor="admin")
    assert [one.score for one in world.services.leaderboard.course("task1", None).of(10).steps] == [
        28.0,
        35.0,
    ]


def test_it_is_seen_by_those_who_may_see_the_board(world: World) -> None:
    world.apply(event_fields={"board_visibility": "teams"})
    with pytest.raises(NotAuthenticated):
        world.services.leaderboard.course("task1", None)
    assert world.services.leaderboard.course("task1", world.team()).of(10).steps == []
    with pytest.raises(NotFound):
        world.services.leaderboard.course("task9", None)


def test_only_improvements_are_read_however_many_submissions_are_stored(world: World) -> None:
    # The plan is asked, not a clock: SQLite's in words, PostgreSQL's without scans of small tables
    sqlite = world.services.db.is_sqlite
    condition = "improved IS 1" if sqlite else "improved IS TRUE"
    query = (
        f"SELECT team_id FROM submissions WHERE challenge_id = 'x' AND {condition} ORDER BY submitted_at, id"
    )
    with world.services.db.read() as session:
        if not sqlite:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            session.execute(text("SET LOCAL enable_bitmapscan = off"))
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        plan = " ".join(str(row) for row in session.execute(text(explain + query)))
    assert "ix_submissions_improved" in plan
    assert "SORT" not in plan.upper().replace("B-TREE", "SORT")

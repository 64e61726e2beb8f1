"""Boards: order, ties, freeze, reveal, and who may see what."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml

from goat.errors import Conflict, Forbidden, NotAuthenticated
from goat.kinds.base import Measure, Outcome
from scoring_service.teams.identity import Identity
from tests.scoring_service.world import SetClock, World, event_file, submission_zip


def give(
    world: World, team: Identity, public: float, private: float = 0.0, *, challenge: str = "task1"
) -> str:
    """A ranked submission of the team with these scores; returns its id."""
    content = submission_zip(seed=hash((team.name, public, private)) & 0xFFFF)
    accepted = world.submit(team, content, challenge=challenge)
    claim = world.services.lifecycle.claim("w", accepted.id)
    assert claim is not None
    scores = {
        "public": {"score": Measure.exact(public)},
        "private": {"score": Measure.exact(private)},
    }
    assert world.services.lifecycle.record(claim, Outcome(scores), machine={}, sandbox="none")
    return accepted.id


def board(world: World, split: str = "public", who: Identity | None = None) -> list[tuple[int, str, float]]:
    rows = world.services.leaderboard.board("task1", who, split).rows  # type: ignore[arg-type]
    return [(row.rank, row.team_name, row.score) for row in rows]


def test_the_best_submission_of_each_team_counts_and_equal_scores_share_a_rank(world: World) -> None:
    first, second, third = (world.team(name) for name in ("first", "second", "third"))
    give(world, first, 28.0)
    give(world, second, 30.0)
    give(world, third, 30.0)
    give(world, second, 25.0)
    assert board(world) == [(1, "second", 30.0), (1, "third", 30.0), (3, "first", 28.0)]


def test_an_event_may_let_the_earlier_of_equals_win(world: World) -> None:
    world.apply(event_fields={"ties": "earliest"})
    first, second = world.team("first"), world.team("second")
    give(world, first, 30.0)
    give(world, second, 30.0)
    assert board(world) == [(1, "first", 30.0), (2, "second", 30.0)]


def test_a_score_moves_only_by_the_ladders_step(world: World) -> None:
    world.apply(ladder_step=0.5)
    team = world.team()
    first = give(world, team, 30.0)
    probe = give(world, team, 30.4)
    assert board(world) == [(1, "team_awesome", 30.0)]
    seen = world.services.submissions.get(team, probe)
    assert (seen.score, seen.improved) == (30.0, False)
    better = give(world, team, 30.5)
    assert board(world) == [(1, "team_awesome", 30.5)]
    assert world.services.leaderboard.board("task1", None).rows[0].submission_id == better
    assert world.services.submissions.get(team, first).improved


def test_every_change_of_a_board_has_a_new_version_and_nothing_else_has(world: World) -> None:
    team = world.team()
    versions = [world.services.leaderboard.board("task1", None).version]
    for score in (28.0, 27.0, 29.0):
        give(world, team, score)
        versions.append(world.services.leaderboard.board("task1", None).version)
    # The worse second submission changes the number of entries, so it shows as well.
    assert versions == sorted(set(versions))
    assert world.services.leaderboard.board("task1", None).version == versions[-1]


def test_a_frozen_board_stands_still_while_teams_see_their_own_scores(sqlite_world: World) -> None:
    world = sqlite_world
    clock = SetClock()
    world.services.db.clock = clock
    team = world.team()
    give(world, team, 28.0)
    world.services.events.freeze("task1", clock.moment + timedelta(minutes=1), actor="admin")
    clock.moment += timedelta(minutes=2)
    later = give(world, team, 35.0)
    frozen = world.services.leaderboard.board("task1", None)
    assert (frozen.frozen, frozen.rows[0].score) == (True, 28.0)
    assert world.services.submissions.get(team, later).score == 35.0
    world.services.events.reveal("task1", True, actor="admin")
    assert board(world) == [(1, "team_awesome", 35.0)]


def test_private_scores_reach_nobody_but_organisers_before_the_reveal(world: World) -> None:
    # Given a team with a private score of 11.125
    admin, team = world.organiser(), world.team()
    submission = give(world, team, 28.0, private=11.125)
    # Then it is nowhere in what participants can read
    with pytest.raises(Forbidden):
        board(world, "private", team)
    with pytest.raises(NotAuthenticated):
        board(world, "private")
    shown = [
        world.services.submissions.get(team, submission),
        world.services.submissions.history(team),
        world.services.leaderboard.board("task1", team),
        world.services.events.challenge("task1"),
    ]
    assert "11.125" not in repr(shown)
    assert board(world, "private", admin) == [(1, "team_awesome", 11.125)]
    # And after the reveal it is everybody's
    world.services.events.reveal("task1", True, actor="admin")
    assert board(world, "private") == [(1, "team_awesome", 11.125)]
    assert world.services.submissions.get(team, submission).final_score == 11.125


def test_the_final_rank_takes_the_chosen_submissions_or_else_the_best_public_ones(world: World) -> None:
    admin = world.organiser()
    chooser, other = world.team("chooser"), world.team("other")
    modest = give(world, chooser, 20.0, private=40.0)
    for public, private in ((25.0, 1.0), (26.0, 2.0), (27.0, 3.0)):
        give(world, chooser, public, private)
        give(world, other, public, private)
    give(world, other, 20.0, private=40.0)
    world.services.submissions.select(chooser, modest, True)
    # "other" chose none: its two best public ones have 3.0 and 2.0 on the private split
    assert board(world, "private", admin) == [(1, "chooser", 40.0), (2, "other", 3.0)]


def test_a_team_chooses_no_more_finals_than_the_challenge_takes(world: World) -> None:
    team = world.team()
    ids = [give(world, team, score) for score in (20.0, 21.0, 22.0)]
    for submission in ids[:2]:
        world.services.submissions.select(team, submission, True)
    with pytest.raises(Conflict, match="2 of 2"):
        world.services.submissions.select(team, ids[2], True)
    world.services.submissions.select(team, ids[0], False)
    assert world.services.submissions.select(team, ids[2], True).selected


def test_the_combined_board_weighs_normalised_scores_and_numbers_entered_by_hand(world: World) -> None:
    world.apply(
        event_fields={
            "combined": [
                {"challenge": "task1", "weight": 0.6, "from": 10, "to": 50},
                {"manual": "talk", "weight": 0.1, "from": 0, "to": 10},
            ]
        }
    )
    give(world, world.team("first"), 30.0)
    give(world, world.team("second"), 32.0)
    before = world.services.leaderboard.combined(None)
    world.services.leaderboard.set_manual_score("first", "talk", 8.0, actor="admin")
    after = world.services.leaderboard.combined(None)
    assert [(row.team_name, row.score) for row in before.rows] == [("second", 0.33), ("first", 0.3)]
    assert [(row.team_name, row.score) for row in after.rows] == [("first", 0.38), ("second", 0.33)]
    # And each row says what its parts add; a part that a team does not have is not there
    assert [row.metrics for row in after.rows] == [{"task1": 0.3, "talk": 0.08}, {"task1": 0.33}]
    assert after.version > before.version


def test_the_final_combined_board_adds_final_scores_and_waits_for_every_reveal(world: World) -> None:
    # Given two challenges, whose private scores turn the order round, and a number entered by hand
    file = event_file(world.folder)
    spec = yaml.safe_load(file.read_text())
    spec["challenges"].append(spec["challenges"][0] | {"id": "task2"})
    spec["combined"] = [
        {"challenge": "task1", "weight": 0.5, "from": 0, "to": 50},
        {"challenge": "task2", "weight": 0.4, "from": 0, "to": 50},
        {"manual": "talk", "weight": 0.1, "from": 0, "to": 10},
    ]
    file.write_text(yaml.safe_dump(spec))
    world.services.events.apply(file)
    one, other, admin = world.team("one"), world.team("other"), world.organiser()
    give(world, one, 40.0, private=20.0)
    give(world, other, 30.0, private=30.0)
    give(world, other, 10.0, private=5.0, challenge="task2")
    world.services.leaderboard.set_manual_score("one", "talk", 5.0, actor="admin")
    combined = world.services.leaderboard.combined
    # Then organisers see the final one at any time
    final = combined(admin, split="private")
    assert (final.challenge, final.split) == ("combined", "private")
    assert [(row.rank, row.team_name, row.score) for row in final.rows] == [
        (1, "other", 0.34),
        (2, "one", 0.25),
    ]
    assert final.rows[0].metrics == {"task1": 0.3, "task2": 0.04}
    assert combined(one).rows[0].team_name == "one"
    # And nobody else before the last challenge is revealed
    for caller, error in ((one, Forbidden), (None, NotAuthenticated)):
        with pytest.raises(error):
            combined(caller, split="private")
        world.services.events.reveal("task1", True, actor="admin")
    with pytest.raises(Forbidden):
        combined(one, split="private")
    world.services.events.reveal("task2", True, actor="admin")
    assert combined(one, split="private").rows == combined(None, split="private").rows == final.rows


def test_an_events_boards_may_be_for_its_teams_only(world: World) -> None:
    world.apply(event_fields={"board_visibility": "teams"})
    team = world.team()
    with pytest.raises(NotAuthenticated):
        world.services.leaderboard.board("task1", None)
    assert board(world, who=team) == []

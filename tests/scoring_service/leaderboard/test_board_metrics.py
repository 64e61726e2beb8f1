"""Metrics beside the score: on every board, and never telling more of the hidden truth than the score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from goat import records
from scoring_service.fsck.service import fsck
from scoring_service.leaderboard.service import COMBINED
from scoring_service.models import Standing
from scoring_service.teams.identity import Identity
from tests.scoring_service import scripted
from tests.scoring_service.world import World

COMBINED_PART = {"challenge": "task1", "weight": 1.0, "from": 0, "to": 2}


@pytest.fixture
def measured(world: World, tmp_path: Path) -> Iterator[World]:
    """Its ``task1`` shows accuracy, latency and size, on both databases."""
    with scripted.installed(tmp_path / "site"):
        world.apply(kind="measured", config={}, ladder_step=0.1, event_fields={"combined": [COMBINED_PART]})
        yield world


def give(world: World, team: Identity, score: float, accuracy: float, latency_ms: float) -> str:
    metrics = {"rmse": 1 - accuracy, "latency_ms": latency_ms, "size_mb": 1.5, "accuracy": accuracy}
    submission = world.submit(team, json.dumps({"score": score, "metrics": metrics}).encode())
    assert world.score(submission.id)
    return submission.id


def board(world: World, split: records.Split = "public", who: Identity | None = None) -> records.Board:
    return world.services.leaderboard.board("task1", who, split)


def seen(world: World, team: Identity, submission: str) -> records.Submission:
    return world.services.submissions.get(team, submission)


def test_a_board_shows_the_metrics_of_the_submission_that_the_team_stands_on(measured: World) -> None:
    team = measured.team()
    give(measured, team, 1.0, 0.5, 20.0)
    best = give(measured, team, 1.5, 0.7, 30.0)
    give(measured, team, 1.2, 0.9, 10.0)
    row = board(measured).rows[0]
    assert row.submission_id == best
    assert row.metrics == {"accuracy": 0.7, "latency_ms": 30.0, "size_mb": 1.5}
    assert list(row.metrics) == ["accuracy", "latency_ms", "size_mb"]  # the order of the columns


def test_a_submission_that_improves_nothing_shows_its_speed_and_not_its_accuracy(measured: World) -> None:
    # Given a submission on the board, and a probe below the ladder's step
    team = measured.team()
    give(measured, team, 1.0, 0.5, 20.0)
    probe = give(measured, team, 1.05, 0.52, 10.0)
    other = give(measured, team, 0.9, 0.4, 5.0)
    # Then each shows its own latency, and the accuracy that belongs to the score it shows
    for submission, latency in ((probe, 10.0), (other, 5.0)):
        found = seen(measured, team, submission)
        assert (found.score, found.improved) == (1.0, False)
        assert found.metrics == {"accuracy": 0.5, "rmse": 0.5, "latency_ms": latency, "size_mb": 1.5}
    # And so does the team's list, which is read in another way
    listed = {found.id: found.metrics for found in measured.services.submissions.history(team)}
    assert listed[probe]["accuracy"] == 0.5
    assert listed[probe]["latency_ms"] == 10.0


def test_kinds_that_declare_nothing_show_nothing_of_ranked_submissions(world: World) -> None:
    team = world.team()
    submission = world.submit(team)
    world.work()
    assert seen(world, team, submission.id).metrics == {}
    assert board(world).rows[0].metrics == {}


def test_a_new_measurement_of_the_same_score_is_a_new_version_of_the_board(measured: World) -> None:
    # Given a submission that a rejudge measures anew
    team = measured.team()
    submission = give(measured, team, 1.0, 0.5, 20.0)
    before = board(measured)
    measured.services.submissions.rejudge(submission_id=submission, actor="admin")
    path = measured.services.store.path(seen(measured, team, submission).sha256)
    path.write_text(path.read_text().replace("20.0", "25.0"))
    # When the score is the same and the latency another
    assert measured.score(submission)
    # Then whoever has the old version learns of it
    after = board(measured)
    assert after.version > before.version
    assert after.rows[0].metrics["latency_ms"] == 25.0


def test_the_final_board_shows_the_private_splits_metrics_to_those_who_may_see_it(measured: World) -> None:
    team, organiser = measured.team(), measured.organiser()
    submission = give(measured, team, 1.0, 0.5, 20.0)
    assert board(measured, "private", organiser).rows[0].metrics["accuracy"] == 0.5
    assert seen(measured, team, submission).final_score is None


def test_the_combined_board_shows_what_each_part_adds_and_no_metrics_of_a_submission(measured: World) -> None:
    give(measured, measured.team(), 1.0, 0.5, 20.0)
    combined = measured.services.leaderboard.combined(None)
    assert combined.challenge == COMBINED
    assert [(row.score, row.metrics) for row in combined.rows] == [(0.5, {"task1": 0.5})]


def test_fsck_knows_the_metrics_of_a_standing(measured: World) -> None:
    team = measured.team()
    give(measured, team, 1.0, 0.5, 20.0)
    give(measured, team, 0.5, 0.9, 2.0)
    assert [str(f) for f in fsck(measured.services).findings if "file" not in str(f)] == []
    with measured.services.db.write() as session:
        session.query(Standing).one().metrics = {"accuracy": 1.0}
    assert any("the board says" in str(finding) for finding in fsck(measured.services).findings)

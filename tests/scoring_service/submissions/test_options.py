"""Options beside the file: checked at the door, part of what a submission is, there when it is scored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from goat.errors import Conflict, Invalid, Rejection
from scoring_service.models import Evaluation
from scoring_service.submissions.queue_repository import outbox_counts
from scoring_service.submissions.repository import current_evaluation
from tests.scoring_service import scripted
from tests.scoring_service.world import World

MODEL = json.dumps({"score": 1.0, "samples": {"latency_s": [0.01, 0.02, 0.03]}}).encode()


@pytest.fixture
def measured(world: World, tmp_path: Path) -> Iterator[World]:
    """Its ``task1`` takes a batch size, on both databases."""
    with scripted.installed(tmp_path / "site"):
        world.apply(kind="measured", config={"device": "cpu"})
        yield world


def waiting(world: World) -> dict[str, int]:
    return {lane.name: lane.length for lane in world.services.submissions.queue().lanes}


def evaluation(world: World, submission: str) -> Evaluation:
    with world.services.db.read() as session:
        found = current_evaluation(session, submission)
        assert found is not None
        session.expunge(found)
    return found


def test_the_same_bytes_with_other_options_are_another_submission(measured: World) -> None:
    team = measured.team()
    first = measured.submit(team, MODEL, options={"batch_size": 8})
    again = measured.submit(team, MODEL, options={"batch_size": 8})
    other = measured.submit(team, MODEL, options={"batch_size": 16})
    plain = measured.submit(team, MODEL)
    assert again.id == first.id
    assert len({first.id, other.id, plain.id}) == 3
    assert (first.options, plain.options) == ({"batch_size": 8}, {})


@pytest.mark.parametrize(
    ("verdict", "again"),
    [("out_of_domain", True), ("time_limit", True), ("signature_mismatch", False), ("load_failed", False)],
)
def test_a_verdict_that_a_busy_machine_can_cause_leaves_the_same_model_another_try(
    measured: World, verdict: str, again: bool
) -> None:
    team = measured.team()
    first = measured.submit(team, MODEL).id
    claim = measured.services.lifecycle.claim("w", first)
    assert claim is not None
    assert measured.services.lifecycle.reject(claim, Rejection.of(verdict, "it was too slow"))
    assert (measured.submit(team, MODEL).id != first) == again


def test_a_key_is_good_for_one_choice_of_options(measured: World) -> None:
    team = measured.team()
    first = measured.submit(team, MODEL, options={"batch_size": 8}, key="k")
    assert measured.submit(team, MODEL, options={"batch_size": 8}, key="k").id == first.id
    with pytest.raises(Conflict, match="Use a new key"):
        measured.submit(team, MODEL, options={"batch_size": 9}, key="k")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 33}, "batch_size"),
        ({"batch_size": "8"}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"threads": 8}, "threads"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused_by_name_before_a_byte_is_read(
    measured: World, options: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        measured.submit(measured.team(), MODEL, options=options)
    assert caught.value.facts["field"] == field
    assert field in caught.value.detail


def test_a_kind_without_options_takes_none(world: World) -> None:
    with pytest.raises(Invalid, match="takes no options"):
        world.submit(world.team(), options={"batch_size": 8})


def test_options_reach_the_evaluation_and_its_measurements_are_kept(measured: World) -> None:
    submission = measured.submit(measured.team(), MODEL, options={"batch_size": 8})
    measured.work()
    found = evaluation(measured, submission.id)
    assert found.machine == {"batch_size": 8}
    assert found.samples == {"latency_s": [0.01, 0.02, 0.03]}


def test_the_lane_is_the_kinds_for_these_settings_unless_the_event_names_one(measured: World) -> None:
    # Given a kind that runs models for one of its settings, and reads files for another
    team = measured.team()
    measured.submit(team, MODEL)
    assert waiting(measured) == {"cpu": 1}
    measured.work()
    measured.apply(kind="measured", config={})
    measured.submit(team, MODEL, options={"batch_size": 2})
    assert waiting(measured) == {"short": 1}
    measured.work()
    # When the event names a lane for files
    measured.apply(kind="measured", config={}, lane="long")
    measured.submit(team, MODEL, options={"batch_size": 3})
    # Then that one counts
    assert waiting(measured) == {"long": 1}


def test_an_event_cannot_send_models_to_workers_that_cannot_run_them(measured: World) -> None:
    with pytest.raises(Invalid, match="need the workers of the lane cpu"):
        measured.apply(kind="measured", config={"device": "cpu"}, lane="long")


def test_a_lane_that_nobody_serves_is_said_with_its_challenges(measured: World) -> None:
    lanes = {lane.name: lane for lane in measured.services.submissions.queue().lanes}
    assert lanes["cpu"].unserved
    assert lanes["cpu"].challenges == ["photographs:task1"]
    services = measured.services
    services.lifecycle.worker_seen("w", lane="cpu", host="h", pid=1, started_at=services.clock.now())
    assert not any(lane.unserved for lane in services.submissions.queue().lanes)


def test_a_closed_challenge_needs_no_worker(measured: World) -> None:
    measured.apply(kind="measured", config={"device": "cpu"}, deadline="2020-01-01")
    assert measured.services.submissions.queue().lanes == []


def test_who_waits_moves_along_when_the_event_chooses_another_device(measured: World) -> None:
    # Given a submission that waits for a CPU
    submission = measured.submit(measured.team(), MODEL)
    # When the event's file says GPU
    measured.apply(kind="measured", config={"device": "gpu"})
    # Then it waits for a GPU: workers of the old lane leave it alone, the sweeper rings in the new one
    lifecycle = measured.services.lifecycle
    assert lifecycle.claim("w", submission.id, "cpu") is None
    with measured.services.db.read() as session:
        assert outbox_counts(session) == {"gpu": 1}
    assert lifecycle.claim("w", submission.id, "gpu") is not None


def test_a_rejudge_goes_where_the_event_says_now(measured: World) -> None:
    submission = measured.submit(measured.team(), MODEL)
    measured.work()
    measured.apply(kind="measured", config={"device": "gpu"})
    assert measured.services.submissions.rejudge(challenge="task1", actor="admin") == 1
    assert measured.services.lifecycle.claim("w", submission.id, "gpu") is not None

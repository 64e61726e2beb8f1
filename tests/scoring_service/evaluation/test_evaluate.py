"""A worker evaluates a submission: exactly one of result, verdict, our fault, or nothing at all."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from goat import records
from goat.errors import StorageFull
from goat.records import FINAL_STATES
from scoring_service.evaluation import evaluate
from scoring_service.evaluation.equipment import Equipment, RuntimeMissing
from scoring_service.evaluation.evaluate import Evaluator
from scoring_service.evaluation.runner import ChildRunner, ForkServer
from scoring_service.services import Services
from scoring_service.submissions import repository
from scoring_service.submissions.lifecycle import Lifecycle
from scoring_service.teams.identity import Identity
from tests.scoring_service.world import World


def submit(world: World, team: Identity, **script: Any) -> str:
    return world.submit(team, json.dumps(script).encode()).id


def impatient(services: Services, lease_s: float = 0.4) -> Services:
    """The same services, whose leases are short, so heartbeats are frequent."""
    old = services.lifecycle
    return replace(
        services,
        settings=replace(services.settings, lease_seconds=lease_s),
        lifecycle=Lifecycle(old.db, old.doorbell, old.changes, lease_s),
    )


def wait_until_running(world: World, team: Identity, submission_id: str) -> None:
    wait_for_state(world, team, submission_id, {"RUNNING"})


def wait_for_state(
    world: World, team: Identity, submission_id: str, states: set[str] | frozenset[str]
) -> records.Submission:
    deadline = time.monotonic() + 30
    while (found := world.services.submissions.get(team, submission_id)).state not in states:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_good_submission_gets_its_score_its_times_and_its_level(
    scripted_world: World, server: ForkServer
) -> None:
    team = scripted_world.team()
    submission = submit(scripted_world, team, score=20.0)
    Evaluator(scripted_world.services, server, worker="w").run(submission)
    done = scripted_world.services.submissions.get(team, submission)
    assert (done.state, done.score, done.run_no) == ("EVALUATED", 20.0, 1)
    with scripted_world.services.db.read() as session:
        evaluation = repository.current_evaluation(session, submission)
        assert evaluation is not None
        assert set(repository.timings(session, evaluation.id)) == {"work", "total"}
        assert (evaluation.sandbox, evaluation.worker) == ("rlimits", "w")
        assert {"host", "processor", "numpy"} <= evaluation.machine.keys()


def test_images_are_scored_in_a_child_as_they_are_inline(sqlite_world: World, server: ForkServer) -> None:
    team = sqlite_world.team()
    submission = sqlite_world.submit(team, noise=0.1).id
    bad = sqlite_world.submit(team, b"PK\x03\x04 not really a zip").id
    evaluator = Evaluator(sqlite_world.services, server, worker="w")
    evaluator.run(submission)
    evaluator.run(bad)
    done = sqlite_world.services.submissions.get(team, submission)
    assert done.state == "EVALUATED", done
    assert done.score == pytest.approx(20.0, abs=1e-4)
    assert sqlite_world.services.submissions.get(team, bad).state == "REJECTED"


def test_a_verdict_of_the_child_is_the_submissions(scripted_world: World, server: ForkServer) -> None:
    team = scripted_world.team()
    submission = submit(scripted_world, team, reject="wrong_shape")
    Evaluator(scripted_world.services, server, worker="w").run(submission)
    done = scripted_world.services.submissions.get(team, submission)
    assert (done.state, done.error_code) == ("REJECTED", "wrong_shape")


def test_a_submission_that_crashes_its_child_is_told_so(scripted_world: World, server: ForkServer) -> None:
    team = scripted_world.team()
    submission = submit(scripted_world, team, child="kill")
    Evaluator(scripted_world.services, server, worker="w").run(submission)
    done = scripted_world.services.submissions.get(team, submission)
    assert (done.state, done.error_code) == ("REJECTED", "crashed")


@pytest.mark.parametrize(("healthy", "state"), [(True, "REJECTED"), (False, "QUEUED")], ids=["well", "sick"])
def test_a_sick_gpu_blames_no_model_and_takes_no_further_one(
    scripted_world: World,
    server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
    healthy: bool,
    state: str,
) -> None:
    def require(_runner: ChildRunner, device: str) -> None:
        if not healthy:
            raise RuntimeMissing(f"The {device} does not sing.")

    monkeypatch.setattr(evaluate, "require_device", require)
    team, ended = scripted_world.team(), threading.Event()
    evaluator = Evaluator(
        scripted_world.services,
        server,
        worker="w",
        equipment=Equipment(device="gpu"),
        on_sick_device=ended.set,
    )
    # A verdict that has nothing to do with the device stands whether it works or not
    plain = submit(scripted_world, team, reject="signature_mismatch")
    evaluator.run(plain)
    assert scripted_world.services.submissions.get(team, plain).state == "REJECTED"
    failing = submit(scripted_world, team, reject="run_failed")
    evaluator.run(failing)
    assert scripted_world.services.submissions.get(team, failing).state == state
    assert ended.is_set() != healthy
    following = submit(scripted_world, team, score=1.0)
    evaluator.run(following)
    assert scripted_world.services.submissions.get(team, following).state == (
        "EVALUATED" if healthy else "QUEUED"
    )


@pytest.mark.parametrize("script", [{"fault": True}, {"score": None}], ids=["bug", "not a number"])
def test_a_fault_of_ours_is_tried_again_then_shown_and_refunded(
    scripted_world: World, server: ForkServer, script: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    team = scripted_world.team()
    submission = submit(scripted_world, team, **script)
    evaluator = Evaluator(scripted_world.services, server, worker="w")
    for _ in range(scripted_world.services.settings.max_attempts):
        assert scripted_world.services.submissions.get(team, submission).state == "QUEUED"
        evaluator.run(submission)
    done = scripted_world.services.submissions.get(team, submission)
    assert (done.state, done.error_code, done.attempt) == ("FAILED", "evaluator_error", 3)
    left = {x.limit: x.left for x in scripted_world.services.submissions.limits(team, "task1", "ranked")}
    assert left["per_day"] == 100


def test_the_lease_is_kept_while_a_long_job_runs(scripted_world: World, server: ForkServer) -> None:
    # Given leases that are much shorter than the job, and a sweeper that looks all the time
    team = scripted_world.team()
    services = impatient(scripted_world.services)
    submission = submit(scripted_world, team, sleep=1.5, score=3.0)
    thread = threading.Thread(target=Evaluator(services, server, worker="w").run, args=(submission,))
    thread.start()
    wait_until_running(scripted_world, team, submission)
    # When the job runs
    while thread.is_alive():
        assert services.lifecycle.sweep().taken_back == 0
        time.sleep(0.05)
    thread.join()
    # Then nobody took it away
    done = scripted_world.services.submissions.get(team, submission)
    assert (done.state, done.attempt, done.score) == ("EVALUATED", 1, 3.0)


def test_a_cancelled_job_stops_and_the_worker_takes_the_next(
    scripted_world: World, server: ForkServer
) -> None:
    team = scripted_world.team()
    services = impatient(scripted_world.services)
    evaluator = Evaluator(services, server, worker="w")
    submission, after = submit(scripted_world, team, sleep=600), submit(scripted_world, team, score=1.0)
    thread = threading.Thread(target=lambda: [evaluator.run(submission), evaluator.run(after)])
    thread.start()
    wait_until_running(scripted_world, team, submission)
    services.submissions.cancel(team, submission)
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert scripted_world.services.submissions.get(team, submission).state == "CANCELLED"
    assert scripted_world.services.submissions.get(team, after).state == "EVALUATED"


def test_a_worker_that_stops_hands_its_job_back_at_once(scripted_world: World, server: ForkServer) -> None:
    team = scripted_world.team()
    evaluator = Evaluator(scripted_world.services, server, worker="w")
    submission = submit(scripted_world, team, sleep=600)
    thread = threading.Thread(target=evaluator.run, args=(submission,))
    thread.start()
    wait_until_running(scripted_world, team, submission)
    evaluator.stop()
    thread.join(timeout=30)
    assert scripted_world.services.submissions.get(team, submission).state == "QUEUED"
    # And takes no other
    evaluator.run(submission)
    assert scripted_world.services.submissions.get(team, submission).state == "QUEUED"


def test_a_stalled_worker_that_comes_back_late_writes_nothing(
    scripted_world: World,
    server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a worker that stalls so badly that not even its heartbeat runs
    team = scripted_world.team()
    monkeypatch.setattr(evaluate, "HEARTBEATS_PER_LEASE", 0.001)
    services = impatient(scripted_world.services, lease_s=0.2)
    submission = submit(scripted_world, team, sleep=1.0, score=99.0)
    thread = threading.Thread(target=Evaluator(services, server, worker="late").run, args=(submission,))
    thread.start()
    wait_until_running(scripted_world, team, submission)
    # When its job was taken back and somebody else finished it
    deadline = time.monotonic() + 30
    while not services.lifecycle.sweep().taken_back:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    claim = services.lifecycle.claim("quick", submission)
    assert claim is not None
    # Then the late one changes no row, and the log says so
    thread.join(timeout=30)
    assert "came too late" in caplog.text
    found = scripted_world.services.submissions.get(team, submission)
    assert (found.state, found.attempt, found.score) == ("RUNNING", 2, None)


def test_a_result_waits_for_room_on_a_full_disk(
    scripted_world: World, server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = scripted_world.team()
    submission = submit(scripted_world, team, score=5.0)
    record, refused = Lifecycle.record, []

    def full_once(*args: Any, **kwargs: Any) -> bool:
        if not refused:
            refused.append(1)
            raise StorageFull("full")
        return record(*args, **kwargs)

    monkeypatch.setattr(Lifecycle, "record", full_once)
    Evaluator(scripted_world.services, server, worker="w").run(submission)
    assert refused
    assert scripted_world.services.submissions.get(team, submission).state in FINAL_STATES


def test_a_missing_file_is_our_fault_not_the_teams(scripted_world: World, server: ForkServer) -> None:
    team = scripted_world.team()
    submission = submit(scripted_world, team, score=5.0)
    services = scripted_world.services
    services.store.path(services.submissions.get(team, submission).sha256).unlink()
    Evaluator(services, server, worker="w").run(submission)
    assert services.submissions.get(team, submission).state == "QUEUED"

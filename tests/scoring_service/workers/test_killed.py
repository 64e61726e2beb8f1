"""Real worker processes, killed without warning: their jobs run again, others go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.scoring_service.workers.conftest import PATIENCE_S, Crew, Restarter, wait_until


@pytest.fixture
def worker(crew: Crew, tmp_path: Path) -> Iterator[Restarter]:
    crew.sweep()
    worker = Restarter(crew, tmp_path / "site")
    wait_until(lambda: crew.alive("short"), "the worker")
    yield worker
    worker.end()


def test_a_killed_workers_job_runs_again_and_is_scored_once(crew: Crew, worker: Restarter) -> None:
    # Given a worker in the middle of a job
    team = crew.world.team()
    submission = crew.submit(team, sleep=2, score=5.0)
    crew.wait(team, submission, "RUNNING")
    family = psutil.Process(worker.pid).children(recursive=True)
    # When it is killed
    os.kill(worker.pid, signal.SIGKILL)
    # Then another one does it, once, and nothing of the first is left
    done = crew.wait(team, submission)
    assert (done.attempt, done.run_no, done.score) == (2, 1, 5.0)
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []


def test_a_submission_that_kills_its_worker_is_given_up_and_others_flow(
    crew: Crew, worker: Restarter
) -> None:
    team = crew.world.team()
    poison = crew.submit(team, worker="kill")
    honest = [crew.submit(team, score=float(n)) for n in range(3)]
    for submission in honest:
        assert crew.wait(team, submission).run_no == 1
    done = crew.wait(team, poison, "FAILED")
    assert (done.error_code, done.attempt) == ("evaluator_crashed", 3)
    assert worker.starts >= 3
    left = {limit.limit: limit.left for limit in crew.services.submissions.limits(team, "task1", "ranked")}
    assert left["per_day"] == 100 - len(honest)


def test_a_worker_process_ends_well_when_told_to(crew: Crew, worker: Restarter) -> None:
    team = crew.world.team()
    submission = crew.submit(team, sleep=600)
    crew.wait(team, submission, "RUNNING")
    assert worker.end() == 0
    assert crew.get(team, submission).state == "QUEUED"
    assert crew.alive("short") == 0

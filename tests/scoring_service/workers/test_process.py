"""Workers take what waits in their lane; what the queue server forgets, the sweeper repeats."""

from __future__ import annotations

from typing import Any

import pytest

from scoring_service.ports import SilentDoorbell
from scoring_service.services import build_services
from scoring_service.submissions import lifecycle
from tests.scoring_service.workers.conftest import Crew, wait_until
from tests.scoring_service.world import World


def test_a_submission_is_scored_and_the_queue_says_who_works(crew: Crew) -> None:
    team = crew.world.team()
    crew.work()
    submission = crew.submit(team, score=12.0)
    assert crew.wait(team, submission).score == 12.0
    status = crew.services.submissions.queue()
    assert (status.length, status.running, status.workers_alive) == (0, 0, 1)
    assert [lane.name for lane in status.lanes] == ["short"]


def test_a_worker_that_stops_leaves_no_message_row_or_job_behind(crew: Crew) -> None:
    # Given a worker in the middle of a job
    team = crew.world.team()
    worker = crew.work()
    submission = crew.submit(team, sleep=600)
    crew.wait(team, submission, "RUNNING")
    # When it is asked to stop
    worker.stop()
    # Then it goes, and the job waits for another
    wait_until(lambda: crew.alive("short") == 0, "the worker's end")
    assert crew.get(team, submission).state == "QUEUED"
    assert crew.services.doorbell.pending("short") == 1


def test_a_short_job_finishes_soon_although_the_worker_is_told_to_stop(crew: Crew) -> None:
    team = crew.world.team()
    worker = crew.work()
    submission = crew.submit(team, sleep=1, score=3.0)
    crew.wait(team, submission, "RUNNING")
    worker.stop()
    assert crew.wait(team, submission).attempt == 1


def test_long_jobs_never_stand_before_short_ones(crew: Crew) -> None:
    # Given a lane of its own for long jobs, full of them
    team = crew.world.team()
    crew.world.apply(kind="scripted", config={}, lane="long", limits={"at_once": None})
    long = [crew.submit(team, sleep=600, number=n) for n in range(3)]
    crew.work("long")
    crew.work("short")
    crew.wait(team, long[0], "RUNNING")
    # When short ones arrive
    crew.world.apply(kind="scripted", config={}, lane="short", limits={"at_once": None})
    short = [crew.submit(team, score=float(n)) for n in range(3)]
    # Then they are scored while the long ones wait and run
    for submission in short:
        crew.wait(team, submission)
    assert [crew.get(team, submission).state for submission in long] == ["RUNNING", "QUEUED", "QUEUED"]
    for submission in long:
        crew.services.submissions.cancel(team, submission)


def test_one_busy_worker_holds_no_message_that_another_could_work_on(crew: Crew) -> None:
    team = crew.world.team()
    crew.work()
    slow = crew.submit(team, sleep=600)
    crew.wait(team, slow, "RUNNING")
    waiting = [crew.submit(team, score=float(n)) for n in range(3)]
    crew.work()
    for submission in waiting:
        crew.wait(team, submission)
    assert crew.get(team, slow).state == "RUNNING"
    crew.services.submissions.cancel(team, slow)


@pytest.mark.parametrize("how", ["emptied", "restarted empty"])
def test_a_backlog_moves_again_after_the_queue_server_lost_it(crew: Crew, how: str) -> None:
    # Given submissions that wait, and a queue server that forgot them
    team = crew.world.team()
    submissions = [crew.submit(team, score=float(n)) for n in range(5)]
    if how == "emptied":
        with crew.queue.client() as client:
            client.flushall()
    else:
        crew.queue.kill()
        submissions.append(crew.submit(team, score=9.0))  # accepted while it is away
        crew.queue.start()
    # When a worker and the sweeper run
    crew.work()
    crew.sweep()
    # Then all of them are scored, each once
    for submission in submissions:
        assert crew.wait(team, submission).run_no == 1


def test_workers_survive_a_queue_server_that_is_replaced_under_them(crew: Crew) -> None:
    team = crew.world.team()
    crew.work()
    crew.sweep()
    running = crew.submit(team, sleep=1, score=1.0)
    crew.wait(team, running, "RUNNING")
    crew.queue.kill()
    crew.wait(team, running)
    crew.queue.start()
    assert crew.wait(team, crew.submit(team, score=2.0)).attempt == 1


def test_a_commit_whose_message_was_never_sent_is_announced_by_the_sweeper(crew: Crew) -> None:
    # Given a process that committed and died before it rang
    team = crew.world.team()
    silent = build_services(crew.services.settings, doorbell=SilentDoorbell())
    submission = Crew(World(silent, crew.world.folder), crew.queue).submit(team, score=4.0)
    silent.db.dispose()
    # When a worker and the sweeper run
    crew.work()
    crew.sweep()
    # Then it is scored
    assert crew.wait(team, submission).score == 4.0


def test_a_job_that_lost_its_worker_goes_before_the_others(crew: Crew) -> None:
    # Given three that wait, the last of them announced as one that had its turn
    team = crew.world.team()
    waiting = [crew.submit(team, score=float(n)) for n in range(2)]
    again = crew.submit(team, score=9.0)
    with crew.queue.client() as client:
        client.flushall()
    crew.services.doorbell.ring("short", waiting)
    crew.services.doorbell.ring("short", [again], first=True)
    # When a worker takes them
    crew.work()
    for submission in waiting:
        crew.wait(team, submission)
    # Then it was the first
    started = {crew.get(team, submission).started_at: submission for submission in [*waiting, again]}
    assert started[min(moment for moment in started if moment)] == again


def test_a_message_that_comes_twice_is_scored_once(crew: Crew) -> None:
    team = crew.world.team()
    submission = crew.submit(team, score=4.0)
    for _ in range(5):
        crew.services.doorbell.ring("short", [submission, "no-such-submission"])
    crew.work()
    crew.work()
    crew.wait(team, submission)
    wait_until(lambda: crew.services.doorbell.pending("short") == 0, "an empty queue")
    assert crew.get(team, submission).run_no == 1


def test_a_worker_whose_database_hiccups_works_on(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    team = crew.world.team()
    crew.work()
    crew.sweep()
    claim, failed = lifecycle.Lifecycle.claim, []

    def hiccup(self: lifecycle.Lifecycle, worker: str, submission_id: str, lane: str) -> Any:
        if not failed:
            failed.append(submission_id)
            raise OSError("the database is away")
        return claim(self, worker, submission_id, lane)

    monkeypatch.setattr(lifecycle.Lifecycle, "claim", hiccup)
    submission = crew.submit(team, score=4.0)
    assert crew.wait(team, submission).score == 4.0
    assert failed == [submission]

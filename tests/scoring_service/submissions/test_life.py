"""The life of a submission, from the accepted upload to the board."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from goat.errors import Conflict, DeadlinePassed, Forbidden, LimitReached, NotFound, TooLarge
from goat.kinds.base import Measure, Outcome
from scoring_service.services import Services
from scoring_service.submissions.lifecycle import Lifecycle
from tests.scoring_service.world import RecordingDoorbell, SetClock, World, submission_zip


def outcome(public: float, private: float = 1.0) -> Outcome:
    return Outcome(
        {"public": {"score": Measure.exact(public)}, "private": {"score": Measure.exact(private)}},
        {"score": 0.1},
    )


def test_a_scored_submission_stands_on_the_board(world: World) -> None:
    # Given a team whose images are 0.1 off everywhere: 20 dB
    team = world.team()
    # When it submits and a worker scores it
    accepted = world.submit(team, noise=0.1)
    assert (accepted.state, accepted.queue_position) == ("QUEUED", 1)
    world.work()
    # Then the submission is its own result, and the board shows it
    done = world.services.submissions.get(team, accepted.id)
    assert done.state == "EVALUATED"
    assert done.score == pytest.approx(20.0, abs=1e-4)
    assert done.final_score is None
    row = world.services.leaderboard.board("task1", None).rows[0]
    assert (row.rank, row.team_name, row.score, row.submission_id) == (
        1,
        "team_awesome",
        done.score,
        accepted.id,
    )


def test_a_test_submission_shows_its_metrics_and_never_ranks(world: World) -> None:
    team = world.team()
    accepted = world.submit(team, mode="test", noise=0.1)
    world.work()
    done = world.services.submissions.get(team, accepted.id)
    assert done.metrics["psnr"] == pytest.approx(20.0, abs=1e-4)
    assert done.score == done.metrics["score"]
    assert world.services.leaderboard.board("task1", None).rows == []


def test_the_same_idempotency_key_gives_the_same_submission(world: World) -> None:
    team = world.team()
    first = world.submit(team, key="k1")
    assert world.submit(team, key="k1").id == first.id
    with pytest.raises(Conflict):
        world.submit(team, noise=0.2, key="k1")


def test_the_same_bytes_again_give_the_submission_that_is_there(world: World) -> None:
    team = world.team()
    first = world.submit(team)
    world.work()
    again = world.submit(team)
    assert again.id == first.id
    assert world.work() == 0


def test_a_rivals_bytes_are_flagged_for_the_organiser_and_scored_all_the_same(world: World) -> None:
    from scoring_service.submissions.repository import find

    world.submit(world.team("first"))
    copy = world.submit(world.team("second"))
    with world.services.db.read() as session:
        row = find(session, copy.id)
    assert row is not None
    assert row[0].copied


def test_only_one_of_two_workers_gets_a_submission(world: World) -> None:
    accepted = world.submit(world.team())
    lifecycle = world.services.lifecycle
    assert lifecycle.claim("a", accepted.id) is not None
    assert lifecycle.claim("b", accepted.id) is None


def test_a_worker_that_comes_back_late_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a worker whose lease lapsed, and another that finished the job
    team = world.team()
    accepted = world.submit(team)
    slow = Lifecycle(world.services.db, RecordingDoorbell(), world.services.changes, lease_seconds=-1)
    late = slow.claim("late", accepted.id)
    assert late is not None
    assert slow.sweep().taken_back == 1
    quick = world.services.lifecycle.claim("quick", accepted.id)
    assert quick is not None
    assert world.services.lifecycle.record(quick, outcome(30.0), machine={}, sandbox="none")
    # When the late one reports
    assert not slow.record(late, outcome(99.0), machine={}, sandbox="none")
    # Then the result is the quick one's, and the log says so
    assert world.services.submissions.get(team, accepted.id).score == 30.0
    assert "came too late" in caplog.text


def test_a_submission_that_kills_its_worker_is_given_up_after_three_attempts_and_refunded(
    world: World,
) -> None:
    team = world.team()
    accepted = world.submit(team)
    dying = Lifecycle(world.services.db, RecordingDoorbell(), world.services.changes, lease_seconds=-1)
    for _ in range(3):
        assert dying.claim("w", accepted.id) is not None
        swept = dying.sweep()
    assert swept.given_up == 1
    failed = world.services.submissions.get(team, accepted.id)
    assert (failed.state, failed.error_code, failed.attempt) == ("FAILED", "evaluator_crashed", 3)
    left = {limit.limit: limit.left for limit in world.services.submissions.limits(team, "task1", "ranked")}
    assert left["per_day"] == 100


def test_a_lost_message_is_announced_again(world: World) -> None:
    accepted = world.submit(world.team())
    bell, clock = RecordingDoorbell(), SetClock(world.services.clock.now() + timedelta(seconds=60))
    world.services.db.clock = clock
    sweeping = Lifecycle(world.services.db, bell, world.services.changes, lease_seconds=10)
    assert sweeping.sweep().announced == 1
    assert bell.rings == [("short", accepted.id)]


def test_a_backlog_with_all_its_messages_is_left_alone(world: World) -> None:
    world.submit(world.team())
    world.services.db.clock = SetClock(world.services.clock.now() + timedelta(seconds=60))
    bell = RecordingDoorbell(waiting=1)
    assert Lifecycle(world.services.db, bell, world.services.changes, lease_seconds=10).sweep().announced == 0


def test_a_rejudge_replaces_the_result_and_keeps_the_old_one_as_history(world: World) -> None:
    team = world.team()
    accepted = world.submit(team)
    lifecycle = world.services.lifecycle
    for run, score in ((1, 25.0), (2, 24.0)):
        claim = lifecycle.claim("w", accepted.id)
        assert claim is not None
        lifecycle.record(claim, outcome(score), machine={}, sandbox="none")
        done = world.services.submissions.get(team, accepted.id)
        assert (done.state, done.score, done.run_no) == ("EVALUATED", score, run)
        assert [row.score for row in world.services.leaderboard.board("task1", None).rows] == [score]
        world.services.submissions.rejudge(submission_id=accepted.id, actor="admin")
    # While it waits for its third run, the board still shows the second
    assert [row.score for row in world.services.leaderboard.board("task1", None).rows] == [24.0]


def test_a_cancelled_submission_costs_nothing_and_its_late_result_is_dropped(world: World) -> None:
    team = world.team()
    accepted = world.submit(team)
    claim = world.services.lifecycle.claim("w", accepted.id)
    assert claim is not None
    assert world.services.submissions.cancel(team, accepted.id).state == "CANCELLED"
    assert not world.services.lifecycle.heartbeat(claim)
    assert not world.services.lifecycle.record(claim, outcome(30.0), machine={}, sandbox="none")
    assert world.services.leaderboard.board("task1", None).rows == []


def test_a_scored_submission_cannot_be_cancelled(world: World) -> None:
    team = world.team()
    accepted = world.submit(team)
    world.work()
    with pytest.raises(Conflict, match="scored already"):
        world.services.submissions.cancel(team, accepted.id)


def test_nobody_sees_or_cancels_another_teams_submission(world: World) -> None:
    accepted = world.submit(world.team("owner"))
    rival = world.team("rival")
    with pytest.raises(NotFound):
        world.services.submissions.get(rival, accepted.id)
    with pytest.raises(NotFound):
        world.services.submissions.cancel(rival, accepted.id)
    assert world.services.submissions.history(rival) == []


def test_a_banned_team_cannot_submit_and_leaves_the_board(world: World) -> None:
    team = world.team()
    world.submit(team)
    world.work()
    world.services.teams.ban("team_awesome", True)
    assert world.services.leaderboard.board("task1", None).rows == []
    banned = world.services.teams.authenticate("team_awesome", "correct horse")
    with pytest.raises(Forbidden, match="banned"):
        world.submit(banned, noise=0.3)
    world.services.teams.ban("team_awesome", False)
    assert len(world.services.leaderboard.board("task1", None).rows) == 1


def test_too_large_an_upload_is_refused_with_the_limit_in_force(world: World) -> None:
    team = world.team()
    with pytest.raises(TooLarge, match=r"at most 1\.0 MB"):
        world.services.acceptance.open_upload(team, "task1", "ranked", 1_000_001)


def test_an_upload_opened_before_the_deadline_may_finish_within_the_grace(sqlite_world: World) -> None:
    world = sqlite_world
    clock = SetClock()
    world.services.db.clock = clock
    deadline = clock.moment + timedelta(hours=1)
    world.apply(deadline=deadline.isoformat(), grace_s=600)
    team = world.team()
    # Given an upload opened a second before the deadline
    clock.moment = deadline - timedelta(seconds=1)
    content = submission_zip()
    ticket = world.services.acceptance.open_upload(team, "task1", "ranked", len(content))
    digest = _store(world.services, content)
    # When it is whole nine minutes late, it is accepted; eleven minutes late, it is not
    late = replace(ticket)
    clock.moment = deadline + timedelta(minutes=11)
    with pytest.raises(DeadlinePassed, match="not finished"):
        world.services.acceptance.accept(late, sha256=digest, size=len(content), filename="a.zip")
    clock.moment = deadline + timedelta(minutes=9)
    _store(world.services, content)
    world.services.acceptance.accept(ticket, sha256=digest, size=len(content), filename="a.zip")
    # And nobody opens one after the deadline
    with pytest.raises(DeadlinePassed, match="closed"):
        world.services.acceptance.open_upload(team, "task1", "ranked", 10)


def _store(services: Services, content: bytes) -> str:
    with services.store.open_upload() as upload:
        upload.write(content)
        return upload.finish()


def test_each_limit_says_which_it_is_what_is_left_and_when_to_come_back(sqlite_world: World) -> None:
    world = sqlite_world
    clock = SetClock()
    world.services.db.clock = clock
    world.apply(limits={"per_day": 3, "per_hour": 2, "at_once": 2, "rejections_per_hour": 1})
    team = world.team()
    for number in (1, 2):
        world.submit(team, noise=0.1 * number)
    with pytest.raises(LimitReached) as at_once:
        world.submit(team, noise=0.15)
    assert at_once.value.facts["limit"] in ("at_once", "per_hour")
    world.work()
    clock.moment += timedelta(minutes=10)
    with pytest.raises(LimitReached, match="an hour") as per_hour:
        world.submit(team, noise=0.15)
    assert per_hour.value.facts == {"limit": "per_hour", "allowed": 2, "left": 0, "retry_after": 3000.0}
    clock.moment += timedelta(minutes=50)
    world.submit(team, noise=0.15)
    with pytest.raises(LimitReached, match="a day"):
        world.submit(team, noise=0.25)


def test_rejections_have_a_cap_of_their_own_and_cost_no_quota(sqlite_world: World) -> None:
    world = sqlite_world
    world.apply(limits={"per_day": 1, "rejections_per_hour": 2})
    team = world.team()
    for number in (1, 2):
        bad = world.submit(team, b"not a zip %d" % number)
        world.work()
        rejected = world.services.submissions.get(team, bad.id)
        assert rejected.state == "REJECTED"
        assert rejected.error_code
        assert rejected.problems[0]["message"]
    with pytest.raises(LimitReached, match="rejected"):
        world.submit(team)

"""A submission's way through the workers: claim, keep alive, record, retry, sweep.

Every change is an UPDATE that names the state, attempt and worker it starts from and counts the rows
it changed: of two who try, one succeeds, and a worker that was given up on changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from goat.errors import Rejection
from goat.kinds.base import Outcome
from goat.records import Mode
from scoring_service.db import Database, Session
from scoring_service.events.repository import challenge_by_id
from scoring_service.leaderboard import standings
from scoring_service.models import Challenge, Evaluation, PrivateScore, Score, Submission, Timing, Worker
from scoring_service.ports import Changes, Doorbell
from scoring_service.submissions import queue_repository as queue
from scoring_service.submissions import repository
from scoring_service.teams.repository import lock_team

log = logging.getLogger(__name__)

ANNOUNCE_AFTER_S = 5.0
"""A waiting submission whose message may be lost is announced again after this long."""
FORGET_WORKER_S = 60.0
SWEEP_BATCH = 1000
CRASHED = "evaluator_crashed"
CRASHED_SENTENCE = (
    "The scoring service stopped several times while working on this submission. "
    "It did not count against your limits; the organiser can see it and start it again."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on one submission, and all it needs to score it."""

    submission_id: str
    attempt: int
    worker: str
    mode: Mode
    sha256: str
    event: str
    challenge: str
    kind: str
    config: Mapping[str, Any]
    options: Mapping[str, Any]
    data_version: str
    scorer_digest: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    announced: int = 0
    taken_back: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Lifecycle:
    db: Database
    doorbell: Doorbell
    changes: Changes
    lease_seconds: float

    def claim(self, worker: str, submission_id: str, lane: str | None = None) -> Claim | None:
        """Take a waiting submission; None if it does not wait (any more), or not in that lane: a message
        may be older than a change of the challenge's settings. The attempt counts from here."""
        with self.db.write() as session:
            row = repository.find(session, submission_id)
            if row is None or row[0].state != "QUEUED" or lane not in (None, row[0].lane):
                return None
            submission, challenge, event = row[0], row[1], row[2]
            now = self.db.clock.now()
            attempt = submission.attempt + 1
            taken = repository.transition(
                session,
                submission_id,
                state="QUEUED",
                attempt=submission.attempt,
                values={
                    "state": "RUNNING",
                    "attempt": attempt,
                    "worker": worker,
                    "started_at": now,
                    "finished_at": None,
                    "changed_at": now,
                    "lease_until": now + timedelta(seconds=self.lease_seconds),
                },
            )
            if not taken:
                return None
            queue.drop_outbox(session, submission_id)
        self.changes.announce()
        return Claim(
            submission_id=submission_id,
            attempt=attempt,
            worker=worker,
            mode=submission.mode,  # type: ignore[arg-type]  # the table's check constraint
            sha256=submission.sha256,
            event=event.slug,
            challenge=challenge.slug,
            kind=challenge.kind,
            config=challenge.spec["config"],
            options=submission.options,
            data_version=challenge.data_version,
            scorer_digest=challenge.scorer_digest,
            started_at=now,
        )

    def heartbeat(self, claim: Claim) -> bool:
        """Prolong the lease; False when the claim is lost (cancelled or taken back): stop working."""
        with self.db.write() as session:
            until = self.db.clock.now() + timedelta(seconds=self.lease_seconds)
            return self._move(session, claim, {"lease_until": until})

    def record(self, claim: Claim, outcome: Outcome, *, machine: Mapping[str, Any], sandbox: str) -> bool:
        """Append the result and make it the current one; False (and logged) when the claim is lost.

        ``machine`` is what the worker knows of itself; what the kind found out joins it.
        """
        with self.db.write() as session:
            submission = self._finish(session, claim, "EVALUATED")
            if submission is None:
                return False
            repository.retire_current(session, claim.submission_id)
            evaluation = Evaluation(
                submission_id=claim.submission_id,
                run_no=repository.next_run_no(session, claim.submission_id),
                attempt=claim.attempt,
                reason=submission.reason,
                is_current=True,
                scorer_digest=claim.scorer_digest,
                data_version=claim.data_version,
                worker=claim.worker,
                sandbox=sandbox,
                machine={**machine, **outcome.machine},
                samples={name: list(values) for name, values in outcome.samples.items()},
                started_at=claim.started_at,
                finished_at=self.db.clock.now(),
            )
            session.add(evaluation)
            session.flush()
            session.add_all(_score_rows(evaluation.id, outcome))
            session.add_all(
                Timing(evaluation_id=evaluation.id, stage=stage, seconds=seconds)
                for stage, seconds in outcome.timings.items()
            )
            session.flush()
            if submission.mode == "ranked":
                self._restand(session, submission)
        self.changes.announce()
        return True

    def reject(self, claim: Claim, rejection: Rejection) -> bool:
        """Record the verdict that the submission cannot be scored; final, unless judged again."""
        with self.db.write() as session:
            submission = self._finish(
                session,
                claim,
                "REJECTED",
                error_code=rejection.verdict,
                error=rejection.detail,
                problems=[asdict(problem) for problem in rejection.problems],
                shown_score=None,
                improved=None,
            )
            if submission is None:
                return False
            if repository.current_evaluation(session, claim.submission_id) is not None:
                repository.retire_current(session, claim.submission_id)
                self._restand(session, submission)
        self.changes.announce()
        return True

    def fail(self, claim: Claim, code: str, sentence: str) -> bool:
        """Our fault: back into the queue, or FAILED when no attempt is left. False when the claim is lost."""
        return self._back(claim, code, sentence, more_attempts=0)

    def _back(self, claim: Claim, code: str, sentence: str, *, more_attempts: int) -> bool:
        with self.db.write() as session:
            row = repository.find(session, claim.submission_id)
            if row is None:
                return self._lost(claim)
            limit = row[0].attempt_limit + more_attempts
            if not self._move(session, claim, {"changed_at": self.db.clock.now(), "attempt_limit": limit}):
                return self._lost(claim)
            session.refresh(row[0])
            again = self._give_back(session, row[0], row[1], code, sentence)
        if again:
            self.doorbell.ring(row[0].lane, [claim.submission_id], first=True)
        self.changes.announce()
        return True

    def release(self, claim: Claim) -> None:
        """A worker that shuts down hands its submission back at once. The attempt does not count: three
        restarts of the service are no reason to give a submission up."""
        self._back(claim, CRASHED, CRASHED_SENTENCE, more_attempts=1)

    def sweep(self) -> Swept:
        """Announce again what may have been forgotten, take back what fell silent."""
        taken_back, given_up = self._take_back_lapsed()
        announced = self._announce_forgotten()
        with self.db.write() as session:
            queue.drop_silent_workers(session, self.db.clock.now() - timedelta(seconds=FORGET_WORKER_S))
        if taken_back or given_up:
            self.changes.announce()
        return Swept(announced, taken_back, given_up)

    def worker_seen(self, worker_id: str, *, lane: str, host: str, pid: int, started_at: datetime) -> None:
        """Note that a worker is alive."""
        with self.db.write() as session:
            now = self.db.clock.now()
            queue.put_worker(
                session,
                Worker(id=worker_id, lane=lane, host=host, pid=pid, started_at=started_at, seen_at=now),
            )

    def worker_gone(self, worker_id: str) -> None:
        """Note that a worker has stopped in good order."""
        with self.db.write() as session:
            queue.drop_worker(session, worker_id)

    def _take_back_lapsed(self) -> tuple[int, int]:
        with self.db.read() as session:  # most sweeps find nothing and need no write lock
            if not queue.lapsed(session, self.db.clock.now()):
                return 0, 0
        again, given_up = [], 0
        with self.db.write() as session:
            for submission in queue.lapsed(session, self.db.clock.now()):
                log.warning(
                    "submission %s: worker %s fell silent in attempt %d",
                    submission.id,
                    submission.worker,
                    submission.attempt,
                )
                challenge, _ = challenge_by_id(session, submission.challenge_id)
                if self._give_back(session, submission, challenge, CRASHED, CRASHED_SENTENCE):
                    again.append(submission)
                else:
                    given_up += 1
        for submission in again:
            self.doorbell.ring(submission.lane, [submission.id], first=True)
        return len(again), given_up

    def _announce_forgotten(self) -> int:
        with self.db.read() as session:
            before = self.db.clock.now() - timedelta(seconds=ANNOUNCE_AFTER_S)
            stale = queue.stale_outbox(session, before, SWEEP_BATCH)
            waiting = queue.outbox_counts(session) if stale else {}
        announced: list[str] = []
        for lane in {row[0] for row in stale}:
            pending = self.doorbell.pending(lane)
            if pending is not None and pending >= waiting.get(lane, 0):
                continue  # as many messages as submissions: they wait in line, nothing is lost
            ids = [row[1] for row in stale if row[0] == lane]
            self.doorbell.ring(lane, ids)
            announced += ids
        if announced:
            with self.db.write() as session:
                queue.mark_announced(session, announced, self.db.clock.now())
        return len(announced)

    def _give_back(
        self, session: Session, submission: Submission, challenge: Challenge, code: str, sentence: str
    ) -> bool:
        """Queue a RUNNING submission again if an attempt is left; True if so."""
        now = self.db.clock.now()
        values: dict[str, Any] = {"lease_until": None, "changed_at": now}
        left = submission.attempt < submission.attempt_limit
        if left:
            values |= {"state": "QUEUED"}
        elif repository.current_evaluation(session, submission.id) is not None:
            # A rejudge that we could not finish leaves the result that it would have replaced.
            values |= {"state": "EVALUATED", "finished_at": now}
        else:
            values |= {"state": "FAILED", "finished_at": now, "error_code": code, "error": sentence}
        moved = repository.transition(
            session,
            submission.id,
            state="RUNNING",
            attempt=submission.attempt,
            worker=submission.worker,
            values=values,
        )
        if moved and left:
            queue.put_outbox(session, submission.id, submission.lane, now)
        return moved and left

    def _move(self, session: Session, claim: Claim, values: Mapping[str, Any]) -> bool:
        return repository.transition(
            session,
            claim.submission_id,
            state="RUNNING",
            attempt=claim.attempt,
            worker=claim.worker,
            values=values,
        )

    def _finish(self, session: Session, claim: Claim, state: str, **values: Any) -> Submission | None:
        """Move the claim's submission to a final state; None when the claim is lost."""
        row = repository.find(session, claim.submission_id)
        if row is None:
            self._lost(claim)
            return None
        lock_team(session, row[0].team_id)
        now = self.db.clock.now()
        cleared: dict[str, Any] = {"error_code": None, "error": None, "problems": []}
        final = {"state": state, "finished_at": now, "changed_at": now, "lease_until": None}
        if not self._move(session, claim, final | cleared | values):
            self._lost(claim)
            return None
        session.refresh(row[0])
        return row[0]

    def _restand(self, session: Session, submission: Submission) -> None:
        standings.recompute(
            session,
            submission.team_id,
            submission.challenge_id,
            self.db.clock.now(),
            since=submission.submitted_at,
        )

    @staticmethod
    def _lost(claim: Claim) -> bool:
        log.warning(
            "submission %s: attempt %d of worker %s came too late; its result is dropped",
            claim.submission_id,
            claim.attempt,
            claim.worker,
        )
        return False


def _score_rows(evaluation_id: str, outcome: Outcome) -> list[Score | PrivateScore]:
    return [
        (PrivateScore if split == "private" else Score)(
            evaluation_id=evaluation_id,
            split=split,
            metric=metric,
            value=measure.value,
            low=measure.low,
            high=measure.high,
        )
        for split, metrics in outcome.scores.items()
        for metric, measure in metrics.items()
    ]

"""Rules about submissions as their teams and organisers see them.

How one comes in is the business of `acceptance`, how it moves through the workers of `lifecycle`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from goat import records
from goat.errors import Conflict, NotFound
from scoring_service import audit
from scoring_service.db import Database, Session
from scoring_service.events.repository import challenge as find_challenge
from scoring_service.events.repository import challenges as all_challenges
from scoring_service.events.state import is_over, lane_of
from scoring_service.limits.service import limits_left
from scoring_service.models import Challenge, Submission
from scoring_service.ports import Changes, Doorbell
from scoring_service.submissions import queue_repository as queue
from scoring_service.submissions import repository
from scoring_service.submissions.record import as_record, as_records
from scoring_service.teams.identity import Identity
from scoring_service.teams.repository import lock_team

WORKER_ALIVE_S = 10.0


@dataclass(frozen=True, slots=True)
class SubmissionService:
    db: Database
    doorbell: Doorbell
    changes: Changes
    default_event: str
    max_attempts: int

    def get(self, identity: Identity, submission_id: str) -> records.Submission:
        """One submission of the caller's team (organisers: any). Raises `NotFound` for all others."""
        with self.db.read() as session:
            row = repository.find(session, submission_id)
            if row is None or not (identity.is_organiser or row[0].team_id == identity.team_id):
                raise NotFound(f"There is no submission {submission_id[:40]}.")
            return as_record(session, row)

    def history(
        self,
        identity: Identity,
        *,
        challenge: str | None = None,
        limit: int = 100,
        before: datetime | None = None,
    ) -> list[records.Submission]:
        """The caller's team's submissions, latest first."""
        return self._list(identity.require_team(), challenge, limit, before, None)

    def all(
        self,
        identity: Identity,
        *,
        challenge: str | None = None,
        limit: int = 100,
        before: datetime | None = None,
        state: str | None = None,
    ) -> list[records.Submission]:
        """Everybody's submissions, latest first, for organisers."""
        identity.require_organiser()
        return self._list(None, challenge, limit, before, state)

    def cancel(self, identity: Identity, submission_id: str) -> records.Submission:
        """Take back a submission that is not scored yet. Raises `Conflict` once it has a result."""
        record = self.get(identity, submission_id)
        with self.db.write() as session:
            now = self.db.clock.now()
            if repository.current_evaluation(session, submission_id) is not None:
                raise Conflict("This submission is scored already and stays. It cannot be cancelled.")
            done = any(
                repository.transition(session, submission_id, state=state, values=_ended("CANCELLED", now))
                for state in ("QUEUED", "RUNNING")
            )
            queue.drop_outbox(session, submission_id)
            if not done and record.state != "CANCELLED":
                raise Conflict(f"This submission is {record.state} and cannot be cancelled any more.")
        self.changes.announce()
        return self._get(submission_id)

    def select(self, identity: Identity, submission_id: str, selected: bool) -> records.Submission:
        """Choose (or not) a submission as one of the team's final ones."""
        team_id = identity.require_team()
        record = self.get(identity, submission_id)
        with self.db.write() as session:
            lock_team(session, team_id)
            row = repository.find(session, submission_id)
            assert row is not None
            submission, challenge = row[0], row[1]
            _require_choice_open(challenge, self.db.clock.now())
            if selected and (record.mode != "ranked" or record.score is None):
                raise Conflict("Only a scored ranked submission can be a final one.")
            finals = challenge.spec["finals"]
            taken = repository.selected_count(session, team_id, challenge.id)
            if selected and not submission.selected and taken >= finals:
                raise Conflict(
                    f"Your team has chosen {taken} of {finals} final submissions. Take one back first."
                )
            submission.selected = selected
            submission.changed_at = self.db.clock.now()
        self.changes.announce()
        return self._get(submission_id)

    def limits(self, identity: Identity, challenge: str, mode: records.Mode) -> list[records.LimitLeft]:
        """Every limit in force for the team's next submission."""
        team_id = identity.require_team()
        with self.db.read() as session:
            found, event = find_challenge(session, challenge, self.default_event)
            identity.require_event(event.slug)
            return limits_left(session, found, team_id, mode, self.db.clock.now())

    def queue(self) -> records.QueueStatus:
        """How many wait and run, and how many workers are alive, per lane that anybody needs or serves."""
        now = self.db.clock.now()
        challenges: dict[str, list[str]] = {}
        with self.db.read() as session:
            counts = queue.lane_counts(session)
            alive = queue.workers_alive(session, now - timedelta(seconds=WORKER_ALIVE_S))
            for challenge, event in all_challenges(session):
                if not is_over(challenge, now):
                    challenges.setdefault(lane_of(challenge), []).append(f"{event.slug}:{challenge.slug}")
        lanes = [
            records.Lane(
                name=name,
                length=length,
                running=running,
                workers_alive=alive.get(name, 0),
                challenges=challenges.get(name, []),
            )
            for name in sorted(counts.keys() | alive.keys() | challenges.keys())
            for length, running in [counts.get(name, (0, 0))]
        ]
        return records.QueueStatus(
            length=sum(lane.length for lane in lanes),
            running=sum(lane.running for lane in lanes),
            workers_alive=sum(lane.workers_alive for lane in lanes),
            lanes=lanes,
        )

    def lanes_served_by(self, host: str) -> set[str]:
        """The lanes of the workers that are alive on a host."""
        with self.db.read() as session:
            since = self.db.clock.now() - timedelta(seconds=WORKER_ALIVE_S)
            return queue.lanes_served_by(session, host, since)

    def rejudge(self, *, challenge: str | None = None, submission_id: str | None = None, actor: str) -> int:
        """Score again: one submission, or all of a challenge; returns how many.

        A result on the board stays until the new one replaces it. What runs right now may have begun with
        what the organiser has just replaced: of a challenge it starts anew as well.
        """
        with self.db.write() as session:
            now = self.db.clock.now()
            if submission_id is not None:
                row = repository.find(session, submission_id)
                if row is None:
                    raise NotFound(f"There is no submission {submission_id[:40]}.")
                chosen: Sequence[Submission] = [row[0]] if row[0].state != "RUNNING" else []
                found = row[1]
            else:
                found, _ = find_challenge(session, challenge or "", self.default_event)
                chosen = repository.to_rejudge(session, found.id)
            lane = lane_of(found)  # the settings may have changed since
            queued = [s.id for s in chosen if self._queue_again(session, s, lane, now)]
            audit.note(
                session, self.db.clock, actor, "rejudge", submission_id or challenge or "", count=len(queued)
            )
        for queued_id in queued:
            self.doorbell.ring(lane, [queued_id])
        self.changes.announce()
        return len(queued)

    def _queue_again(self, session: Session, submission: Submission, lane: str, now: datetime) -> bool:
        if submission.state not in ("EVALUATED", "REJECTED", "FAILED", "RUNNING"):
            return False
        done = repository.transition(
            session,
            submission.id,
            state=submission.state,
            attempt=submission.attempt,
            values={
                "state": "QUEUED",
                "reason": submission.reason if submission.state == "RUNNING" else "rejudge",
                "attempt_limit": submission.attempt + self.max_attempts,
                "lane": lane,
                "changed_at": now,
                "lease_until": None,
            },
        )
        if done:
            queue.put_outbox(session, submission.id, lane, now)
        return done

    def _get(self, submission_id: str) -> records.Submission:
        with self.db.read() as session:
            row = repository.find(session, submission_id)
            assert row is not None
            return as_record(session, row)

    def _list(
        self,
        team_id: str | None,
        challenge: str | None,
        limit: int,
        before: datetime | None,
        state: str | None,
    ) -> list[records.Submission]:
        with self.db.read() as session:
            found = find_challenge(session, challenge, self.default_event)[0] if challenge else None
            rows = repository.listing(
                session,
                team_id=team_id,
                challenge_id=found.id if found else None,
                before=before,
                state=state,
                limit=max(1, min(limit, 1000)),
            )
            return as_records(session, rows)


def _ended(state: str, now: datetime) -> dict[str, object]:
    return {"state": state, "finished_at": now, "changed_at": now, "lease_until": None}


def _require_choice_open(challenge: Challenge, now: datetime) -> None:
    if challenge.revealed_at is not None:
        raise Conflict("The results are revealed; the choice is closed.")
    if is_over(challenge, now):
        raise Conflict("The deadline has passed; the choice is closed.")

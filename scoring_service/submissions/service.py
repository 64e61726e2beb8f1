"""Rules about submissions as their teams and organisers see them.

How a submission then moves through the workers is the business of `lifecycle`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from goat import records
from goat.errors import (
    Conflict,
    DeadlinePassed,
    Forbidden,
    GoatError,
    Invalid,
    NotFound,
    TooLarge,
    UploadIncomplete,
)
from goat.kinds.base import get_kind
from scoring_service import audit
from scoring_service.db import Database, Session
from scoring_service.events.repository import challenge as find_challenge
from scoring_service.events.repository import challenge_by_id
from scoring_service.limits.service import limits_left, require_room
from scoring_service.models import Challenge, Event, Submission, new_id
from scoring_service.ports import Changes, Doorbell
from scoring_service.store import Store
from scoring_service.submissions import repository
from scoring_service.submissions.record import as_record, as_records
from scoring_service.teams.identity import Identity
from scoring_service.teams.repository import lock_team

log = logging.getLogger(__name__)

WORKER_ALIVE_S = 10.0
MAX_KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """The permission to upload, with the moment that counts for the deadline."""

    identity: Identity
    team_id: str
    challenge_id: str
    mode: records.Mode
    max_bytes: int
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class SubmissionService:
    db: Database
    store: Store
    doorbell: Doorbell
    changes: Changes
    default_event: str
    max_attempts: int

    def open_upload(
        self,
        identity: Identity,
        challenge: str,
        mode: records.Mode,
        size: int | None = None,
        idempotency_key: str | None = None,
    ) -> UploadTicket:
        """Check everything that can be known before a byte is read.

        A key that was accepted before passes whatever the limits and the deadline say by now: its sender
        did not get the reply and asks again; `accept` then compares the bytes. Raises `Forbidden`,
        `NotFound`, `DeadlinePassed`, `LimitReached`, `TooLarge`, `StorageFull`.
        """
        team_id = identity.require_team()
        if mode not in ("test", "ranked"):
            raise Invalid("mode must be test or ranked.", field="mode")
        with self.db.read() as session:
            found, event = find_challenge(session, challenge, self.default_event)
            now = self.db.clock.now()
            _require_own_event(identity, event)
            if idempotency_key is None or repository.by_key(session, team_id, idempotency_key) is None:
                _require_open(found, now)
                require_room(session, found, team_id, mode, now)
        ticket = UploadTicket(identity, team_id, found.id, mode, found.spec["max_bytes"], now)
        if size is not None:
            require_size(ticket, size)
        self.store.require_space(size or 0)
        return ticket

    def accept(
        self,
        ticket: UploadTicket,
        *,
        sha256: str,
        size: int,
        filename: str,
        idempotency_key: str | None = None,
    ) -> tuple[records.Submission, bool]:
        """Accept a stored upload in one transaction, then ring the doorbell.

        Returns the submission and whether it is new: the same key or the same bytes again give the
        submission that is already there. Raises `DeadlinePassed`, `LimitReached`, `Conflict`, `TooLarge`,
        `Forbidden` (banned or deleted since the upload was opened), and the file is gone then, unless
        something else needs the same bytes: a refusal must not fill the disk.
        """
        try:
            found, new = self._accept(ticket, sha256, size, filename, idempotency_key)
        except GoatError:
            self._discard(sha256)
            raise
        if new:
            self.doorbell.ring(found.lane, [found.id])
            self.changes.announce()
        return self._get(found.id), new

    def _accept(
        self, ticket: UploadTicket, sha256: str, size: int, filename: str, idempotency_key: str | None
    ) -> tuple[Submission, bool]:
        require_size(ticket, size)
        key = idempotency_key or str(uuid.uuid4())
        if len(key) > MAX_KEY_LENGTH:
            raise Invalid(
                f"The Idempotency-Key is longer than {MAX_KEY_LENGTH} characters.", field="Idempotency-Key"
            )
        with self.db.write() as session:
            _require_still_welcome(ticket.identity, lock_team(session, ticket.team_id))
            challenge, _ = challenge_by_id(session, ticket.challenge_id)
            known = self._known(session, ticket, key, sha256)
            if known is not None:
                return known, False
            now = self.db.clock.now()
            _require_open(challenge, ticket.opened_at)
            _require_in_grace(challenge, ticket.opened_at, now)
            require_room(session, challenge, ticket.team_id, ticket.mode, now)
            repository.lock_bytes(session, sha256)
            if not self.store.holds(sha256):  # `_discard` was quicker, for a twin that was refused
                raise UploadIncomplete("The upload could not be kept; nothing was accepted. Send it again.")
            submission = self._insert(session, ticket, challenge, sha256, size, filename, key, now)
            repository.put_outbox(session, submission.id, submission.lane, now)
        return submission, True

    def _discard(self, sha256: str) -> None:
        """Remove the file of a refused upload. Whoever accepts the same bytes at this moment either has
        its row before we look, or finds the file gone and says so."""
        try:
            with self.db.write() as session:
                repository.lock_bytes(session, sha256)
                if not repository.is_needed(session, sha256):
                    self.store.remove(sha256)
        except (GoatError, OSError):
            log.exception("the file %s of a refused upload stays in the store", sha256)

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
            repository.drop_outbox(session, submission_id)
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
            _require_own_event(identity, event)
            return limits_left(session, found, team_id, mode, self.db.clock.now())

    def queue(self) -> records.QueueStatus:
        """How many wait and run, and how many workers are alive, per lane."""
        with self.db.read() as session:
            counts = repository.lane_counts(session)
            alive = repository.workers_alive(session, self.db.clock.now() - timedelta(seconds=WORKER_ALIVE_S))
        lanes = [
            records.Lane(name=name, length=length, running=running, workers_alive=alive.get(name, 0))
            for name in sorted(counts.keys() | alive.keys())
            for length, running in [counts.get(name, (0, 0))]
        ]
        return records.QueueStatus(
            length=sum(lane.length for lane in lanes),
            running=sum(lane.running for lane in lanes),
            workers_alive=sum(lane.workers_alive for lane in lanes),
            lanes=lanes,
        )

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
            else:
                found, _ = find_challenge(session, challenge or "", self.default_event)
                chosen = repository.to_rejudge(session, found.id)
            queued = [s for s in chosen if self._queue_again(session, s, now)]
            audit.note(
                session, self.db.clock, actor, "rejudge", submission_id or challenge or "", count=len(queued)
            )
        for submission in queued:
            self.doorbell.ring(submission.lane, [submission.id])
        self.changes.announce()
        return len(queued)

    def _queue_again(self, session: Session, submission: Submission, now: datetime) -> bool:
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
                "changed_at": now,
                "lease_until": None,
            },
        )
        if done:
            repository.put_outbox(session, submission.id, submission.lane, now)
        return done

    def _known(self, session: Session, ticket: UploadTicket, key: str, sha256: str) -> Submission | None:
        by_key = repository.by_key(session, ticket.team_id, key)
        if by_key is not None:
            same = (by_key.sha256, by_key.challenge_id, by_key.mode)
            if same != (sha256, ticket.challenge_id, ticket.mode):
                raise Conflict("This Idempotency-Key was used for another submission. Use a new key.")
            return by_key
        return repository.same_bytes(session, ticket.team_id, ticket.challenge_id, ticket.mode, sha256)

    def _insert(
        self,
        session: Session,
        ticket: UploadTicket,
        challenge: Challenge,
        sha256: str,
        size: int,
        filename: str,
        key: str,
        now: datetime,
    ) -> Submission:
        submission = Submission(
            id=new_id(),
            challenge_id=challenge.id,
            team_id=ticket.team_id,
            account_id=ticket.identity.account_id,
            mode=ticket.mode,
            lane=challenge.spec["lane"] or get_kind(challenge.kind).lane,
            state="QUEUED",
            filename=filename,
            sha256=sha256,
            size=size,
            idempotency_key=key,
            opened_at=ticket.opened_at,
            submitted_at=now,
            changed_at=now,
            attempt_limit=self.max_attempts,
            copied=repository.sent_by_another_team(session, ticket.team_id, challenge.id, sha256),
        )
        session.add(submission)
        session.flush()
        return submission

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


def require_size(ticket: UploadTicket, size: int) -> None:
    """Raise `goat.errors.TooLarge` (also for an empty upload, which is too small for anything)."""
    if size > ticket.max_bytes:
        raise TooLarge(
            f"The upload has {size / 1e6:.1f} MB or more; "
            f"this challenge takes at most {ticket.max_bytes / 1e6:.1f} MB.",
            max_bytes=ticket.max_bytes,
        )
    if size == 0:
        raise Invalid("The upload is empty.", field="file")


def _require_still_welcome(identity: Identity, banned: bool | None) -> None:
    """What may have changed about the team since its upload was opened."""
    if banned is None:
        raise Forbidden("Your team is not in this event any more.")
    replace(identity, banned=banned).require_team()


def _ended(state: str, now: datetime) -> dict[str, object]:
    return {"state": state, "finished_at": now, "changed_at": now, "lease_until": None}


def _require_own_event(identity: Identity, event: Event) -> None:
    if identity.event != event.slug:
        raise NotFound(f"Your team is not in the event {event.slug}.")


def _require_open(challenge: Challenge, opened_at: datetime) -> None:
    if challenge.opens_at is not None and opened_at < challenge.opens_at:
        raise DeadlinePassed(
            f"{challenge.title} opens on {challenge.opens_at:%Y-%m-%d %H:%M} UTC.",
            opens_at=challenge.opens_at.isoformat(),
        )
    if challenge.deadline is not None and opened_at > challenge.deadline:
        raise DeadlinePassed(
            f"{challenge.title} closed on {challenge.deadline:%Y-%m-%d %H:%M} UTC; nothing was accepted.",
            deadline=challenge.deadline.isoformat(),
        )


def _require_in_grace(challenge: Challenge, opened_at: datetime, now: datetime) -> None:
    if challenge.deadline is None:
        return
    last = challenge.deadline + timedelta(seconds=challenge.spec["grace_s"])
    if now > last:
        raise DeadlinePassed(
            f"The upload was opened in time but not finished by {last:%Y-%m-%d %H:%M:%S} UTC; "
            "nothing was accepted.",
            deadline=challenge.deadline.isoformat(),
        )


def _require_choice_open(challenge: Challenge, now: datetime) -> None:
    if challenge.revealed_at is not None:
        raise Conflict("The results are revealed; the choice is closed.")
    if challenge.deadline is not None and now > challenge.deadline + timedelta(
        seconds=challenge.spec["grace_s"]
    ):
        raise Conflict("The deadline has passed; the choice is closed.")

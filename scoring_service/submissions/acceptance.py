"""How a submission comes in: checked before a byte is read, accepted in one transaction, or gone.

Nothing that was acknowledged is lost, and nothing that was refused stays on the disk.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from goat import records
from goat.errors import Conflict, DeadlinePassed, Forbidden, GoatError, Invalid, TooLarge, UploadIncomplete
from goat.kinds.base import get_kind, parse_options
from scoring_service.db import Database, Session
from scoring_service.events.repository import challenge as find_challenge
from scoring_service.events.repository import challenge_by_id
from scoring_service.events.state import lane_of
from scoring_service.limits.service import require_room
from scoring_service.models import Challenge, Submission, new_id
from scoring_service.ports import Changes, Doorbell
from scoring_service.store import Store
from scoring_service.submissions import queue_repository as queue
from scoring_service.submissions import repository
from scoring_service.submissions.record import as_record
from scoring_service.teams.identity import Identity
from scoring_service.teams.repository import is_member, lock_team

log = logging.getLogger(__name__)

MAX_KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """The permission to upload, with the moment that counts for the deadline."""

    identity: Identity
    team_id: str
    challenge_id: str
    kind: str
    mode: records.Mode
    max_bytes: int
    opened_at: datetime
    options: Mapping[str, Any]
    """As they are stored: what was left open is not named."""

    @property
    def option_names(self) -> tuple[str, ...]:
        """What may be chosen in this challenge."""
        return get_kind(self.kind).options_type.__struct_fields__


@dataclass(frozen=True, slots=True)
class Acceptance:
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
        options: Mapping[str, Any] | None = None,
    ) -> UploadTicket:
        """Check everything that can be known before a byte is read.

        ``options``: what the team chose beside the file, in plain values that the kind understands.

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
            identity.require_event(event.slug)
            chosen = _checked_options(found, options or {})
            if idempotency_key is None or repository.by_key(session, team_id, idempotency_key) is None:
                _require_open(found, now)
                require_room(session, found, team_id, mode, now)
        ticket = UploadTicket(
            identity, team_id, found.id, found.kind, mode, found.spec["max_bytes"], now, chosen
        )
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
        options: Mapping[str, Any] | None = None,
    ) -> tuple[records.Submission, bool]:
        """Accept a stored upload in one transaction, then ring the doorbell.

        ``options`` are for doors that learn them from the body only; else the ticket's count. Returns the
        submission and whether it is new: the same key, or the same bytes and options again, give the
        submission that is already there. Raises `DeadlinePassed`, `LimitReached`, `Conflict`, `TooLarge`,
        `Forbidden` (banned, removed or deleted since the upload was opened), and the file is gone then,
        unless something else needs the same bytes: a refusal must not fill the disk.
        """
        try:
            found, new = self._accept(ticket, sha256, size, filename, idempotency_key, options)
        except GoatError:
            self._discard(sha256)
            raise
        if new:
            self.doorbell.ring(found.lane, [found.id])
            self.changes.announce()
        with self.db.read() as session:
            row = repository.find(session, found.id)
            assert row is not None
            return as_record(session, row), new

    def _accept(
        self,
        ticket: UploadTicket,
        sha256: str,
        size: int,
        filename: str,
        idempotency_key: str | None,
        options: Mapping[str, Any] | None,
    ) -> tuple[Submission, bool]:
        require_size(ticket, size)
        key = idempotency_key or str(uuid.uuid4())
        if len(key) > MAX_KEY_LENGTH:
            raise Invalid(
                f"The Idempotency-Key is longer than {MAX_KEY_LENGTH} characters.", field="Idempotency-Key"
            )
        with self.db.write() as session:
            _require_still_welcome(ticket.identity, lock_team(session, ticket.team_id))
            if not is_member(session, ticket.identity.account_id, ticket.team_id):
                raise Forbidden("You are not in this team any more; nothing was accepted.")
            challenge, _ = challenge_by_id(session, ticket.challenge_id)
            if options:
                ticket = replace(ticket, options=_checked_options(challenge, options))
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
            queue.put_outbox(session, submission.id, submission.lane, now)
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

    def _known(self, session: Session, ticket: UploadTicket, key: str, sha256: str) -> Submission | None:
        by_key = repository.by_key(session, ticket.team_id, key)
        if by_key is not None:
            same = (by_key.sha256, by_key.challenge_id, by_key.mode, by_key.options)
            if same != (sha256, ticket.challenge_id, ticket.mode, ticket.options):
                raise Conflict("This Idempotency-Key was used for another submission. Use a new key.")
            return by_key
        return repository.same_bytes(
            session, ticket.team_id, ticket.challenge_id, ticket.mode, sha256, ticket.options
        )

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
            lane=lane_of(challenge),
            state="QUEUED",
            filename=filename,
            sha256=sha256,
            size=size,
            options=dict(ticket.options),
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


def _checked_options(challenge: Challenge, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are stored and compared. Raises `goat.errors.Invalid`, naming the field."""
    options = msgspec.to_builtins(parse_options(get_kind(challenge.kind), raw))
    return {name: value for name, value in options.items() if value is not None}


def _require_still_welcome(identity: Identity, banned: bool | None) -> None:
    """What may have changed about the team since its upload was opened."""
    if banned is None:
        raise Forbidden("Your team is not in this event any more.")
    replace(identity, banned=banned).require_team()


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

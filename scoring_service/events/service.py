"""Rules about events and challenges: applying an event file, freezing and revealing boards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from goat import records
from goat.errors import Conflict, DeadlinePassed, NotFound
from goat.kinds.base import get_kind, parse_config, scorer_digest
from scoring_service import audit
from scoring_service.db import Database, Session
from scoring_service.events import repository
from scoring_service.events.dataset import import_data
from scoring_service.events.spec import ChallengeSpec, EventSpec, end_of, load, start_of
from scoring_service.events.state import is_frozen, lane_of
from scoring_service.leaderboard import standings
from scoring_service.models import Challenge, Event
from scoring_service.ports import Changes
from scoring_service.store import Store
from scoring_service.teams.repository import lock_teams


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying an event file did, as sentences for the organiser."""

    event: str
    actions: list[str]


@dataclass(frozen=True, slots=True)
class EventService:
    db: Database
    store: Store
    changes: Changes
    data_root: Path
    default_event: str

    def apply(self, path: Path, *, actor: str = "system") -> Applied:
        """Create or update an event from its file; applying the same file again changes nothing.

        The whole file and all data are checked before anything is changed. Raises `Invalid` with
        every fault, `Conflict` when a challenge with submissions would disappear or change its kind.
        """
        spec = load(path)
        imported = {
            challenge.id: self._import(challenge, spec.event, path.resolve().parent)
            for challenge in spec.challenges
        }
        with self.db.write() as session:
            lock_teams(session, spec.event)
            event, actions = self._put_event(session, spec)
            self._remove_gone(session, spec, actions)
            for position, challenge in enumerate(spec.challenges):
                row = self._values(challenge, spec.timezone, position, *imported[challenge.id])
                actions += self._put_challenge(session, event, challenge.id, row)
            if actions:
                audit.note(session, self.db.clock, actor, "event.apply", spec.event, actions=actions)
        self.changes.announce()
        return Applied(spec.event, actions or ["nothing changed"])

    def refresh_scorers(self) -> list[str]:
        """After an upgrade of the code: tell every challenge's new scorer digest to its teams.

        Returns a sentence per challenge whose stored results another version computed.
        """
        changed = []
        with self.db.write() as session:
            for row, event in repository.challenges(session):
                kind = get_kind(row.kind)
                digest = scorer_digest(kind, parse_config(kind, row.spec["config"]))
                if row.scorer_digest != digest:
                    row.scorer_digest = digest
                    name = f"{event.slug}:{row.slug}"
                    changed.append(
                        f"{name} is scored by a new version now; to score its submissions again: "
                        f"goat-server rejudge {name}"
                    )
        return changed

    def exists(self, slug: str) -> bool:
        with self.db.read() as session:
            return repository.find_event(session, slug) is not None

    def challenge(self, name: str) -> records.Challenge:
        """One challenge by id (``task1``, or ``event:task1``). Raises `NotFound`."""
        with self.db.read() as session:
            return self._record(*repository.challenge(session, name, self.default_event))

    def challenges(self, event: str | None = None) -> list[records.Challenge]:
        with self.db.read() as session:
            return [self._record(*row) for row in repository.challenges(session, event)]

    def is_measured(self, name: str) -> bool:
        """Whether the challenge's score takes a measurement. Raises `NotFound`."""
        return get_kind(self.challenge(name).kind).measured

    def published_file(self, name: str, file: str, *, early: bool = False) -> Path:
        """Path of a downloadable archive. Raises `NotFound`, and `DeadlinePassed` before the challenge
        opens, unless ``early`` (for organisers)."""
        challenge = self.challenge(name)
        if not early and challenge.opens_at is not None and challenge.server_time < challenge.opens_at:
            raise DeadlinePassed(
                f"The data of {challenge.title} can be had from {challenge.opens_at:%Y-%m-%d %H:%M} UTC on.",
                opens_at=challenge.opens_at.isoformat(),
            )
        known = {entry.name: entry for entry in challenge.data}
        if file not in known:
            raise NotFound(f"There is no data file {file}; there is: {', '.join(known)}.")
        return self.store.path(known[file].sha256)

    def freeze(self, name: str, moment: datetime | None, *, actor: str) -> records.Challenge:
        """Freeze the public board from a moment on (None: thaw it)."""
        with self.db.write() as session:
            challenge, event = repository.challenge(session, name, self.default_event)
            lock_teams(session, event.slug)
            challenge.frozen_at = moment
            session.flush()
            standings.recompute_challenge(session, challenge.id, self.db.clock.now())
            audit.note(
                session, self.db.clock, actor, "challenge.freeze", name, at=moment and moment.isoformat()
            )
            session.refresh(challenge)
            record = self._record(challenge, event)
        self.changes.announce()
        return record

    def reveal(self, name: str, revealed: bool, *, actor: str) -> records.Challenge:
        """Show (or hide again) the private scores to everybody; a reveal also ends the freeze."""
        with self.db.write() as session:
            challenge, event = repository.challenge(session, name, self.default_event)
            lock_teams(session, event.slug)
            challenge.revealed_at = self.db.clock.now() if revealed else None
            session.flush()
            standings.recompute_challenge(session, challenge.id, self.db.clock.now())
            audit.note(session, self.db.clock, actor, "challenge.reveal", name, revealed=revealed)
            session.refresh(challenge)
            record = self._record(challenge, event)
        self.changes.announce()
        return record

    def _import(self, spec: ChallengeSpec, event: str, base: Path) -> tuple[str, list[dict[str, Any]]]:
        kind = get_kind(spec.kind)
        config = parse_config(kind, spec.config)
        return import_data(spec, kind, config, base=base, root=self.data_root, event=event, store=self.store)

    def _put_event(self, session: Session, spec: EventSpec) -> tuple[Event, list[str]]:
        stored = msgspec.to_builtins(msgspec.structs.replace(spec, challenges=[]))
        event = repository.find_event(session, spec.event)
        if event is None:
            event = Event(slug=spec.event, created_at=self.db.clock.now())
            event.title, event.timezone, event.spec = spec.title, spec.timezone, stored
            session.add(event)
            session.flush()
            return event, [f"created event {spec.event}"]
        if event.spec == stored:
            return event, []
        event.title, event.timezone, event.spec = spec.title, spec.timezone, stored
        event.board_version += 1
        return event, [f"updated event {spec.event}"]

    def _values(
        self,
        spec: ChallengeSpec,
        timezone: str,
        position: int,
        version: str,
        published: list[dict[str, Any]],
    ) -> dict[str, Any]:
        kind = get_kind(spec.kind)
        opens, deadline = start_of(spec.opens, timezone), end_of(spec.deadline, timezone)
        freeze = start_of(spec.freeze, timezone)
        return {
            "position": position,
            "kind": spec.kind,
            "title": spec.title,
            "description": spec.description,
            "spec": msgspec.to_builtins(spec),
            "data_version": version,
            "published": published,
            "scorer_digest": scorer_digest(kind, parse_config(kind, spec.config)),
            "opens_at": opens,
            "deadline": deadline,
            "frozen_at": freeze,
        }

    def _put_challenge(self, session: Session, event: Event, slug: str, values: dict[str, Any]) -> list[str]:
        row = repository.find_challenge(session, event.id, slug)
        if row is None:
            session.add(Challenge(event_id=event.id, slug=slug, **values))
            session.flush()
            return [f"created challenge {slug}"]
        if values["spec"]["freeze"] == row.spec["freeze"]:
            values["frozen_at"] = row.frozen_at  # an organiser's own freeze outlives the file's silence
        changed = sorted(name for name, value in values.items() if getattr(row, name) != value)
        if not changed:
            return []
        scored = repository.submission_count(session, row.id)
        if "kind" in changed and scored:
            raise Conflict(f"Challenge {slug} has {scored} submissions; its kind cannot change.")
        for name in changed:
            setattr(row, name, values[name])
        session.flush()
        standings.recompute_challenge(session, row.id, self.db.clock.now())
        actions = [f"updated challenge {slug}: {', '.join(changed)}"]
        if moved := repository.move_waiting(session, row.id, lane_of(row)):
            # Announced in the new lane by the sweeper; messages in the old one mean nothing any more.
            actions.append(f"{moved} waiting submissions of {slug} moved to the lane {lane_of(row)}")
        if scored and {"scorer_digest", "data_version"} & set(changed):
            actions.append(f"challenge {slug} scores differently now: run goat-server rejudge {slug}")
        return actions

    def _remove_gone(self, session: Session, spec: EventSpec, actions: list[str]) -> None:
        kept = {challenge.id for challenge in spec.challenges}
        for row, event in repository.challenges(session, spec.event):
            if row.slug in kept:
                continue
            if count := repository.submission_count(session, row.id):
                raise Conflict(f"Challenge {row.slug} has {count} submissions; keep it in the event file.")
            # The combined board's version is a sum with this one in it, and never goes back.
            event.board_version += row.board_version + 1
            session.delete(row)
            actions.append(f"removed challenge {row.slug}")

    def _record(self, row: Challenge, event: Event) -> records.Challenge:
        kind = get_kind(row.kind)
        config = parse_config(kind, row.spec["config"])
        now = self.db.clock.now()
        limits = {name: value for name, value in row.spec["limits"].items() if value is not None}
        return records.Challenge(
            id=row.slug,
            event=event.slug,
            kind=row.kind,
            title=row.title,
            description=row.description,
            config=row.spec["config"],
            opens_at=row.opens_at,
            deadline=row.deadline,
            frozen=is_frozen(row, now),
            revealed=row.revealed_at is not None,
            max_bytes=row.spec["max_bytes"],
            limits=limits,
            ladder_step=row.spec["ladder_step"],
            finals=row.spec["finals"],
            higher_is_better=kind.higher_is_better(config),
            unit=kind.unit(config),
            data_version=row.data_version,
            data=[records.DataFile(**entry) for entry in row.published],
            scorer_digest=row.scorer_digest,
            server_time=now,
        )

"""Boards: who stands where, and who may see it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from goat import records
from goat.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from goat.kinds.base import get_kind, parse_config
from scoring_service import audit
from scoring_service.db import Database, Session
from scoring_service.events import repository as events
from scoring_service.events.state import is_frozen
from scoring_service.leaderboard import repository
from scoring_service.leaderboard.course import Course, course
from scoring_service.leaderboard.lines import Line, combined_lines, final_lines, ranked
from scoring_service.leaderboard.standings import higher_is_better
from scoring_service.models import Challenge, Event
from scoring_service.ports import Changes
from scoring_service.teams.identity import Identity
from scoring_service.teams.repository import lock_team, team_by_name

COMBINED = "combined"


@dataclass(frozen=True, slots=True)
class LeaderboardService:
    db: Database
    changes: Changes
    default_event: str

    def board(
        self, challenge: str, identity: Identity | None, split: records.Split = "public"
    ) -> records.Board:
        """A challenge's board as this caller may see it (None: somebody who is not logged in).

        Raises `NotFound`, `NotAuthenticated` (the board is for teams only) and `Forbidden` (private
        scores before the reveal).
        """
        with self.db.read() as session:
            found, event = events.challenge(session, challenge, self.default_event)
            self._require_view(found, event, identity, split)
            upward = higher_is_better(found)
            kind = get_kind(found.kind)
            lines = _lines(session, found, split)
        return records.Board(
            event=event.slug,
            challenge=found.slug,
            split=split,
            version=found.board_version,
            frozen=split == "public" and is_frozen(found, self.db.clock.now()),
            higher_is_better=upward,
            unit=kind.unit(parse_config(kind, found.spec["config"])),
            rows=ranked(lines, upward=upward, ties=event.spec["ties"]),
        )

    def course(self, challenge: str, identity: Identity | None) -> Course:
        """How a challenge's public board came to be, as this caller may see it.

        What a frozen board does not show is not in it. Raises `NotFound`, `NotAuthenticated`,
        `Forbidden`.
        """
        with self.db.read() as session:
            found, event = events.challenge(session, challenge, self.default_event)
            _require_board_access(event, identity)
            upward = higher_is_better(found)
            freeze = found.frozen_at if found.revealed_at is None else None
            steps = repository.improvements(session, found.id, freeze)
            lines = repository.board_lines(session, found.id)
        kind = get_kind(found.kind)
        about = records.BoardHistory(
            event=event.slug,
            challenge=found.slug,
            version=found.board_version,
            frozen=is_frozen(found, self.db.clock.now()),
            higher_is_better=upward,
            unit=kind.unit(parse_config(kind, found.spec["config"])),
            best=[],
            steps=[],
        )
        rows = ranked(lines, upward=upward, ties=event.spec["ties"])
        return course(about, [row.team_name for row in rows], steps)

    def combined(
        self, identity: Identity | None, event: str | None = None, split: records.Split = "public"
    ) -> records.Board:
        """The weighted sum of an event's boards and of the numbers entered by hand.

        The private one, of the final boards, is for all when each challenge in it has been revealed.
        Raises as `board` does.
        """
        with self.db.read() as session:
            found = events.event_by_slug(session, event or self.default_event)
            _require_board_access(found, identity)
            parts = found.spec["combined"]
            if not parts:
                raise NotFound(f"The event {found.slug} has no combined board.")
            challenges = {c.slug: c for c, _ in events.challenges(session, found.slug)}
            named = [challenges[part["challenge"]] for part in parts if part["challenge"]]
            for challenge in named:
                self._require_view(challenge, found, identity, split)
            boards = {challenge.slug: _lines(session, challenge, split) for challenge in named}
            manual = repository.manual_scores(session, found.id)
        now = self.db.clock.now()
        return records.Board(
            event=found.slug,
            challenge=COMBINED,
            split=split,
            version=found.board_version + sum(c.board_version for c in challenges.values()),
            frozen=split == "public" and any(is_frozen(challenge, now) for challenge in named),
            higher_is_better=True,
            unit="",
            rows=ranked(combined_lines(parts, boards, manual), upward=True, ties=found.spec["ties"]),
        )

    def set_manual_score(
        self, team: str, name: str, value: float, *, event: str | None = None, actor: str
    ) -> None:
        """Enter or replace a team's number for the combined board. Raises `Invalid`, `NotFound`."""
        if not math.isfinite(value):
            raise Invalid("The value must be a finite number.", field="value")
        with self.db.write() as session:
            found = events.event_by_slug(session, event or self.default_event)
            known = [part["manual"] for part in found.spec["combined"] if part["manual"]]
            if name not in known:
                raise Invalid(
                    f"The event has no manual score {name!r}; it has: {', '.join(known) or 'none'}.",
                    field="name",
                )
            row = team_by_name(session, found.id, team)
            if row is None:
                raise NotFound(f"There is no team {team}.")
            lock_team(session, row.id)
            repository.put_manual_score(session, row.id, name, value)
            repository.bump_combined(session, found.id)
            audit.note(session, self.db.clock, actor, "manual-score", team, name=name, value=value)
        self.changes.announce()

    @staticmethod
    def _require_view(
        challenge: Challenge, event: Event, identity: Identity | None, split: records.Split
    ) -> None:
        if split not in ("public", "private"):
            raise Invalid("split must be public or private.", field="split")
        if split == "private" and challenge.revealed_at is None and not (identity and identity.is_organiser):
            if identity is None:
                raise NotAuthenticated("Private scores are for organisers until the reveal. Log in.")
            raise Forbidden("Private scores are for organisers until the reveal.")
        _require_board_access(event, identity)


def _lines(session: Session, challenge: Challenge, split: records.Split) -> list[Line]:
    """The teams of one board before they have ranks."""
    if split == "public":
        return repository.board_lines(session, challenge.id)
    results = repository.results(session, challenge.id)
    lines = final_lines(results, finals=challenge.spec["finals"], upward=higher_is_better(challenge))
    ids = [line.submission_id for line in lines]
    metrics = repository.current_metrics(session, ids, get_kind(challenge.kind).board_metrics, "private")
    return [replace(line, metrics=metrics.get(line.submission_id, {})) for line in lines]


def _require_board_access(event: Event, identity: Identity | None) -> None:
    if event.spec["board_visibility"] == "public" or (identity and identity.is_organiser):
        return
    if identity is None:
        raise NotAuthenticated("This event's boards are for its teams. Log in.")
    if identity.event != event.slug:
        raise Forbidden("This event's boards are for its teams.")

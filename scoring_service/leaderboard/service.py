"""Boards: who stands where, and who may see it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from goat import records
from goat.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from goat.kinds.base import get_kind, parse_config
from scoring_service import audit
from scoring_service.db import Database
from scoring_service.events import repository as events
from scoring_service.events.state import is_frozen
from scoring_service.leaderboard import repository
from scoring_service.leaderboard.lines import combined_lines, final_lines, ranked
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
            if split == "private":
                results = repository.results(session, found.id)
                lines = final_lines(results, finals=found.spec["finals"], upward=upward)
                ids = [line.submission_id for line in lines]
                metrics = repository.current_metrics(session, ids, kind.board_metrics, "private")
                lines = [replace(line, metrics=metrics.get(line.submission_id, {})) for line in lines]
            else:
                lines = repository.board_lines(session, found.id)
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

    def combined(self, identity: Identity | None, event: str | None = None) -> records.Board:
        """The weighted sum of an event's boards and of the numbers entered by hand."""
        with self.db.read() as session:
            found = events.event_by_slug(session, event or self.default_event)
            _require_board_access(found, identity)
            parts = found.spec["combined"]
            if not parts:
                raise NotFound(f"The event {found.slug} has no combined board.")
            challenges = {c.slug: c for c, _ in events.challenges(session, found.slug)}
            boards = {slug: repository.board_lines(session, c.id) for slug, c in challenges.items()}
            manual = repository.manual_scores(session, found.id)
        now = self.db.clock.now()
        return records.Board(
            event=found.slug,
            challenge=COMBINED,
            split="public",
            version=found.board_version + sum(c.board_version for c in challenges.values()),
            frozen=any(is_frozen(c, now) for c in challenges.values()),
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


def _require_board_access(event: Event, identity: Identity | None) -> None:
    if event.spec["board_visibility"] == "public" or (identity and identity.is_organiser):
        return
    if identity is None:
        raise NotAuthenticated("This event's boards are for its teams. Log in.")
    if identity.event != event.slug:
        raise Forbidden("This event's boards are for its teams.")

"""Who is asking, as every service sees it."""

from __future__ import annotations

from dataclasses import dataclass

from goat.errors import Forbidden, NotFound
from goat.records import Me


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An authenticated account, with its team in one event if it has one."""

    account_id: str
    name: str
    role: str
    token_version: int
    event: str | None = None
    team_id: str | None = None
    team_name: str | None = None
    banned: bool = False

    @property
    def is_organiser(self) -> bool:
        return self.role == "organiser"

    def require_organiser(self) -> None:
        """Raise `goat.errors.Forbidden` for anybody but an organiser."""
        if not self.is_organiser:
            raise Forbidden("Only organisers may do this.")

    def require_team(self) -> str:
        """The team's id. Raises `goat.errors.Forbidden` for organisers, teamless and banned accounts."""
        if self.team_id is None:
            raise Forbidden(f"The account {self.name} is in no team, and only teams submit.")
        if self.banned:
            raise Forbidden(f"The team {self.team_name} is banned from this event. Talk to the organiser.")
        return self.team_id

    def require_event(self, event: str) -> None:
        """Raise `goat.errors.NotFound` for the events of others: they need not even be known."""
        if self.event != event:
            raise NotFound(f"Your team is not in the event {event}.")

    def as_record(self) -> Me:
        return Me(
            name=self.name,
            role="organiser" if self.is_organiser else "participant",
            event=self.event,
            team_name=self.team_name,
            banned=self.banned,
        )


SYSTEM = Identity(account_id="", name="system", role="organiser", token_version=0)
"""Whoever may run commands on the server's machine."""

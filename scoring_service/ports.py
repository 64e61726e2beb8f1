"""What the services need from outside, as ports: the composition root plugs in the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Doorbell(Protocol):
    """Tells workers that there is work. It may lose rings: the sweeper repeats them."""

    def ring(self, lane: str, submission_ids: Sequence[str], *, first: bool = False) -> None:
        """Announce submissions waiting in a lane, before all others if ``first`` (it had its turn and
        lost it through our fault); never raises, never blocks for long."""
        ...

    def pending(self, lane: str) -> int | None:
        """How many announcements wait or are being worked on in a lane; None if nobody can say."""
        ...


class Changes(Protocol):
    """Tells listeners that something changed, so they look; carries no content."""

    def announce(self) -> None:
        """Nudge all listeners; never raises, never blocks for long."""
        ...


class SilentDoorbell:
    """For tools that change nothing that workers wait for, and for tests."""

    def ring(self, lane: str, submission_ids: Sequence[str], *, first: bool = False) -> None:
        """Nobody listens; the sweeper will announce them."""

    def pending(self, lane: str) -> int | None:
        return None


class SilentChanges:
    def announce(self) -> None:
        """Nobody listens; listeners also look by themselves every second."""

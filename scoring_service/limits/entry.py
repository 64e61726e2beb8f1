"""What a limit needs to know of one submission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    mode: str
    state: str
    submitted_at: datetime
    started: bool
    rejudged: bool
    """It waits for another run that the organiser asked for."""

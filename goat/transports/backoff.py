"""How long to wait before trying again: jittered, growing, bounded."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds between attempts.

    The n-th delay is drawn from [half, whole] of ``base_s · 2ⁿ``, at most ``cap_s``: jitter keeps a
    hundred clients from coming back at the same instant after a restart.
    """

    attempts: int = 8
    """Some 8 to 17 seconds in all: a service that restarts is back by then."""
    first_contact_attempts: int = 3
    """Fewer tries while the service has never answered: a wrong address should be told soon."""
    base_s: float = 0.3
    cap_s: float = 4.0
    patience_s: float = 15.0
    """The longest Retry-After that is waited for silently; a longer one is an answer, not a hiccup."""

    def delay(self, attempt: int, draw: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds to wait after failed attempt number ``attempt`` (0-based)."""
        whole = min(self.cap_s, self.base_s * 2**attempt)
        return draw(whole / 2, whole)


def retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds that a Retry-After header asks for; a date is read against the reply's own Date header,

    because this machine's clock may be wrong.

    >>> retry_after("7", None)
    7.0
    >>> retry_after("Sat, 01 Aug 2026 10:00:30 GMT", "Sat, 01 Aug 2026 10:00:00 GMT")
    30.0
    """
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None

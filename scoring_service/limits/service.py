"""Limits per team: counted in the accepting transaction, from the submissions themselves.

What counts: in ``ranked`` mode everything but FAILED (our fault), REJECTED (a cap of its own) and
CANCELLED before it started. ``test`` submissions have a limit of their own; both share ``at_once``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from goat.errors import LimitReached
from goat.records import LimitLeft, Mode
from scoring_service.db import Session
from scoring_service.limits import repository
from scoring_service.limits.entry import Entry
from scoring_service.models import Challenge

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_WORDS = {
    "per_day": "{allowed:g} submissions a day",
    "per_hour": "{allowed:g} submissions an hour",
    "total": "{allowed:g} submissions in total",
    "at_once": "{allowed:g} submissions waiting or running at once",
    "min_gap_s": "one submission every {allowed:g} seconds",
    "rejections_per_hour": "{allowed:g} rejected submissions an hour",
    "test_per_hour": "{allowed:g} test submissions an hour",
}


def limits_left(
    session: Session, challenge: Challenge, team_id: str, mode: Mode, now: datetime
) -> list[LimitLeft]:
    """Every limit in force for the team's next submission in this mode, with what is left of it."""
    recent = repository.entries_since(session, team_id, challenge.id, now - DAY)
    spec = challenge.spec["limits"]
    limits = [_rejections(spec, recent, now), _at_once(spec, recent)]
    if mode == "test":
        limits.append(
            _window("test_per_hour", spec, [e for e in recent if e.mode == "test" and _counts(e)], now, HOUR)
        )
    else:
        ranked = [e for e in recent if e.mode == "ranked" and _counts(e)]
        limits += [
            _window("per_day", spec, ranked, now, DAY),
            _window("per_hour", spec, ranked, now, HOUR),
            _gap(spec, ranked, now),
        ]
        if spec["total"] is not None:
            used = repository.count_ranked(session, team_id, challenge.id)
            limits.append(_limit("total", spec["total"], used, None))
    return [limit for limit in limits if limit is not None]


def require_room(session: Session, challenge: Challenge, team_id: str, mode: Mode, now: datetime) -> None:
    """Raise `goat.errors.LimitReached` naming the limit that holds longest, if one has nothing left."""
    full = [limit for limit in limits_left(session, challenge, team_id, mode, now) if limit.left <= 0]
    if not full:
        return
    worst = max(full, key=lambda limit: math.inf if limit.retry_after is None else limit.retry_after)
    words = _WORDS[worst.limit].format(allowed=worst.allowed)
    raise LimitReached(
        f"Your team has used up its limit of {words}. {_when(worst)}",
        limit=worst.limit,
        allowed=worst.allowed,
        left=worst.left,
        retry_after=worst.retry_after,
    )


def _when(limit: LimitLeft) -> str:
    if limit.limit == "at_once":
        return "Wait until one of them is scored, or cancel one."
    if limit.retry_after is None:
        return "It does not come back."
    minutes, seconds = divmod(math.ceil(limit.retry_after), 60)
    return f"Try again in {minutes} min {seconds} s." if minutes else f"Try again in {seconds} s."


def _counts(entry: Entry) -> bool:
    if entry.state == "CANCELLED":
        return entry.started
    return entry.state not in ("FAILED", "REJECTED")


def _limit(name: str, allowed: float | None, used: int, retry_after: float | None) -> LimitLeft | None:
    if allowed is None:
        return None
    left = max(0, allowed - used)
    return LimitLeft(limit=name, allowed=allowed, left=left, retry_after=retry_after if left == 0 else None)


def _window(
    name: str, spec: dict[str, float | None], entries: Sequence[Entry], now: datetime, length: timedelta
) -> LimitLeft | None:
    allowed = spec[name]
    inside = sorted(e.submitted_at for e in entries if e.submitted_at > now - length)
    if allowed is None:
        return None
    if allowed < 1:
        return _limit(name, allowed, len(inside), None)  # closed: no place ever becomes free
    # The next one is free when enough of the oldest have left the window.
    leaving = inside[max(0, len(inside) - int(allowed))] if inside else now
    return _limit(name, allowed, len(inside), (leaving + length - now).total_seconds())


def _rejections(spec: dict[str, float | None], entries: Sequence[Entry], now: datetime) -> LimitLeft | None:
    return _window("rejections_per_hour", spec, [e for e in entries if e.state == "REJECTED"], now, HOUR)


def _at_once(spec: dict[str, float | None], entries: Sequence[Entry]) -> LimitLeft | None:
    moving = sum(1 for e in entries if e.state in ("QUEUED", "RUNNING") and not e.rejudged)
    return _limit("at_once", spec["at_once"], moving, None)


def _gap(spec: dict[str, float | None], entries: Sequence[Entry], now: datetime) -> LimitLeft | None:
    gap = spec["min_gap_s"] or 0.0
    if gap <= 0:
        return None
    latest = max((e.submitted_at for e in entries), default=None)
    wait = 0.0 if latest is None else (latest + timedelta(seconds=gap) - now).total_seconds()
    return LimitLeft(
        limit="min_gap_s", allowed=gap, left=0 if wait > 0 else 1, retry_after=wait if wait > 0 else None
    )

"""What a challenge's stored settings mean right now."""

from __future__ import annotations

from datetime import datetime, timedelta

from goat.kinds.base import get_kind, parse_config
from scoring_service.models import Challenge


def is_frozen(challenge: Challenge, now: datetime) -> bool:
    """True while the public board shows the standings of the freeze."""
    return challenge.frozen_at is not None and challenge.revealed_at is None and now >= challenge.frozen_at


def is_over(challenge: Challenge, now: datetime) -> bool:
    """True when its deadline has passed, and the grace to finish an upload with it."""
    if challenge.deadline is None:
        return False
    return now > challenge.deadline + timedelta(seconds=challenge.spec["grace_s"])


def lane_of(challenge: Challenge) -> str:
    """Queue that its submissions wait in: the event file's word, else the kind's."""
    if challenge.spec["lane"]:
        return str(challenge.spec["lane"])
    kind = get_kind(challenge.kind)
    return kind.lane(parse_config(kind, challenge.spec["config"]))

"""What a challenge's moments mean right now."""

from __future__ import annotations

from datetime import datetime

from scoring_service.models import Challenge


def is_frozen(challenge: Challenge, now: datetime) -> bool:
    """True while the public board shows the standings of the freeze."""
    return challenge.frozen_at is not None and challenge.revealed_at is None and now >= challenge.frozen_at

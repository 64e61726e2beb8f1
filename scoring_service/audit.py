"""The trail of what organisers and the system did."""

from __future__ import annotations

from typing import Any

from scoring_service.clock import Clock
from scoring_service.db import Session
from scoring_service.models import AuditEntry


def note(session: Session, clock: Clock, actor: str, action: str, subject: str, **facts: Any) -> None:
    """Add an entry to the transaction that does the thing itself."""
    session.add(AuditEntry(at=clock.now(), actor=actor, action=action, subject=subject, facts=facts))

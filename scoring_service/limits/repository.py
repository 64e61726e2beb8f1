"""Queries that limits count by."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, not_, or_, select
from sqlalchemy.orm import Session

from scoring_service.limits.entry import Entry
from scoring_service.models import IS_QUEUED, IS_RUNNING, Submission


def entries_since(session: Session, team_id: str, challenge_id: str, since: datetime) -> list[Entry]:
    """A team's submissions to a challenge after a moment, and older ones that still move."""
    recent = Submission.submitted_at > since
    conditions = (
        and_(Submission.team_id == team_id, recent),
        and_(IS_QUEUED, Submission.team_id == team_id, not_(recent)),
        and_(IS_RUNNING, Submission.team_id == team_id, not_(recent)),
    )
    columns = (
        Submission.mode,
        Submission.state,
        Submission.submitted_at,
        Submission.started_at,
        Submission.reason,
    )
    # Three queries, each on an index of its own, cost the same however much a team has stored.
    rows = [
        row
        for condition in conditions
        for row in session.execute(select(*columns).where(condition, Submission.challenge_id == challenge_id))
    ]
    return [
        Entry(
            mode=row[0],
            state=row[1],
            submitted_at=row[2],
            started=row[3] is not None,
            rejudged=row[4] != "first",
        )
        for row in rows
    ]


def count_ranked(session: Session, team_id: str, challenge_id: str) -> int:
    """How many ranked submissions count in total."""
    return (
        session.scalar(
            select(func.count()).where(
                Submission.team_id == team_id,
                Submission.challenge_id == challenge_id,
                Submission.mode == "ranked",
                Submission.state.not_in(("FAILED", "REJECTED")),
                or_(
                    Submission.state != "CANCELLED",
                    and_(Submission.state == "CANCELLED", Submission.started_at.is_not(None)),
                ),
            )
        )
        or 0
    )

"""Everything that fsck compares, read in one consistent state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scoring_service.leaderboard.repository import SCORE, current_score_splits
from scoring_service.models import Challenge, Evaluation, Event, Outbox, Score, Standing, Submission, Team


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation of a submission."""

    run_no: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A standing as it is stored."""

    submission_id: str
    score: float
    submitted_at: datetime
    entries: int
    metrics: dict[str, float]


@dataclass(slots=True)
class Snapshot:
    """The tables as fsck needs them."""

    challenges: dict[str, tuple[Challenge, Event]] = field(default_factory=dict)
    banned: set[str] = field(default_factory=set)
    submissions: list[Submission] = field(default_factory=list)
    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))
    """Submission id → its evaluations by run number."""
    splits: dict[str, set[str]] = field(default_factory=dict)
    """Submission id → splits on which its current evaluation has a score."""
    public: dict[str, float] = field(default_factory=dict)
    """Submission id → current public score."""
    metrics: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    """Submission id → its current public metrics, the score among them."""
    announced: set[str] = field(default_factory=set)
    """Submissions with a row in the outbox."""
    standings: dict[tuple[str, str], Line] = field(default_factory=dict)
    """(challenge id, team id) → stored line."""


def snapshot(session: Session) -> Snapshot:
    """Read it all. The session gives one consistent state, also while the service works."""
    found = Snapshot(splits=current_score_splits(session))
    rows: Any = session.execute(
        select(Challenge, Event).join(Event, Event.id == Challenge.event_id).order_by(Challenge.id)
    )
    found.challenges = {challenge.id: (challenge, event) for challenge, event in rows}
    found.banned = set(session.scalars(select(Team.id).where(Team.banned)))
    found.submissions = list(
        session.scalars(select(Submission).order_by(Submission.submitted_at, Submission.id))
    )
    for submission_id, run_no, is_current in session.execute(
        select(Evaluation.submission_id, Evaluation.run_no, Evaluation.is_current).order_by(Evaluation.run_no)
    ):
        found.runs[submission_id].append(Run(run_no, is_current))
    for submission_id, metric, value in session.execute(
        select(Evaluation.submission_id, Score.metric, Score.value)
        .join(Score, Score.evaluation_id == Evaluation.id)
        .where(Evaluation.is_current, Score.split == "public")
    ):
        found.metrics[submission_id][metric] = value
    found.public = {key: metrics[SCORE] for key, metrics in found.metrics.items() if SCORE in metrics}
    found.announced = set(session.scalars(select(Outbox.submission_id)))
    found.standings = {
        (row.challenge_id, row.team_id): Line(
            row.submission_id, row.score, row.submitted_at, row.entries, row.metrics
        )
        for row in session.scalars(select(Standing))
    }
    return found

"""Queries on submissions and their evaluations; the queue has its own beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, Select, func, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, aliased

from scoring_service.models import (
    IS_QUEUED,
    Account,
    Challenge,
    Evaluation,
    Event,
    PrivateScore,
    Score,
    Submission,
    Team,
    Timing,
)

PASSING_VERDICTS = (
    "crashed",
    "memory_limit",
    "model_crashed",
    "non_deterministic",
    "out_of_domain",
    "time_limit",
)
"""Verdicts that depend on the machine and the moment as well as on the bytes; a formula may refuse a time."""

FullRow: TypeAlias = Row[Submission, Challenge, Event, Team, Account]
"""A submission with its challenge, event, team and account."""


def _full() -> Select[Submission, Challenge, Event, Team, Account]:
    return (
        select(Submission, Challenge, Event, Team, Account)
        .join(Challenge, Challenge.id == Submission.challenge_id)
        .join(Event, Event.id == Challenge.event_id)
        .join(Team, Team.id == Submission.team_id)
        .join(Account, Account.id == Submission.account_id)
    )


def find(session: Session, submission_id: str) -> FullRow | None:
    """A submission with its challenge, event, team and account."""
    return session.execute(_full().where(Submission.id == submission_id)).first()


def listing(
    session: Session,
    *,
    team_id: str | None = None,
    challenge_id: str | None = None,
    before: datetime | None = None,
    state: str | None = None,
    limit: int = 100,
) -> Sequence[FullRow]:
    """Submissions, latest first, narrowed as asked."""
    query = _full()
    for column, value in (
        (Submission.team_id, team_id),
        (Submission.challenge_id, challenge_id),
        (Submission.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(Submission.submitted_at < before)
    query = query.order_by(Submission.submitted_at.desc(), Submission.id.desc()).limit(limit)
    return session.execute(query).all()


def changed_since(
    session: Session, since: datetime, teams: Collection[str], limit: int = 2000
) -> Sequence[FullRow]:
    """Submissions of these teams whose state or score changed after a moment, oldest change first."""
    return session.execute(
        _full()
        .where(Submission.changed_at >= since, Submission.team_id.in_(teams))
        .order_by(Submission.changed_at)
        .limit(limit)
    ).all()


def waiting_of(session: Session, teams: Collection[str]) -> Sequence[FullRow]:
    """What these teams have in the queue."""
    if not teams:
        return []
    return session.execute(_full().where(IS_QUEUED, Submission.team_id.in_(teams))).all()


def by_key(session: Session, team_id: str, key: str) -> Submission | None:
    return session.scalar(
        select(Submission).where(Submission.team_id == team_id, Submission.idempotency_key == key)
    )


def same_bytes(
    session: Session, team_id: str, challenge_id: str, mode: str, sha256: str, options: Mapping[str, Any]
) -> Submission | None:
    """A team's earlier submission of the same bytes and options that came to something or still may.

    A verdict that another run of the same bytes need not repeat is no reason to refuse them one.
    """
    found = session.scalars(
        select(Submission).where(
            Submission.team_id == team_id,
            Submission.challenge_id == challenge_id,
            Submission.mode == mode,
            Submission.sha256 == sha256,
            Submission.state.not_in(("FAILED", "CANCELLED")),
            or_(Submission.state != "REJECTED", Submission.error_code.not_in(PASSING_VERDICTS)),
        )
    )
    # Compared here: databases do not agree on when two JSON values are equal. One row per choice of options.
    return next((submission for submission in found if submission.options == options), None)


def lock_bytes(session: Session, sha256: str) -> None:
    """Let one transaction at a time decide whether a stored file is needed (see `lock_team`)."""
    if session.get_bind().dialect.name == "postgresql":
        number = int(sha256[:16], 16) - (1 << 63)
        session.execute(select(func.pg_advisory_xact_lock(number)))


def is_needed(session: Session, sha256: str) -> bool:
    """Whether a submission or a challenge's data is the file of that digest."""
    challenges = session.execute(select(Challenge.id, Challenge.published)).all()
    if any(entry["sha256"] == sha256 for _, published in challenges for entry in published):
        return True
    # By challenge, because the index on the digest starts with it.
    used = select(Submission.id).where(
        Submission.challenge_id.in_([row[0] for row in challenges]), Submission.sha256 == sha256
    )
    return session.scalar(used.limit(1)) is not None


def sent_by_another_team(session: Session, team_id: str, challenge_id: str, sha256: str) -> bool:
    return (
        session.scalar(
            select(Submission.id)
            .where(
                Submission.challenge_id == challenge_id,
                Submission.sha256 == sha256,
                Submission.team_id != team_id,
            )
            .limit(1)
        )
        is not None
    )


def transition(
    session: Session,
    submission_id: str,
    *,
    state: str,
    attempt: int | None = None,
    worker: str | None = None,
    values: Mapping[str, Any],
) -> bool:
    """``UPDATE … WHERE state = ? AND attempt = ?``: True if this call, and no other, made the change."""
    statement = update(Submission).where(Submission.id == submission_id, Submission.state == state)
    if attempt is not None:
        statement = statement.where(Submission.attempt == attempt)
    if worker is not None:
        statement = statement.where(Submission.worker == worker)
    result = session.execute(statement.values(**values).execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)


# --- evaluations ----------------------------------------------------------------------------------


def current_evaluation(session: Session, submission_id: str) -> Evaluation | None:
    return session.scalar(
        select(Evaluation).where(Evaluation.submission_id == submission_id, Evaluation.is_current)
    )


def next_run_no(session: Session, submission_id: str) -> int:
    latest = session.scalar(
        select(func.max(Evaluation.run_no)).where(Evaluation.submission_id == submission_id)
    )
    return (latest or 0) + 1


def retire_current(session: Session, submission_id: str) -> None:
    """Keep the current evaluation as history."""
    session.execute(
        update(Evaluation)
        .where(Evaluation.submission_id == submission_id, Evaluation.is_current)
        .values(is_current=False)
    )


def current_runs(session: Session, submission_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Submission → (id, run number) of its current evaluation, for those that have one."""
    rows = session.execute(
        select(Evaluation.submission_id, Evaluation.id, Evaluation.run_no).where(
            Evaluation.submission_id.in_(submission_ids), Evaluation.is_current
        )
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def shown_instead(session: Session, submission_ids: Sequence[str]) -> dict[str, str]:
    """Submission → the earlier one whose score it shows, given some that improved nothing."""
    if not submission_ids:
        return {}
    earlier = aliased(Submission)
    shown = (
        select(earlier.id)
        .where(
            earlier.team_id == Submission.team_id,
            earlier.challenge_id == Submission.challenge_id,
            earlier.submitted_at <= Submission.submitted_at,
            earlier.improved.is_(True),
        )
        .order_by(earlier.submitted_at.desc(), earlier.id.desc())
        .limit(1)
        .correlate(Submission)
        .scalar_subquery()
    )
    query = select(Submission.id, shown).where(Submission.id.in_(submission_ids))
    return {row[0]: row[1] for row in session.execute(query) if row[1] is not None}


def metrics(session: Session, evaluation_ids: Sequence[str], split: str) -> dict[str, dict[str, float]]:
    """Evaluation → metric → value of one participant-visible split."""
    found: dict[str, dict[str, float]] = {}
    if evaluation_ids:
        query = select(Score.evaluation_id, Score.metric, Score.value).where(
            Score.evaluation_id.in_(evaluation_ids), Score.split == split
        )
        for evaluation_id, metric, value in session.execute(query):
            found.setdefault(evaluation_id, {})[metric] = value
    return found


def private_scores(session: Session, evaluation_ids: Sequence[str]) -> dict[str, float]:
    """Evaluation → private score. Only for organisers, and for teams after the reveal."""
    if not evaluation_ids:
        return {}
    rows = session.execute(
        select(PrivateScore.evaluation_id, PrivateScore.value).where(
            PrivateScore.evaluation_id.in_(evaluation_ids), PrivateScore.metric == "score"
        )
    )
    return {row[0]: row[1] for row in rows}


def timings(session: Session, evaluation_id: str) -> dict[str, float]:
    return {
        row[0]: row[1]
        for row in session.execute(
            select(Timing.stage, Timing.seconds).where(Timing.evaluation_id == evaluation_id)
        )
    }


def selected_count(session: Session, team_id: str, challenge_id: str) -> int:
    """How many scored submissions a team has chosen; one that a rejudge rejected takes no place."""
    return (
        session.scalar(
            select(func.count()).where(
                Submission.team_id == team_id,
                Submission.challenge_id == challenge_id,
                Submission.selected.is_(True),
                Submission.shown_score.is_not(None),
            )
        )
        or 0
    )


def to_rejudge(session: Session, challenge_id: str) -> Sequence[Submission]:
    """Everything of a challenge with a verdict on its content, and what is about to get one."""
    return session.scalars(
        select(Submission)
        .where(
            Submission.challenge_id == challenge_id,
            Submission.state.in_(("EVALUATED", "REJECTED", "FAILED", "RUNNING")),
        )
        .order_by(Submission.submitted_at)
    ).all()

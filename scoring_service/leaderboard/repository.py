"""Queries on results and standings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from goat.records import Split
from scoring_service.leaderboard.lines import Line, Manual, PublicResult, Result
from scoring_service.models import (
    Challenge,
    Evaluation,
    Event,
    ManualScore,
    PrivateScore,
    Score,
    Standing,
    Submission,
    Team,
)

SCORE = "score"
"""Name of the metric that ranks."""


def public_results(
    session: Session, team_id: str, challenge_id: str, since: datetime | None
) -> list[PublicResult]:
    """A team's ranked submissions with a current result, in order of submission, from a moment on."""
    query = (
        select(
            Submission.id, Submission.submitted_at, Score.value, Submission.shown_score, Submission.improved
        )
        .join(Evaluation, and_(Evaluation.submission_id == Submission.id, Evaluation.is_current))
        .join(
            Score, and_(Score.evaluation_id == Evaluation.id, Score.split == "public", Score.metric == SCORE)
        )
        .where(
            Submission.team_id == team_id,
            Submission.challenge_id == challenge_id,
            Submission.mode == "ranked",
        )
        .order_by(Submission.submitted_at, Submission.id)
    )
    if since is not None:
        query = query.where(Submission.submitted_at >= since)
    return [PublicResult(*row) for row in session.execute(query)]


def _shown(team_id: str, challenge_id: str) -> ColumnElement[bool]:
    """Submissions with a shown score: exactly the ranked ones with a current result."""
    return and_(
        Submission.team_id == team_id,
        Submission.challenge_id == challenge_id,
        Submission.shown_score.is_not(None),
    )


def shown_before(session: Session, team_id: str, challenge_id: str, moment: datetime) -> float | None:
    """What the team was shown last before a moment."""
    return session.scalar(
        select(Submission.shown_score)
        .where(_shown(team_id, challenge_id), Submission.submitted_at < moment)
        .order_by(Submission.submitted_at.desc(), Submission.id.desc())
        .limit(1)
    )


def best_shown(
    session: Session, team_id: str, challenge_id: str, before: datetime | None
) -> tuple[str, float, datetime, int] | None:
    """The submission that a team stands on: (id, score, submitted at, entries); None without any.

    The last one that improved is the best. ``before``: only submissions from before a freeze.
    """
    eligible = _shown(team_id, challenge_id)
    if before is not None:
        eligible = and_(eligible, Submission.submitted_at < before)
    row = session.execute(
        select(Submission.id, Submission.shown_score, Submission.submitted_at)
        .where(eligible, Submission.improved.is_(True))
        .order_by(Submission.submitted_at.desc(), Submission.id.desc())
        .limit(1)
    ).first()
    if row is None or row[1] is None:
        return None
    return row[0], row[1], row[2], session.scalar(select(func.count()).where(eligible)) or 0


def current_metrics(
    session: Session, submission_ids: Sequence[str], names: Sequence[str], split: Split
) -> dict[str, dict[str, float]]:
    """Submission → metric → value on one split of its current result, in the order of ``names``, of which
    it may lack some. ``private`` is for organisers, and for all after the reveal."""
    found: dict[str, dict[str, float]] = {}
    if names and submission_ids:
        table = PrivateScore if split == "private" else Score
        query = (
            select(Evaluation.submission_id, table.metric, table.value)
            .join(table, table.evaluation_id == Evaluation.id)
            .where(
                Evaluation.is_current,
                Evaluation.submission_id.in_(submission_ids),
                table.split == split,
                table.metric.in_(names),
            )
        )
        for submission_id, metric, value in session.execute(query):
            found.setdefault(submission_id, {})[metric] = value
    return {
        submission_id: {name: values[name] for name in names if name in values}
        for submission_id, values in found.items()
    }


def set_shown(
    session: Session, submission_id: str, *, shown_score: float, improved: bool, changed_at: datetime
) -> None:
    session.execute(
        update(Submission)
        .where(Submission.id == submission_id)
        .values(shown_score=shown_score, improved=improved, changed_at=changed_at)
        .execution_options(synchronize_session=False)
    )


def team(session: Session, team_id: str) -> Team:
    return session.get_one(Team, team_id)


def get_standing(session: Session, challenge_id: str, team_id: str) -> Standing | None:
    return session.get(Standing, (challenge_id, team_id))


def delete_standing(session: Session, challenge_id: str, team_id: str) -> None:
    session.execute(
        delete(Standing).where(Standing.challenge_id == challenge_id, Standing.team_id == team_id)
    )


def bump_board(session: Session, challenge_id: str) -> None:
    """Raise the version in the database itself: two results at once must not count as one."""
    session.execute(
        update(Challenge)
        .where(Challenge.id == challenge_id)
        .values(board_version=Challenge.board_version + 1)
        .execution_options(synchronize_session=False)
    )


def bump_combined(session: Session, event_id: str) -> None:
    session.execute(
        update(Event)
        .where(Event.id == event_id)
        .values(board_version=Event.board_version + 1)
        .execution_options(synchronize_session=False)
    )


def teams_and_challenges(
    session: Session, *, team_id: str | None = None, challenge_id: str | None = None
) -> list[tuple[str, str]]:
    """Every (team, challenge) with a ranked submission, narrowed to one team or one challenge."""
    query = select(Submission.team_id, Submission.challenge_id).where(Submission.mode == "ranked").distinct()
    if team_id is not None:
        query = query.where(Submission.team_id == team_id)
    if challenge_id is not None:
        query = query.where(Submission.challenge_id == challenge_id)
    order = (Submission.team_id, Submission.challenge_id)
    return [(row[0], row[1]) for row in session.execute(query.order_by(*order))]


def board_lines(session: Session, challenge_id: str) -> list[Line]:
    """A board's lines, in no order."""
    rows = session.execute(
        select(
            Team.id,
            Team.name,
            Standing.score,
            Standing.submission_id,
            Standing.submitted_at,
            Standing.entries,
            Standing.metrics,
        )
        .join(Team, Team.id == Standing.team_id)
        .where(Standing.challenge_id == challenge_id)
    )
    return [Line(*row) for row in rows]


def results(session: Session, challenge_id: str) -> list[Result]:
    """Every ranked submission with a current result, banned teams left out, in order of submission."""
    rows = session.execute(
        select(
            Team.id,
            Team.name,
            Submission.id,
            Submission.submitted_at,
            Submission.selected,
            Score.value,
            PrivateScore.value,
        )
        .join(Submission, Submission.team_id == Team.id)
        .join(Evaluation, and_(Evaluation.submission_id == Submission.id, Evaluation.is_current))
        .join(
            Score, and_(Score.evaluation_id == Evaluation.id, Score.split == "public", Score.metric == SCORE)
        )
        .join(PrivateScore, and_(PrivateScore.evaluation_id == Evaluation.id, PrivateScore.metric == SCORE))
        .where(Submission.challenge_id == challenge_id, Submission.mode == "ranked", Team.banned.is_(False))
        .order_by(Submission.submitted_at, Submission.id)
    )
    return [Result(*row) for row in rows]


def manual_scores(session: Session, event_id: str) -> list[Manual]:
    """What organisers entered for an event's teams."""
    rows = session.execute(
        select(Team.id, ManualScore.name, ManualScore.value)
        .join(Team, Team.id == ManualScore.team_id)
        .where(Team.event_id == event_id, Team.banned.is_(False))
    )
    return [Manual(*row) for row in rows]


def put_manual_score(session: Session, team_id: str, name: str, value: float) -> None:
    """Set a team's number of that name, new or not."""
    score = session.scalar(
        select(ManualScore).where(ManualScore.team_id == team_id, ManualScore.name == name)
    )
    if score is None:
        session.add(ManualScore(team_id=team_id, name=name, value=value))
    else:
        score.value = value


def current_score_splits(session: Session) -> dict[str, set[str]]:
    """Submission id → splits on which its current result has a score (not the scores themselves)."""
    found: dict[str, set[str]] = {}
    for table in (Score, PrivateScore):
        rows = session.execute(
            select(Evaluation.submission_id, table.split)
            .join(table, table.evaluation_id == Evaluation.id)
            .where(Evaluation.is_current, table.metric == SCORE)
        )
        for submission_id, split in rows:
            found.setdefault(submission_id, set()).add(split)
    return found

"""Queries on the queue: who waits and runs in which lane, the outbox, the workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Row, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from scoring_service.models import IS_QUEUED, IS_RUNNING, Outbox, Submission, Worker


def queue_positions(session: Session) -> dict[str, int]:
    """Submission → its place (from 1) in its lane, for all that wait."""
    rows = session.execute(
        select(Submission.lane, Submission.id)
        .where(IS_QUEUED)
        .order_by(Submission.lane, Submission.submitted_at, Submission.id)
    )
    return {
        row[1]: place
        for _, lane in groupby(rows, key=lambda row: row[0])
        for place, row in enumerate(lane, start=1)
    }


def queue_position(session: Session, submission: Submission) -> int:
    """Place of one that waits, 1 for the next in line of its lane. Cost: the queue's length only."""
    ahead = session.scalar(
        select(func.count()).where(
            IS_QUEUED,
            Submission.lane == submission.lane,
            or_(
                Submission.submitted_at < submission.submitted_at,
                and_(Submission.submitted_at == submission.submitted_at, Submission.id < submission.id),
            ),
        )
    )
    return (ahead or 0) + 1


def lane_counts(session: Session) -> dict[str, tuple[int, int]]:
    """Lane → (waiting, running)."""
    counts: dict[str, tuple[int, int]] = {}
    for condition, index in ((IS_QUEUED, 0), (IS_RUNNING, 1)):
        rows = session.execute(
            select(Submission.lane, func.count()).where(condition).group_by(Submission.lane)
        )
        for lane, count in rows:
            pair = list(counts.get(lane, (0, 0)))
            pair[index] = count
            counts[lane] = (pair[0], pair[1])
    return counts


def lapsed(session: Session, now: datetime) -> Sequence[Submission]:
    """Running submissions whose lease ended."""
    return session.scalars(select(Submission).where(IS_RUNNING, Submission.lease_until < now)).all()


# --- outbox ---------------------------------------------------------------------------------------


def put_outbox(session: Session, submission_id: str, lane: str, now: datetime) -> None:
    session.add(Outbox(submission_id=submission_id, lane=lane, announced_at=now))


def drop_outbox(session: Session, submission_id: str) -> None:
    session.execute(delete(Outbox).where(Outbox.submission_id == submission_id))


def stale_outbox(session: Session, before: datetime, limit: int) -> Sequence[Row[str, str]]:
    """(lane, submission id) of those announced before a moment and still waiting, oldest first."""
    return session.execute(
        select(Outbox.lane, Outbox.submission_id)
        .where(Outbox.announced_at < before)
        .order_by(Outbox.id)
        .limit(limit)
    ).all()


def outbox_counts(session: Session) -> dict[str, int]:
    """Lane → how many wait to be claimed."""
    return {
        row[0]: row[1] for row in session.execute(select(Outbox.lane, func.count()).group_by(Outbox.lane))
    }


def mark_announced(session: Session, submission_ids: Sequence[str], now: datetime) -> None:
    session.execute(update(Outbox).where(Outbox.submission_id.in_(submission_ids)).values(announced_at=now))


# --- workers --------------------------------------------------------------------------------------


def workers_alive(session: Session, since: datetime) -> dict[str, int]:
    """Lane → workers heard of since a moment."""
    rows = session.execute(
        select(Worker.lane, func.count()).where(Worker.seen_at >= since).group_by(Worker.lane)
    )
    return {row[0]: row[1] for row in rows}


def lanes_served_by(session: Session, host: str, since: datetime) -> set[str]:
    """Lanes whose workers on one host were heard of since a moment."""
    return set(session.scalars(select(Worker.lane).where(Worker.host == host, Worker.seen_at >= since)))


def put_worker(session: Session, worker: Worker) -> None:
    session.merge(worker)


def drop_worker(session: Session, worker_id: str) -> None:
    session.execute(delete(Worker).where(Worker.id == worker_id))


def drop_silent_workers(session: Session, before: datetime) -> None:
    session.execute(delete(Worker).where(Worker.seen_at < before))

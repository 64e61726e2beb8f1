"""Queries on events and challenges."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from goat.errors import NotFound
from scoring_service.models import IS_QUEUED, Challenge, Event, Outbox, Submission


def event_by_slug(session: Session, slug: str) -> Event:
    """The event of that id. Raises `goat.errors.NotFound`."""
    event = session.scalar(select(Event).where(Event.slug == slug))
    if event is None:
        raise NotFound(f"There is no event {slug}.")
    return event


def find_event(session: Session, slug: str) -> Event | None:
    return session.scalar(select(Event).where(Event.slug == slug))


def find_challenge(session: Session, event_id: str, slug: str) -> Challenge | None:
    return session.scalar(select(Challenge).where(Challenge.event_id == event_id, Challenge.slug == slug))


def challenge(session: Session, name: str, default_event: str) -> tuple[Challenge, Event]:
    """``task1`` means the default event's challenge, ``other:task1`` that of another event.

    Raises `goat.errors.NotFound`.
    """
    event_slug, _, slug = name.rpartition(":")
    row = session.execute(
        select(Challenge, Event)
        .join(Event, Event.id == Challenge.event_id)
        .where(Event.slug == (event_slug or default_event), Challenge.slug == slug)
    ).first()
    if row is None:
        known = session.scalars(
            select(Challenge.slug).join(Event).where(Event.slug == (event_slug or default_event))
        ).all()
        raise NotFound(f"There is no challenge {name}. There is: {', '.join(sorted(known)) or 'none yet'}.")
    return row[0], row[1]


def challenge_by_id(session: Session, challenge_id: str) -> tuple[Challenge, Event]:
    row = session.execute(
        select(Challenge, Event)
        .join(Event, Event.id == Challenge.event_id)
        .where(Challenge.id == challenge_id)
    ).one()
    return row[0], row[1]


def challenges(session: Session, event_slug: str | None = None) -> Sequence[Row[Challenge, Event]]:
    """All challenges, or those of one event, in the order of the event files."""
    query = select(Challenge, Event).join(Event, Event.id == Challenge.event_id)
    if event_slug is not None:
        query = query.where(Event.slug == event_slug)
    return session.execute(query.order_by(Event.created_at, Event.slug, Challenge.position)).all()


def events(session: Session) -> Sequence[Event]:
    return session.scalars(select(Event).order_by(Event.created_at)).all()


def submission_count(session: Session, challenge_id: str) -> int:
    return session.scalar(select(func.count()).where(Submission.challenge_id == challenge_id)) or 0


def move_waiting(session: Session, challenge_id: str, lane: str) -> int:
    """Have a challenge's waiting submissions wait in that lane; returns how many moved."""
    moved = list(
        session.scalars(
            select(Submission.id).where(
                Submission.challenge_id == challenge_id, IS_QUEUED, Submission.lane != lane
            )
        )
    )
    for table, column in ((Submission, Submission.id), (Outbox, Outbox.submission_id)):
        statement = update(table).where(column.in_(moved)).values(lane=lane)
        session.execute(statement.execution_options(synchronize_session=False))
    return len(moved)


def board_versions(session: Session) -> dict[str, int]:
    """Challenge id → version of its board, for listeners that watch for changes."""
    return {row[0]: row[1] for row in session.execute(select(Challenge.id, Challenge.board_version))}

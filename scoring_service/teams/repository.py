"""Queries on accounts, teams and memberships."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, delete, func, select
from sqlalchemy.orm import Session

from scoring_service.models import (
    Account,
    Challenge,
    Evaluation,
    Event,
    ManualScore,
    Membership,
    Outbox,
    PrivateScore,
    Score,
    Slot,
    Standing,
    Submission,
    Team,
    Timing,
)


def account_by_name(session: Session, name: str) -> Account | None:
    """Names that differ only in case are one name."""
    return session.scalar(select(Account).where(func.lower(Account.name) == name.lower()))


def account(session: Session, account_id: str) -> Account | None:
    return session.get(Account, account_id)


def membership(session: Session, account_id: str, event_slug: str | None) -> Row[Team, Event] | None:
    """The account's team in that event, or in its only event if none is named."""
    query = (
        select(Team, Event)
        .join(Membership, Membership.team_id == Team.id)
        .join(Event, Event.id == Team.event_id)
        .where(Membership.account_id == account_id)
        .order_by(Event.created_at)
    )
    if event_slug is not None:
        query = query.where(Event.slug == event_slug)
    return session.execute(query).first()


def team_by_name(session: Session, event_id: str, name: str) -> Team | None:
    return session.scalar(
        select(Team).where(Team.event_id == event_id, func.lower(Team.name) == name.lower())
    )


def is_a_teams_name(session: Session, name: str) -> bool:
    """Whether a team of any event has this name: then the login of this name is that team's."""
    query = select(Team.id).where(func.lower(Team.name) == name.lower()).limit(1)
    return session.scalar(query) is not None


def members(session: Session, team_id: str) -> Sequence[Row[Account, int]]:
    """A team's accounts with the number of the team's submissions that each sent, oldest first."""
    sent = (
        select(func.count())
        .where(Submission.account_id == Account.id, Submission.team_id == team_id)
        .correlate(Account)
        .scalar_subquery()
    )
    query = select(Account, sent).join(Membership, Membership.account_id == Account.id)
    return session.execute(
        query.where(Membership.team_id == team_id).order_by(Account.created_at, Account.name)
    ).all()


def places(session: Session, account_id: str) -> Sequence[Row[Membership, Team]]:
    """The account's memberships, one per event at most, each with its team."""
    return session.execute(
        select(Membership, Team)
        .join(Team, Team.id == Membership.team_id)
        .where(Membership.account_id == account_id)
    ).all()


def is_member(session: Session, account_id: str, team_id: str) -> bool:
    query = select(Membership.id).where(Membership.account_id == account_id, Membership.team_id == team_id)
    return session.scalar(query) is not None


def teams(session: Session, event_id: str) -> Sequence[Row[Team, int, int]]:
    """Every team with its numbers of members and submissions, by name."""
    members = select(func.count()).where(Membership.team_id == Team.id).correlate(Team).scalar_subquery()
    submissions = select(func.count()).where(Submission.team_id == Team.id).correlate(Team).scalar_subquery()
    return session.execute(
        select(Team, members, submissions).where(Team.event_id == event_id).order_by(Team.name)
    ).all()


def lock_team(session: Session, team_id: str) -> bool | None:
    """Let one transaction at a time decide about a team (PostgreSQL; SQLite has one writer anyway).

    Returns whether the team is banned, None if it is gone. Whoever also changes a challenge's row locks
    the team first: two who take the two in different orders would wait for each other.
    """
    return session.scalar(select(Team.banned).where(Team.id == team_id).with_for_update())


def lock_teams(session: Session, event_slug: str) -> None:
    """As `lock_team`, all teams of an event: for whoever changes a board as a whole."""
    of_event = select(Event.id).where(Event.slug == event_slug).scalar_subquery()
    session.execute(select(Team.id).where(Team.event_id == of_event).order_by(Team.id).with_for_update())


def submission_count(session: Session, team_id: str) -> int:
    return session.scalar(select(func.count()).where(Submission.team_id == team_id)) or 0


def challenges_with_standing(session: Session, team_id: str) -> Sequence[Challenge]:
    return session.scalars(select(Challenge).join(Standing).where(Standing.team_id == team_id)).all()


def delete_team(session: Session, team_id: str) -> None:
    """Remove a team, its accounts without another team, and all that hangs on them."""
    of_team = select(Submission.id).where(Submission.team_id == team_id)
    evaluations = select(Evaluation.id).where(Evaluation.submission_id.in_(of_team))
    for table in (Score, PrivateScore, Timing):
        session.execute(delete(table).where(table.evaluation_id.in_(evaluations)))
    session.execute(delete(Standing).where(Standing.team_id == team_id))
    for child in (Evaluation, Outbox, Slot):
        session.execute(delete(child).where(child.submission_id.in_(of_team)))
    session.execute(delete(Submission).where(Submission.team_id == team_id))
    session.execute(delete(ManualScore).where(ManualScore.team_id == team_id))
    accounts = session.scalars(select(Membership.account_id).where(Membership.team_id == team_id)).all()
    session.execute(delete(Membership).where(Membership.team_id == team_id))
    elsewhere = select(Membership.account_id)
    still_used = select(Submission.account_id)
    session.execute(
        delete(Account).where(
            Account.id.in_(accounts), Account.id.not_in(elsewhere), Account.id.not_in(still_used)
        )
    )
    session.execute(delete(Team).where(Team.id == team_id))

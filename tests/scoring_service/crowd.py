"""Many teams on a board, made directly in the database: passwords are slow on purpose."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from scoring_service.models import Account, Challenge, Event, Membership, Standing, Submission, Team, new_id
from scoring_service.services import Services


def crowd(services: Services, teams: int) -> None:
    """Fill the board of the one challenge with so many teams, from 40 dB downwards.

    The one team that is there already leads; the others are ``team_0001``, … and have its password.
    """
    now = services.clock.now()
    with services.db.write() as session:
        challenge, event = session.scalars(select(Challenge)).one(), session.scalars(select(Event)).one()
        first = session.scalars(select(Team)).one()
        account = session.scalars(select(Account)).one()
        everyone = [(first.id, account.id)]
        for number in range(1, teams):
            name = f"team_{number:04d}"
            team = Team(id=new_id(), event_id=event.id, name=name, created_at=now)
            login = Account(
                id=new_id(),
                name=name,
                password_hash=account.password_hash,
                role="participant",
                created_at=now,
            )
            session.add_all([team, login])
            session.flush()
            session.add(Membership(account_id=login.id, event_id=event.id, team_id=team.id))
            everyone.append((team.id, login.id))
        for number, (team_id, account_id) in enumerate(everyone):
            moment = now - timedelta(minutes=number)
            submission = Submission(
                id=new_id(),
                challenge_id=challenge.id,
                team_id=team_id,
                account_id=account_id,
                mode="ranked",
                lane="short",
                state="EVALUATED",
                filename="answers.zip",
                sha256=f"{number:064x}",
                size=1000,
                idempotency_key=str(number),
                opened_at=moment,
                submitted_at=moment,
                changed_at=moment,
                attempt_limit=3,
                shown_score=40.0 - number / 100,
            )
            session.add(submission)
            session.flush()
            session.add(
                Standing(
                    challenge_id=challenge.id,
                    team_id=team_id,
                    submission_id=submission.id,
                    score=40.0 - number / 100,
                    submitted_at=moment,
                    entries=3,
                )
            )
        challenge.board_version = teams

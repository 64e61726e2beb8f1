"""A service with many teams on its board, made directly in the database: passwords are slow on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select

from scoring_service.migrations import migrate
from scoring_service.models import Account, Challenge, Event, Membership, Standing, Submission, Team, new_id
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from tests.scoring_service.world import PASSWORD, event_file

KEY = "benchmark-key-of-enough-bytes-to-be-allowed"
NO_LIMITS = dict.fromkeys(
    ("per_day", "per_hour", "total", "at_once", "rejections_per_hour", "test_per_hour"), None
)


@contextmanager
def crowded_services(teams: int, *, database_url: str | None = None) -> Iterator[Services]:
    """Services in a temporary home: one open challenge without limits, ``teams`` teams on its board."""
    with TemporaryDirectory(prefix="goat-bench-") as folder:
        home = Path(folder)
        environment = {"GOAT_HOME": str(home)} | ({"DATABASE_URL": database_url} if database_url else {})
        settings = replace(Settings.from_env(environment), secret_key=KEY, free_space_floor=0)
        services = build_services(settings)
        migrate(services.db)
        (home / "event").mkdir()
        services.events.apply(event_file(home / "event", max_bytes=100_000_000, limits=NO_LIMITS))
        services.teams.add("team_0000", PASSWORD)
        _fill(services, teams)
        yield services
        services.db.dispose()


def _fill(services: Services, teams: int) -> None:
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

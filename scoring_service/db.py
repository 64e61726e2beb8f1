"""The database: engine, sessions and the only commit in the house.

``read()`` gives a session that never writes; ``write()`` gives one whose changes are committed
together when the block ends, or not at all. SQLite runs in WAL mode, fully synchronous, and a
writing transaction takes its lock at the start (BEGIN IMMEDIATE): readers never block, writers wait
their turn instead of failing with "database is locked". PostgreSQL needs none of that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.types import DateTime, TypeDecorator

from goat.errors import StorageFull, Unavailable
from scoring_service.clock import Clock, HostClock

BUSY_TIMEOUT_S = 30.0
CLOCK_CONNECTIONS = 2

__all__ = ["Database", "IntegrityError", "Session", "UtcTime"]


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; naive ones are refused before they can mislead."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("times are aware: give a datetime with a time zone")
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # e.g. the last hour of the year 9999, west of Greenwich
        return _LATEST if value.year > 1 else _EARLIEST


class DatabaseClock:
    """The database server's clock: asked each time, so no process's own clock matters.

    It has connections of its own. Transactions ask for the time while they hold one of theirs: with one
    pool for both, some dozen of them at once would hold all and wait for each other.
    """

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(
            url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, pool_size=CLOCK_CONNECTIONS, max_overflow=0
        )

    def now(self) -> datetime:
        try:
            with self._engine.connect() as connection:
                moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        except OperationalError as error:
            raise _unavailable() from error
        return moment.astimezone(UTC)

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def drift(self) -> float:
        return (datetime.now(UTC) - self.now()).total_seconds()


class Database:
    """Sessions on one database; safe to share between threads, not between processes (fork)."""

    def __init__(self, url: str, *, run_folder: Path) -> None:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite_engine(parsed)
        else:
            self.engine = create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20)
        self._database_clock = None if self.is_sqlite else DatabaseClock(parsed)
        self.clock: Clock = self._database_clock or HostClock(run_folder)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading one consistent state; anything written in it is thrown away."""
        with self._explained(), Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            if not self.is_sqlite:
                # Otherwise each statement would see a state of its own.
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end of the block.

        Raises `goat.errors.StorageFull` when the disk has no room: nothing was written then. Raises
        `goat.errors.Unavailable` when the database does not answer; if it was lost during the commit,
        nobody knows yet whether that happened.
        """
        with self._explained(), Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection(execution_options={"goat_immediate": True})
            yield session
            session.commit()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what a failed operation means to whoever asked for it: full, away, or itself."""
        try:
            yield
        except OperationalError as error:
            if _is_disk_full(error):
                raise StorageFull(
                    "The server's disk is full; nothing was saved. Tell the organiser."
                ) from error
            if not self.is_sqlite or "locked" in str(error.orig):
                raise _unavailable() from error
            raise

    def ping(self) -> None:
        """Raise if the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()
        if self._database_clock is not None:
            self._database_clock.dispose()


def _sqlite_engine(url: Any) -> Engine:
    path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # isolation_level None: the driver starts no transactions of its own, we do (below).
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False},
        pool_size=20,
        max_overflow=40,
    )

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("goat_immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _unavailable() -> Unavailable:
    return Unavailable("The service's database does not answer. Try again in a moment.", retry_after=1)


def _is_disk_full(error: OperationalError) -> bool:
    message = str(error.orig).lower()
    return any(sign in message for sign in ("disk is full", "disk i/o error", "no space left", "disk full"))

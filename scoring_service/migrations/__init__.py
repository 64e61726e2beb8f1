"""Bring a database to this version's tables.

Two processes that start at once are safe: PostgreSQL takes an advisory lock, SQLite its write lock.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from scoring_service.db import Database

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x60A7
_VERSIONS = Path(__file__).parent / "versions"


def alembic_config() -> Config:
    """Alembic's settings, without an ini file."""
    # Alembic is a fifth of what a start imports, and most starts find nothing to do.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def head() -> str:
    """The revision of this version of the code."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert revision is not None
    return revision


def newest() -> str:
    """The same, by the numbers in the names of the files."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


def is_current(db: Database) -> bool:
    """Whether the database has this version's tables already."""
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return found == [newest()]


def migrate(db: Database) -> None:
    """Upgrade the database to `head`; does nothing if it is there."""
    if is_current(db):
        return
    from alembic import command

    config = alembic_config()
    engine = db.engine.execution_options(goat_immediate=True)  # SQLite's write lock; ignored elsewhere
    with engine.begin() as connection:
        if not db.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

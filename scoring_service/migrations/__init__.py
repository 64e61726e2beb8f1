"""Bring a database to this version's tables.

Two processes that start at once are safe: PostgreSQL takes an advisory lock, SQLite its write lock.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from scoring_service.db import Database

_LOCK = 0x60A7


def alembic_config() -> Config:
    """Alembic's settings, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def head() -> str:
    """The revision of this version of the code."""
    revision = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert revision is not None
    return revision


def migrate(db: Database) -> None:
    """Upgrade the database to `head`; does nothing if it is there."""
    config = alembic_config()
    engine = db.engine.execution_options(goat_immediate=True)  # SQLite's write lock; ignored elsewhere
    with engine.begin() as connection:
        if not db.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

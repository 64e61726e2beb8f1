"""A full disk: a clean error, nothing acknowledged is lost, and it heals by itself once there is room."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from goat.errors import StorageFull
from scoring_service.db import Database
from scoring_service.fsck.service import fsck
from scoring_service.teams.identity import Identity
from tests.scoring_service.workers.conftest import Crew, wait_until


class Disk:
    """Decides how much room the database has: SQLite itself then says that the disk is full."""

    def __init__(self, db: Database) -> None:
        self._full = False
        self._pages = 0
        self._lock = threading.Lock()
        event.listen(db.engine, "begin", self._begin)

    def _begin(self, connection: Any) -> None:
        with self._lock:
            # As many pages as there are (SQLite sets no lower limit than that), or plenty.
            limit = 1 if self._full else 1_000_000_000
            connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    def fill(self) -> None:
        with self._lock:
            self._full = True

    def free(self) -> None:
        with self._lock:
            self._full = False


@pytest.fixture
def disk(crew: Crew) -> Iterator[Disk]:
    disk = Disk(crew.services.db)
    yield disk
    disk.free()


def fill_up(crew: Crew, team: Identity) -> list[str]:
    """Submit until the database takes no more; returns what was acknowledged."""
    accepted: list[str] = []
    try:
        while True:
            number = len(accepted)
            accepted.append(crew.submit(team, score=float(number), padding="x" * number))
    except StorageFull:
        return accepted


def test_a_database_without_room_says_so_and_loses_nothing(crew: Crew, disk: Disk) -> None:
    # Given a disk that fills while submissions arrive and a worker works
    team = crew.world.team()
    crew.work()
    crew.sweep()
    before = [crew.submit(team, score=float(n), sleep=0.2) for n in range(3)]
    disk.fill()
    accepted = before + fill_up(crew, team)
    # When there is room again
    disk.free()
    # Then all that was acknowledged is scored, each once, and new ones are welcome
    accepted.append(crew.submit(team, score=1.0, last=True))
    for submission in accepted:
        assert crew.wait(team, submission).run_no == 1
    assert fsck(crew.services).findings == []


def test_an_upload_without_room_leaves_nothing_behind(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a spool on a full disk
    team = crew.world.team()
    real_open = builtins.open

    def open_on_full_disk(path: Any, mode: str = "r", **options: Any) -> Any:
        if "x" in mode and Path(path).parent.name == "spool":
            real_open(path, mode, **options).close()
            return real_open("/dev/full", "wb", buffering=0)
        return real_open(path, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", open_on_full_disk)
        with pytest.raises(StorageFull, match="nothing was accepted"):
            crew.submit(team, score=1.0)
    # Then nothing is left of it, and the next one is accepted
    assert list(crew.services.store.spool.iterdir()) == []
    crew.work()
    crew.wait(team, crew.submit(team, score=1.0))
    wait_until(lambda: fsck(crew.services).findings == [], "agreement")

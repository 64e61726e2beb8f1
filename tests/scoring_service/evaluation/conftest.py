"""Fixtures: a world of scripted submissions, and one fork server for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring_service.evaluation.runner import ForkServer
from tests.scoring_service import scripted
from tests.scoring_service.evaluation import hostile
from tests.scoring_service.world import World


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    server = ForkServer(preload=[hostile.__name__, scripted.__name__])
    server.start()
    yield server
    server.close()


@pytest.fixture
def scripted_world(sqlite_world: World, tmp_path: Path) -> Iterator[World]:
    """Its ``task1`` is of the scripted kind: a submission says what shall happen to it."""
    with scripted.installed(tmp_path / "site"):
        sqlite_world.apply(kind="scripted", config={})
        yield sqlite_world

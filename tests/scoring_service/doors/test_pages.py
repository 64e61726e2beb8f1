"""The organiser's page, rendered as a browser gets it (who may see it is tested through the real hub)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring_service.doors.pages.overview import ROWS, gather
from scoring_service.doors.pages.routes import _page
from scoring_service.hub_link import RunningServer
from tests.scoring_service import scripted
from tests.scoring_service.world import World


class QuietHub:
    """Nobody is online."""

    def servers(self) -> list[RunningServer]:
        return []


@pytest.fixture
def models(sqlite_world: World, tmp_path: Path) -> Iterator[World]:
    with scripted.installed(tmp_path / "site"):
        sqlite_world.apply(kind="measured", config={"device": "cpu"})
        yield sqlite_world


def overview(world: World) -> str:
    """The page's HTML."""
    organiser = world.services.teams.authenticate("admin", "correct horse")
    seen = gather(world.services, QuietHub(), organiser)  # type: ignore[arg-type]
    return bytes(_page("overview.html", me="admin", rows=ROWS, seen=seen).body).decode()


def test_a_lane_without_a_worker_is_said_with_its_challenges(models: World) -> None:
    models.organiser()
    assert "No worker takes from the lane cpu, where photographs:task1 puts submissions." in overview(models)
    now = models.services.clock.now()
    models.services.lifecycle.worker_seen("w", lane="cpu", host="h", pid=1, started_at=now)
    assert "No worker takes" not in overview(models)

"""The organiser's page, rendered as a browser gets it (who may see it is tested through the real hub)."""

from __future__ import annotations

import json
import re
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
        parts = [{"challenge": "task1", "weight": 1.0, "from": 0, "to": 2}]
        sqlite_world.apply(kind="measured", config={"device": "cpu"}, event_fields={"combined": parts})
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


def test_both_boards_and_the_combined_one_show_what_stands_beside_the_score(models: World) -> None:
    # Given a team with a model on the board
    models.organiser()
    metrics = {"rmse": 0.1, "latency_ms": 31.46, "size_mb": 0.009, "accuracy": 0.75}
    submission = models.submit(models.team(), json.dumps({"score": 1.5, "metrics": metrics}).encode())
    assert models.score(submission.id)

    # Then its numbers are in columns of their own, with their units
    page = overview(models)
    for split in ("Public", "Private"):
        table = page.partition(f"<h3>{split}")[2].partition("</table>")[0]
        heads = re.findall(r"<th [^>]*>([^<]*)", table)
        assert heads == ["rank", "team", "score", "accuracy", "latency (ms)", "size (MB)", "entries"]
        row = re.findall(r"<td[^>]*>([^<]*)", table)
        assert row == ["1", "team_awesome", "1.5000", "0.7500", "31.5", "0.0090", "1"]
    for split in ("public", "private"):
        combined = page.partition(f"<h3>Combined: {split}")[2].partition("</table>")[0]
        assert re.findall(r"<td[^>]*>([^<]*)", combined) == ["1", "team_awesome", "0.7500", "0.7500", "1"]


def test_an_event_without_a_combined_board_shows_none(sqlite_world: World) -> None:
    sqlite_world.apply()
    sqlite_world.organiser()
    assert "Combined" not in overview(sqlite_world)


def test_who_may_not_see_the_page_is_shown_no_way_to_others_that_are_closed() -> None:
    page = bytes(_page("refused.html", 403, sentence="Only organisers may do this.").body).decode()
    assert "Only organisers may do this." in page
    assert "/hub/admin" not in page

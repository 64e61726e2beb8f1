"""An organiser hears of a lane that nobody serves: in the queue, and when an event needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scoring_service.commands import event, queue, worker
from scoring_service.evaluation import equipment
from scoring_service.evaluation.equipment import RuntimeMissing
from tests.scoring_service import scripted
from tests.scoring_service.world import World, event_file


@pytest.fixture
def models(sqlite_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A service whose ``task1`` needs the lane ``cpu``, as commands of a terminal find it."""
    settings = sqlite_world.services.settings
    monkeypatch.setenv("GOAT_HOME", str(settings.home))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    with scripted.installed(tmp_path / "site"):
        sqlite_world.apply(kind="measured", config={"device": "cpu"})
        yield sqlite_world


def run(command: object, *arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def seen(world: World, lane: str) -> None:
    now = world.services.clock.now()
    world.services.lifecycle.worker_seen(f"{lane}-w", lane=lane, host="h", pid=1, started_at=now)


def test_the_queue_shows_a_lane_that_waits_for_a_worker(models: World) -> None:
    models.submit(models.team(), b"{}")
    said = run(queue.command).output
    assert "cpu   1        0        0" in said
    assert "No worker takes from the lane cpu: the submissions of photographs:task1 wait" in said
    seen(models, "cpu")
    assert "No worker" not in run(queue.command).output


def test_applying_an_event_says_which_of_its_lanes_lack_a_worker(models: World) -> None:
    path = str(event_file(models.folder, kind="measured", config={"device": "gpu"}))
    result = run(event.command, "apply", path)
    assert (result.exit_code, "updated challenge task1" in result.output) == (0, True)
    assert "goat-server worker --lane gpu" in result.stderr
    seen(models, "gpu")
    assert run(event.command, "apply", path).stderr == ""


def test_a_worker_that_cannot_run_models_ends_with_a_sentence(
    models: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise RuntimeMissing("No NVIDIA driver answers on this machine.")

    monkeypatch.setattr(worker, "log_to_stderr", lambda: None)  # the stream ends with this test
    monkeypatch.setattr(equipment, "gpus", missing)
    monkeypatch.setattr(equipment, "installed", lambda name: name == "onnxruntime-gpu")
    result = run(worker.command, "--lane", "gpu")
    assert (result.exit_code, result.stderr) == (1, "Error: No NVIDIA driver answers on this machine.\n")

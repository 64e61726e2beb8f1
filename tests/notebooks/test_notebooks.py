"""The starter notebooks do what they say: each reaches the board of a real service."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import yaml
from nbclient import NotebookClient

from goat.client import Client
from goat.readers import write_pt
from scoring_service.doors.http.app import create_app
from scoring_service.evaluation.evaluate import Evaluator
from scoring_service.evaluation.runner import ForkServer
from scoring_service.events.library.depth.data import build as build_depth
from scoring_service.events.library.photographs import data as photographs
from scoring_service.services import Services
from scoring_service.submissions.repository import listing
from tests.scoring_service.doors.http.conftest import running
from tests.scoring_service.world import PASSWORD

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHAPE = (3, 48, 48)
SIDE = 32
SAMPLE_EVENT = Path(photographs.__file__).parent / "event.yaml"
NEEDS_TORCH = pytest.mark.skipif(
    os.environ.get("GOAT_WITH_TORCH") == "0" and find_spec("torch") is None, reason="PyTorch was declined"
)


def picture(generator: np.random.Generator) -> np.ndarray:
    """Smooth colours with an edge: something that a filter can restore."""
    y, x = np.mgrid[0:1:48j, 0:1:48j]
    phase = generator.uniform(0, 6, (3, 1, 1))
    waves = 0.5 + 0.2 * np.sin(generator.uniform(3, 9) * x + phase) + 0.2 * (y > generator.uniform(0.3, 0.7))
    return waves.clip(0.1, 0.9).astype(np.float32)


def painted(folder: Path) -> tuple[int, int, int]:
    """A dataset that takes no time: how many samples, how many to answer, and the edge of an image."""
    generator = np.random.default_rng(3)
    for part, count, truths in (("sample", 8, ("sample",)), ("eval", 4, ("public", "private"))):
        for index in range(count):
            image = picture(generator)
            damaged = (image + generator.normal(0, 0.05, SHAPE)).clip(0.01, 1).astype(np.float32)
            damaged[:, generator.random(SHAPE[1:]) < 0.05] = 0
            for target, content in (
                (f"{part}/inputs", damaged),
                (f"{truths[index % len(truths)]}/truth", image),
            ):
                (folder / target).mkdir(parents=True, exist_ok=True)
                write_pt(folder / target / f"sample_{index:04d}.pt", content)
    return 8, 4, SHAPE[-1]


def photographed(folder: Path) -> tuple[int, int, int]:
    """The samples of the event as it ships, with four of its tiles to answer."""
    whole = folder / "whole"
    photographs.build(whole)
    (whole / "sample").rename(folder / "sample")
    splits = [split for split in ("public", "private") for _ in range(2)]
    for index, split in enumerate(splits):
        truth = sorted((whole / split / "truth").glob("*.pt"))[index]
        for source, target in (
            (truth, f"{split}/truth"),
            (whole / "eval/inputs" / truth.name, "eval/inputs"),
        ):
            (folder / target).mkdir(parents=True, exist_ok=True)
            source.rename(folder / target / f"sample_{index:04d}.pt")
    shutil.rmtree(whole)
    return 24, 4, photographs.TILE


def event_file(folder: Path, dataset: Callable[[Path], tuple[int, int, int]]) -> Path:
    samples, answers, edge = dataset(folder)
    config = {
        "shape": [3, edge, edge],
        "dtype": "float32",
        "data_range": 1.0,
        "samples": {"test": samples, "ranked": answers},
        "pattern": "sample_{:04d}.pt",
        "range_tolerance": 0.01,
        "psnr_cap": 50.0,
        "formula": "psnr",
        "unit": "dB",
    }
    challenge = {
        "id": "task1",
        "title": "Pictures",
        "kind": "image_reconstruction",
        "data": ".",
        "config": config,
    }
    challenges = [challenge, depth_challenge(folder)]
    path = folder / "event.yaml"
    path.write_text(yaml.safe_dump({"event": "photographs", "title": "Pictures", "challenges": challenges}))
    return path


def depth_challenge(folder: Path) -> dict[str, Any]:
    """That of the sample event, with fewer and smaller pictures."""
    build_depth(folder / "depth", sample=12, public=3, private=3, size=SIDE)
    spec = yaml.safe_load(SAMPLE_EVENT.read_text())["challenges"][1]
    spec["config"] |= {
        "input": {"shape": [3, SIDE, SIDE], "dtype": "uint8"},
        "output": {"shape": [1, SIDE, SIDE]},
        "samples": {"test": 12, "ranked": 6},
    }
    del spec["generator"], spec["deadline"]
    return spec | {"data": "depth"}


@pytest.fixture(params=[painted])
def site(
    sqlite_services: Services,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Client]:
    """A service with a worker, and a kernel's environment as the hub would make it: a token, no password."""
    folder = tmp_path / "event"
    folder.mkdir()
    sqlite_services.events.apply(event_file(folder, request.param))
    sqlite_services.teams.add("team_awesome", PASSWORD)
    server = ForkServer(preload=["goat.kinds.image_reconstruction"])
    server.start()
    evaluator, stop = Evaluator(sqlite_services, server, worker="w"), threading.Event()

    def work() -> None:
        while not stop.wait(0.2):
            with sqlite_services.db.read() as session:
                waiting = [row[0].id for row in listing(session, state="QUEUED")]
            for submission_id in waiting:
                evaluator.run(submission_id)

    worker = threading.Thread(target=work, daemon=True)
    with running(create_app(sqlite_services)) as (_, port):
        client = Client(f"http://127.0.0.1:{port}", team_id="team_awesome", password=PASSWORD)
        monkeypatch.setenv("GOAT_URL", client.url)
        monkeypatch.setenv("GOAT_TOKEN", client.login("team_awesome", PASSWORD).access_token)
        monkeypatch.setenv("GOAT_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        worker.start()
        yield client
        stop.set()
        worker.join(timeout=20)
        client.close()
    server.close()


def run(name: str, folder: Path, **instead: str) -> Any:
    """The notebook as it is shipped, with all its cells run; ``instead`` replaces lines of its text."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for old, new in instead.items():
        holding = [cell for cell in notebook.cells if f"{old} = " in cell.source]
        assert len(holding) == 1, old
        holding[0].source = re.sub(rf"^{old} = \d+", f"{old} = {new}", holding[0].source, flags=re.MULTILINE)
    folder.mkdir()
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


@pytest.mark.timeout(300)
def test_the_first_notebook_reaches_the_board(site: Client, tmp_path: Path) -> None:
    # When all its cells are run
    notebook = run("01_first_submission", tmp_path / "work")
    # Then the team is on the board, with a score that is better than doing nothing (26 dB)
    board = site.leaderboard("task1")
    assert [row.team_name for row in board.rows] == ["team_awesome"]
    assert board.rows[0].score > 26
    # And every widget has a text beside it for where widgets are not shown
    shown = [
        data
        for cell in notebook.cells
        for data in bundles(cell)
        if "application/vnd.jupyter.widget-view+json" in data
    ]
    assert shown
    assert all("team_awesome" in data["text/plain"] for data in shown if "board" in data["text/plain"])
    assert all(data["text/html"] for data in shown)


@pytest.mark.timeout(400)
@NEEDS_TORCH
@pytest.mark.parametrize("site", [photographed], indirect=True)
def test_the_second_notebook_beats_the_classical_filter(site: Client, tmp_path: Path) -> None:
    # When it is run on the photographs of the event, with less training (that is all that differs)
    notebook = run("02_reconstruction", tmp_path / "work", COPIES="2", STEPS="200")

    # Then by its own numbers, on tiles that nothing was trained on, it beats the filter of the first one
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    scores = {
        name.strip(): float(score) for name, score in re.findall(r"^(.+?) +([\d.]+) dB$", printed, re.M)
    }
    classical = scores["classical filter"]
    assert classical > scores["doing nothing"] + 10
    assert scores["told about the noise"] > classical + 0.1
    assert scores["with the network"] > classical + 0.05

    # And its answers are on the board
    board = site.leaderboard("task1")
    assert [row.team_name for row in board.rows] == ["team_awesome"]
    assert board.rows[0].score > 20  # doing nothing: 17


@pytest.mark.timeout(300)
@NEEDS_TORCH
def test_the_notebook_on_depth_submits_a_model_and_a_quantised_one_that_ranks_better(
    site: Client, tmp_path: Path
) -> None:
    # When all cells are run
    notebook = run("03_depth", tmp_path / "work", SECONDS="8")
    # Then the board has the second of its two submissions, which is smaller and scores higher
    first, second = sorted(site.submissions("task2"), key=lambda each: each.submitted_at)
    assert (first.filename, second.filename) == ("model.onnx", "model_int8.onnx")
    assert first.state == second.state == "EVALUATED"
    assert second.score > first.score > 0
    assert second.size < 0.5 * first.size
    [row] = site.leaderboard("task2").rows
    assert (row.team_name, row.submission_id) == ("team_awesome", second.id)
    # And the rehearsal, the result and the board are shown in words too
    said = "\n".join(data["text/plain"] for cell in notebook.cells for data in bundles(cell))
    assert "DryRun of task2" in said
    assert "team_awesome" in said


def bundles(cell: Any) -> list[dict[str, Any]]:
    return [output.data for output in cell.get("outputs", []) if output.output_type == "execute_result"]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_shipped_notebook_is_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    source = "\n".join(cell.source for cell in notebook.cells)
    assert "password" not in source
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook.cells)

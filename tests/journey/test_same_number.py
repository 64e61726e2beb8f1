"""The promise of the product: a dry run gives exactly the number of the server's ``test`` mode."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

import goat
from goat.readers import write_pt, write_stacked_pt
from scoring_service.doors.http.app import create_app
from scoring_service.evaluation.evaluate import Evaluator
from scoring_service.evaluation.runner import ForkServer
from scoring_service.services import Services
from tests.scoring_service.doors.http.conftest import running
from tests.scoring_service.world import PASSWORD

SHAPE = (3, 40, 52)
COUNT = 5
WEIGHTED = "0.7*psnr/50 + 0.15*ssim + 0.15*(1 - sam/90)"
CONFIGS = {
    "bytes": {"dtype": "uint8", "data_range": 255, "formula": "psnr", "unit": "dB"},
    "floats": {"dtype": "float32", "data_range": 1.0, "formula": "psnr", "unit": "dB"},
    "weighted": {"dtype": "float32", "data_range": 1.0, "formula": WEIGHTED, "unit": ""},
}
COMMON = {
    "shape": list(SHAPE),
    "samples": {"test": COUNT, "ranked": 2},
    "pattern": "sample_{:04d}.pt",
    "range_tolerance": 0.01,
    "psnr_cap": 50.0,
}


def images(name: str, seed: int, count: int = COUNT) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    if CONFIGS[name]["dtype"] == "uint8":
        return [generator.integers(0, 256, SHAPE, dtype=np.uint8) for _ in range(count)]
    return [generator.random(SHAPE, dtype=np.float32) for _ in range(count)]


def write_images(folder: Path, pictures: list[np.ndarray], first: int = 0) -> None:
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures, start=first):
        write_pt(folder / f"sample_{index:04d}.pt", picture)


def write_event(folder: Path) -> Path:
    for number, name in enumerate(CONFIGS):
        data = folder / name
        write_images(data / "sample" / "inputs", images(name, number))
        write_images(data / "sample" / "truth", images(name, number))
        write_images(data / "eval" / "inputs", images(name, number, 2))
        write_images(data / "public" / "truth", images(name, number, 1))
        write_images(data / "private" / "truth", images(name, number, 1), first=1)
    challenges = [
        {
            "id": name,
            "title": name,
            "kind": "image_reconstruction",
            "data": f"./{name}",
            "config": COMMON | config,
        }
        for name, config in CONFIGS.items()
    ]
    path = folder / "event.yaml"
    path.write_text(yaml.safe_dump({"event": "photographs", "title": "Numbers", "challenges": challenges}))
    return path


@pytest.fixture
def hackathon(
    sqlite_services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[goat.Client, Evaluator]]:
    """A team's client on a real server, and a worker's evaluator with real child processes."""
    folder = tmp_path / "event"
    folder.mkdir()
    sqlite_services.events.apply(write_event(folder))
    sqlite_services.teams.add("team_awesome", PASSWORD)
    monkeypatch.setenv("GOAT_CACHE", str(tmp_path / "cache"))
    server = ForkServer(preload=["goat.kinds.image_reconstruction"])
    server.start()
    with (
        running(create_app(sqlite_services)) as (_, port),
        goat.Client(f"http://127.0.0.1:{port}", team_id="team_awesome", password=PASSWORD) as client,
    ):
        yield client, Evaluator(sqlite_services, server, worker="w")
    server.close()


@pytest.mark.parametrize("form", ["folder", "stored archive", "deflated archive", "stacked tensor"])
@pytest.mark.parametrize("name", list(CONFIGS))
def test_a_dry_run_gives_the_servers_number_to_the_last_bit(
    hackathon: tuple[goat.Client, Evaluator], tmp_path: Path, name: str, form: str
) -> None:
    client, evaluator = hackathon
    # Given answers that are near the truth, as a participant would have them
    answers = [near(picture) for picture in images(name, list(CONFIGS).index(name))]
    path = save(tmp_path / "answers", answers, form)
    # When they are scored here, and by the server from what was uploaded
    here = goat.dry_run(path, name, client=client, quiet=True)
    sent = goat.submit(path, name, mode="test", wait=False, client=client, quiet=True)
    evaluator.run(sent.submission_id)
    there = client.submission(sent.submission_id)
    # Then every number is the same double
    assert there.state == "EVALUATED", there
    assert here.score == there.score
    assert here.metrics == there.metrics


def near(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint8:
        return np.where(picture < 250, picture + 3, picture).astype(np.uint8)
    return np.clip(picture * np.float32(0.97) + np.float32(0.013), 0, 1)


def save(folder: Path, pictures: list[np.ndarray], form: str) -> Path:
    write_images(folder, pictures)
    if form == "folder":
        return folder
    if form == "stacked tensor":
        path = folder.with_suffix(".pt")
        write_stacked_pt(path, pictures, COUNT, dtype=pictures[0].dtype.name, shape=SHAPE)
        return path
    path = folder.with_suffix(".zip")
    method = zipfile.ZIP_STORED if form == "stored archive" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path

"""The full-size event, with few cubes: what its generator promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from goat.baselines.restoration import restore
from goat.kinds.base import get_kind, parse_config
from goat.readers import read_pt
from scoring_service.events import spec
from scoring_service.events.library.hyperspectral.data import build, spectra

EVENT = Path(spec.__file__).parent / "library" / "hyperspectral" / "event.yaml"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hyperspectral")
    build(folder, sample=2, public=3, private=3)
    return folder


def test_building_twice_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    build(tmp_path, sample=2, public=3, private=3)

    files = sorted(file.relative_to(dataset) for file in dataset.rglob("*.pt"))
    assert len(files) == 2 * 8
    for file in files:
        first, second = ((folder / file).read_bytes() for folder in (dataset, tmp_path))
        assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_the_split_sizes_are_those_of_the_source_design() -> None:
    event = spec.load(EVENT)

    [challenge] = event.challenges
    assert challenge.config["shape"] == [29, 96, 96]
    assert challenge.config["samples"]["ranked"] == 300
    assert build.__kwdefaults__ == {"sample": 24, "public": 150, "private": 150}


def test_the_event_file_fits_its_data(dataset: Path) -> None:
    [challenge] = spec.load(EVENT).challenges
    kind = get_kind(challenge.kind)
    config = parse_config(kind, {**challenge.config, "samples": {"test": 2, "ranked": 6}})

    assert kind.validate_data(dataset, config) == []


def test_cubes_are_in_range_and_lost_values_are_marked(dataset: Path) -> None:
    for file in (dataset / "sample/truth").iterdir():
        truth, image = read_pt(file), read_pt(dataset / "sample/inputs" / file.name)
        assert truth.shape == image.shape == (29, 96, 96)
        assert truth.dtype == image.dtype == np.float32
        assert truth.min() >= 0
        assert max(truth.max(), image.max()) <= 1
        assert 0.01 < (image == 0).mean() < 0.1


def test_spectra_are_smooth_and_change_from_pixel_to_pixel() -> None:
    # Given a scene of random colours
    rng = np.random.default_rng(1)
    scene = rng.random((3, 96, 96), dtype=np.float32)

    # When
    cube = spectra(scene, rng)

    # Then neighbouring bands resemble each other far more than distant ones
    steps = np.abs(np.diff(cube, axis=0)).mean()
    assert steps < 0.2 * np.abs(cube[20:] - cube[:9]).mean()
    assert cube.std(axis=(1, 2)).min() > 0.02


def test_the_baseline_restores_cubes_too(dataset: Path) -> None:
    file = dataset / "sample/inputs/sample_0000.pt"
    damaged, truth = read_pt(file)[::3], read_pt(dataset / "sample/truth" / file.name)[::3]

    error_before, error_after = (np.square(image - truth).mean() for image in (damaged, restore(damaged)))

    assert error_after < error_before / 10

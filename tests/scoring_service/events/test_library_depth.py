"""The data of the depth challenges: what it promises to participants and to the organiser."""

from __future__ import annotations

import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from goat.kinds.base import get_kind, parse_config
from goat.kinds.onnx.scoring import formula_of
from goat.readers import read_pt
from goat.scoring.formula import Formula
from scoring_service.events import spec
from scoring_service.events.library.depth import motorcycle
from scoring_service.events.library.depth.data import build, build_small
from scoring_service.events.library.photographs.data import PHOTOGRAPHS
from scoring_service.events.spec import ChallengeSpec

LIBRARY = Path(spec.__file__).parent / "library"
SPLITS = ("sample", "public", "private")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("depth")
    build(folder, sample=6, public=5, private=5, size=64)
    return folder


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_building_twice_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    build(tmp_path, sample=6, public=5, private=5, size=64)

    def content(folder: Path) -> dict[str, str]:
        return {
            str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*.pt")
        }

    assert content(dataset) == content(tmp_path)
    assert len(set(content(dataset).values())) == 2 * (6 + 5 + 5)


def test_pictures_and_depths_have_the_announced_form(dataset: Path) -> None:
    for inputs, truth in (("sample", "sample"), ("eval", "public"), ("eval", "private")):
        for file in (dataset / truth / "truth").iterdir():
            image, depth = read_pt(dataset / inputs / "inputs" / file.name), read_pt(file)
            assert (image.shape, image.dtype.name) == ((3, 64, 64), "uint8")
            assert (depth.shape, depth.dtype.name) == ((1, 64, 64), "float32")
            assert 0.3 < depth.min() < depth.max() < 15
            assert np.ptp(depth) > 1  # a flat depth could not be stretched to [0, 1]
            assert image.std() > 10


def test_public_and_private_together_answer_eval_and_nobody_sees_which_is_which(dataset: Path) -> None:
    public, private = names(dataset / "public/truth"), names(dataset / "private/truth")
    assert not public & private
    assert public | private == names(dataset / "eval/inputs")
    assert names(dataset / "sample/inputs") == names(dataset / "sample/truth")
    files = list((dataset / "eval/inputs").iterdir())
    assert len({(file.stat().st_size, file.stat().st_mtime) for file in files}) == 1


def test_no_pixel_of_the_real_scene_is_in_two_splits() -> None:
    windows = [(split, left, top) for split, left in motorcycle.COLUMNS.items() for top in motorcycle.ROWS]
    assert {split for split, _, _ in windows} == set(SPLITS)
    for (_, left, top), (_, other_left, other_top) in combinations(windows, 2):
        assert max(abs(left - other_left), abs(top - other_top)) >= motorcycle.TILE
    height, width = motorcycle.depth().shape
    assert all(0 <= left <= width - motorcycle.TILE for _, left, _ in windows)
    assert all(0 <= top <= height - motorcycle.TILE for _, _, top in windows)


def test_the_real_scene_is_in_every_split_with_its_measured_depth(dataset: Path) -> None:
    for split in SPLITS:
        inputs = dataset / ("sample" if split == "sample" else "eval") / "inputs"
        found = {(inputs / n).read_bytes() for n in names(inputs)}
        tiles = motorcycle.tiles(split, 64)
        assert len(tiles) == 2
        truths = [read_pt(dataset / split / "truth" / name) for name in names(dataset / split / "truth")]
        for image, depth in tiles:
            assert any(image.tobytes() in content for content in found)
            assert any(np.array_equal(depth, truth) for truth in truths)
            assert 1.5 < depth.min() < depth.max() < 6


def test_what_the_cameras_could_not_measure_takes_the_farther_neighbour_of_its_row() -> None:
    inf = np.inf
    disparity = np.array([[inf, 3.0, inf, inf, 2.0, 5.0, inf], [7.0, inf, 8.0, inf, inf, inf, 9.0]])
    expected = [[3, 3, 2, 2, 2, 5, 5], [7, 7, 8, 8, 8, 8, 9]]
    assert motorcycle.filled(disparity).tolist() == expected
    assert np.isfinite(motorcycle.depth()).all()


def test_no_other_challenge_of_the_sample_event_hides_what_is_published_here() -> None:
    """Its inputs would be the hidden truth of the photographs, and its twin shows the same scene."""
    assert not [photograph.file for photograph in PHOTOGRAPHS if "motorcycle" in photograph.file]


def test_the_full_size_is_that_of_the_source_design() -> None:
    assert build.__kwdefaults__ == {"sample": 24, "public": 48, "private": 48, "size": 448}


def ranked(challenge: ChallengeSpec) -> Formula:
    config = parse_config(get_kind(challenge.kind), challenge.config)
    return formula_of(config)


def test_the_event_files_are_sound_and_fit_their_data(dataset: Path) -> None:
    sizes = {"photographs": 96, "depth": 448}
    for event, size in sizes.items():
        challenge = spec.load(LIBRARY / event / "event.yaml").challenges[-1]
        kind = get_kind(challenge.kind)
        assert (challenge.id, kind.name, challenge.max_bytes) == ("task2", "onnx_inference", 100_000_000)
        assert challenge.config["input"] == {"shape": [3, size, size], "dtype": "uint8"}
        small = {"input": {"shape": [3, 64, 64], "dtype": "uint8"}, "output": {"shape": [1, 64, 64]}}
        config = challenge.config | small | {"samples": {"test": 6, "ranked": 10}}
        assert kind.validate_data(dataset, parse_config(kind, config)) == []


def test_the_sample_events_data_has_as_many_pictures_as_its_settings_say(tmp_path: Path) -> None:
    # Given the data as a first start makes it
    build_small(tmp_path / "data")
    challenge = spec.load(LIBRARY / "photographs/event.yaml").challenges[1]
    assert challenge.generator == "scoring_service.events.library.depth.data:build_small"

    # Then it fits, is small, and both hidden halves are equally many
    kind = get_kind(challenge.kind)
    assert kind.validate_data(tmp_path / "data", parse_config(kind, challenge.config)) == []
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.pt")) < 10e6
    assert len(names(tmp_path / "data/public/truth")) == len(names(tmp_path / "data/private/truth"))


@pytest.mark.parametrize("event", ["photographs", "depth"])
def test_accuracy_size_and_speed_all_matter_and_nothing_pays_twice(event: str) -> None:
    formula = ranked(spec.load(LIBRARY / event / "event.yaml").challenges[-1])
    large = formula.domains["size_mb"].high
    speed = "latency_ms" if "latency_ms" in formula.domains else "seconds"
    slow = formula.domains[speed].high
    quality = "accuracy" if "accuracy" in formula.domains else "depth_rmse"
    good, bad = (0.8, 0.4) if quality == "accuracy" else (0.1, 0.2)

    def score(accuracy: float = good, size: float = large / 10, time: float = slow / 10) -> float:
        return formula({quality: accuracy, "size_mb": size, speed: time})

    assert formula.faults() == []
    assert score() > 1.1 * score(accuracy=bad)
    assert score() > 1.1 * score(size=large / 3)
    assert score() > 1.1 * score(time=slow / 2)
    # Two bad factors never make a good one: beyond its domain a model gets nothing
    assert score(size=1.2 * large) == score(size=1.2 * large, time=1.2 * slow) == 0
    assert 0 <= score(time=1.2 * slow) < 0.02


def test_the_combined_board_has_the_weights_of_the_source_design() -> None:
    event = spec.load(LIBRARY / "photographs/event.yaml")
    parts = {part.challenge or part.manual: part.weight for part in event.combined}
    assert parts == {"task1": 0.6, "task2": 0.3, "talk": 0.1}

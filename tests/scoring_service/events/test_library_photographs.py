"""The sample event: what its data promises to participants and to the organiser."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from goat.baselines.image_reconstruction import do_nothing, reconstruct
from goat.errors import Invalid
from goat.kinds.base import get_kind, parse_config
from goat.readers import read_pt
from scoring_service.events import spec
from scoring_service.events.library import wheel_images
from scoring_service.events.library.photographs.data import PHOTOGRAPHS, build, tiles

EVENT = Path(spec.__file__).parent / "library" / "photographs" / "event.yaml"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    build(folder)
    return folder


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def mean_psnr(answers: Path, truth: Path) -> float:
    def psnr(name: str) -> float:
        difference = read_pt(answers / name).astype(np.float64) - read_pt(truth / name)
        return float(-10 * np.log10(np.mean(np.square(difference))))

    return float(np.mean([psnr(name) for name in sorted(names(truth))]))


def digest(values: NDArray[np.float32]) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def test_building_twice_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    # When
    build(tmp_path / "again")

    # Then
    def content(folder: Path) -> dict[str, str]:
        return {
            str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*.pt")
        }

    assert content(dataset) == content(tmp_path / "again")


def test_no_photograph_crosses_splits(dataset: Path) -> None:
    # Given every tile of every photograph, known by its split
    assert len({photograph.file for photograph in PHOTOGRAPHS}) == len(PHOTOGRAPHS)
    split_of_tile = {
        digest(tile): photograph.split for photograph in PHOTOGRAPHS for tile in tiles(photograph)
    }

    # Then each split's truth is made of its own photographs' tiles, and of all of them
    for split in ("sample", "public", "private"):
        found = [digest(read_pt(file)) for file in (dataset / split / "truth").iterdir()]
        assert sorted(found) == sorted(tile for tile, owner in split_of_tile.items() if owner == split)


def test_hidden_parts_hold_truth_only_and_together_answer_eval(dataset: Path) -> None:
    assert names(dataset) == {"sample", "eval", "public", "private"}
    assert names(dataset / "sample") == {"inputs", "truth"}
    assert names(dataset / "eval") == {"inputs"}
    assert names(dataset / "public") == names(dataset / "private") == {"truth"}

    public, private = names(dataset / "public/truth"), names(dataset / "private/truth")
    assert len(public) == len(private) == 48
    assert not public & private
    assert public | private == names(dataset / "eval/inputs")
    assert names(dataset / "sample/inputs") == names(dataset / "sample/truth")


def test_no_truth_of_a_hidden_split_is_published(dataset: Path) -> None:
    def digests(*parts: str) -> set[str]:
        return {digest(read_pt(file)) for part in parts for file in (dataset / part).iterdir()}

    published = digests("sample/inputs", "sample/truth", "eval/inputs")
    assert not published & digests("public/truth", "private/truth")


def test_eval_files_do_not_tell_their_split(dataset: Path) -> None:
    # Given
    public = names(dataset / "public/truth")
    files = sorted((dataset / "eval/inputs").iterdir())

    # Then neither size nor time differs, and the splits alternate as chance would have it
    assert len({(file.stat().st_size, file.stat().st_mtime) for file in files}) == 1
    changes = sum((a.name in public) != (b.name in public) for a, b in pairwise(files))
    assert 30 <= changes <= 66


def test_tiles_have_the_announced_form_and_mark_what_was_lost(dataset: Path) -> None:
    for inputs, truth in (("sample", "sample"), ("eval", "public"), ("eval", "private")):
        for file in (dataset / truth / "truth").iterdir():
            image, original = read_pt(dataset / inputs / "inputs" / file.name), read_pt(file)
            assert image.shape == original.shape == (3, 96, 96)
            assert image.dtype == original.dtype == np.float32
            assert original.min() >= 0
            assert original.max() <= 1
            lost = image == 0
            assert (lost.all(axis=0) == lost.any(axis=0)).all()
            assert 0.02 < lost.mean() < 0.3
            assert image[~lost].min() >= np.float32(1 / 255)
            assert image.max() <= 1


def test_public_and_private_are_alike_in_difficulty(dataset: Path, tmp_path: Path) -> None:
    do_nothing(dataset / "eval/inputs", tmp_path)

    public, private = (mean_psnr(tmp_path, dataset / split / "truth") for split in ("public", "private"))

    assert abs(public - private) < 1.0


def test_the_baseline_beats_doing_nothing(dataset: Path, tmp_path: Path) -> None:
    # When
    inputs, truth = dataset / "sample/inputs", dataset / "sample/truth"
    assert do_nothing(inputs, tmp_path / "nothing") == 24
    assert reconstruct(inputs, tmp_path / "baseline") == 24

    # Then the event's text tells the truth about both, and the gap is far beyond 2 dB
    assert mean_psnr(tmp_path / "nothing", truth) == pytest.approx(16, abs=1.5)
    assert mean_psnr(tmp_path / "baseline", truth) == pytest.approx(32, abs=1.5)


def test_the_data_is_small(dataset: Path) -> None:
    assert sum(file.stat().st_size for file in dataset.rglob("*.pt")) < 40e6


def test_the_event_file_is_sound_and_fits_its_data(dataset: Path) -> None:
    event = spec.load(EVENT)

    challenge = event.challenges[0]
    kind = get_kind(challenge.kind)
    assert kind.validate_data(dataset, parse_config(kind, challenge.config)) == []
    assert challenge.id == "task1"


def test_data_is_never_written_over_other_data(dataset: Path) -> None:
    with pytest.raises(Invalid, match="not empty"):
        build(dataset)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wheel_images, "find_spec", lambda _name: None)

    with pytest.raises(Invalid, match=r"skimage: pip install 'mls-goat\[server,sample\]'"):
        build(tmp_path / "data")


def test_an_image_that_the_package_no_longer_ships_is_named() -> None:
    with pytest.raises(Invalid, match=r"no longer ships unicorn\.png"):
        wheel_images.find("skimage/unicorn.png")

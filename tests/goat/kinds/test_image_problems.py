"""T9 and bad input: everything wrong with a submission is said at once, in words that help."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from goat.errors import Problem, Rejection
from goat.kinds.base import InlineRunner
from goat.kinds.image_reconstruction import KIND
from goat.kinds.images.inspection import Inspection, Place
from goat.kinds.images.opening import open_images
from goat.readers import write_pt, write_stacked_pt
from goat.records import Mode
from tests.goat.kinds.challenges import SHAPE, Challenge, ChildRunner, make_challenge, write_folder
from tests.goat.readers.hostile import exploit_pickle, write_pickle, zip_bytes

Images = dict[str, NDArray[Any]]


@pytest.fixture
def challenge(tmp_path: Path) -> Challenge:
    return make_challenge(tmp_path / "data")


def problems(challenge: Challenge, path: Path, mode: Mode = "test") -> list[Problem]:
    """What is wrong, which the dry check and the evaluation (in a child) must agree on."""
    found = KIND.check(path, challenge.config, mode)
    for runner in (InlineRunner(), ChildRunner()):
        with pytest.raises(Rejection) as refusal:
            KIND.evaluate(path, challenge.config, mode, challenge, runner)
        assert list(refusal.value.problems) == found
    for problem in found:
        assert problem.message.isprintable()
    return found


def test_a_good_submission_has_no_problems(challenge: Challenge, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "good", challenge.good_images("ranked"))
    assert KIND.check(folder, challenge.config, "ranked") == []


def test_all_problems_are_listed_at_once(challenge: Challenge, tmp_path: Path) -> None:
    # Given a folder in which everything is wrong somewhere
    images = challenge.good_images("ranked")
    images["sample_0000.pt"] = images["sample_0000.pt"].astype(np.float64)
    images["sample_0001.pt"] = np.moveaxis(images["sample_0001.pt"], 0, -1)
    images["sample_0002.pt"][1, 2, 3] = np.nan
    images["sample_0003.pt"][0, 0, 0] = 1.5
    del images["sample_0005.pt"]
    images["notes.pt"] = np.zeros(3, np.float32)
    folder = write_folder(tmp_path / "bad", images)
    write_pickle(folder / "sample_0006.pt", exploit_pickle("id"))
    # When
    found = problems(challenge, folder, "ranked")
    # Then each has its code and its file
    assert {(problem.code, problem.file) for problem in found} == {
        ("missing_files", None),
        ("bad_layout", None),
        ("wrong_dtype", "sample_0000.pt"),
        ("wrong_shape", "sample_0001.pt"),
        ("non_finite", "sample_0002.pt"),
        ("out_of_range", "sample_0003.pt"),
        ("forbidden_global", "sample_0006.pt"),
    }
    messages = " ".join(problem.message for problem in found)
    for hint in ("sample_0005.pt", "notes.pt", ".float()", ".movedim(-1, 0)", "1 of 960", "0.01", "1.5"):
        assert hint in messages


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_single_value_that_is_not_finite_is_found(challenge: Challenge, tmp_path: Path, bad: float) -> None:
    images = challenge.good_images("test")
    images["sample_0001.pt"][2, 15, 19] = bad
    (problem,) = problems(challenge, write_folder(tmp_path / "bad", images))
    assert (problem.code, problem.file) == ("non_finite", "sample_0001.pt")


@pytest.mark.parametrize(
    ("value", "accepted"), [(1.0099, True), (-0.0099, True), (1.011, False), (-0.011, False), (-0.0, True)]
)
def test_the_tolerance_of_the_range_is_kept_at_both_ends(
    challenge: Challenge, tmp_path: Path, value: float, accepted: bool
) -> None:
    images = challenge.good_images("test")
    images["sample_0001.pt"][0, 0, 0] = value
    folder = write_folder(tmp_path / "edge", images)
    if accepted:
        assert KIND.check(folder, challenge.config, "test") == []
    else:
        assert [problem.code for problem in problems(challenge, folder)] == ["out_of_range"]


def test_uint8_values_beyond_a_smaller_range_are_found(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path / "data", "uint8", data_range=200.0, range_tolerance=0.0)
    images = challenge.good_images("test")
    images["sample_0002.pt"][0, 0, 0] = 201
    (problem,) = problems(challenge, write_folder(tmp_path / "bad", images))
    assert problem.code == "out_of_range"


@pytest.mark.parametrize(
    "shape", [(1, 3, 16, 20), (1, 16, 20), (3, 16, 1), (16, 20), (), (0, 16, 20), (3, 20, 16)]
)
def test_shapes_that_numpy_would_broadcast_are_refused(
    challenge: Challenge, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    images = challenge.good_images("test")
    images["sample_0000.pt"] = np.zeros(shape, np.float32)
    (problem,) = problems(challenge, write_folder(tmp_path / "bad", images))
    assert (problem.code, problem.file) == ("wrong_shape", "sample_0000.pt")
    assert "expected (3, 16, 20)" in problem.message


def test_alike_problems_of_many_files_become_one_sentence(challenge: Challenge, tmp_path: Path) -> None:
    images = {name: image.astype(np.float64) for name, image in challenge.good_images("ranked").items()}
    del images["sample_0003.pt"]
    missing, wrong = problems(challenge, write_folder(tmp_path / "bad", images), "ranked")
    assert missing.message == "1 of 8 files are missing: sample_0003.pt"
    assert wrong.message.startswith("7 files: dtype is float64, expected float32")
    assert wrong.message.endswith("(sample_0000.pt–sample_0002.pt, sample_0004.pt–sample_0007.pt)")


def test_files_of_the_other_mode_are_recognised(challenge: Challenge, tmp_path: Path) -> None:
    # Given sample reconstructions where the ranked ones are asked for, and the other way round
    sample = write_folder(tmp_path / "sample", challenge.good_images("test"))
    ranked = write_folder(tmp_path / "ranked", challenge.good_images("ranked"))
    assert "mode='test'" in problems(challenge, sample, "ranked")[0].message
    assert "mode='ranked'" in problems(challenge, ranked, "test")[0].message


def test_one_good_file_does_not_earn_a_score(challenge: Challenge, tmp_path: Path) -> None:
    """Defect 2 of the source design."""
    images = challenge.good_images("ranked")
    only = write_folder(tmp_path / "only", {"sample_0000.pt": images["sample_0000.pt"]})
    assert [problem.code for problem in problems(challenge, only, "ranked")] == ["missing_files"]
    raw = tmp_path / "raw.pt"
    write_pt(raw, images["sample_0000.pt"])
    assert [problem.code for problem in problems(challenge, raw, "ranked")] == ["wrong_shape"]


def test_files_that_occur_twice_are_named(challenge: Challenge, tmp_path: Path) -> None:
    images = challenge.good_images("test")
    folder = write_folder(tmp_path / "twice", images)
    write_folder(folder / "old", {"sample_0001.pt": images["sample_0001.pt"]})
    found = problems(challenge, folder)
    assert {problem.code for problem in found} == {"bad_layout"}
    assert any("twice" in problem.message and "sample_0001.pt" in problem.message for problem in found)


def test_an_empty_folder_misses_everything(challenge: Challenge, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (problem,) = problems(challenge, tmp_path / "empty", "ranked")
    assert problem.message == "8 of 8 files are missing: sample_0000.pt–sample_0007.pt"


def test_thousands_of_hostile_names_make_one_short_problem(challenge: Challenge, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_bytes({f"<img onerror=x>\u202e{i}.pt": b"" for i in range(3000)}))
    found = problems(challenge, path)
    assert [problem.code for problem in found] == ["missing_files", "bad_layout"]
    assert len(found[1].message) < 1500
    assert "\u202e" not in found[1].message


def test_an_unreadable_archive_is_one_problem(challenge: Challenge, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"hello")
    assert [problem.code for problem in problems(challenge, path)] == ["bad_archive"]


@pytest.mark.filterwarnings("ignore")  # torch warns of its old format
def test_a_stack_in_torchs_old_format_says_how_to_resave(challenge: Challenge, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save(torch.zeros(3, *SHAPE), path, _use_new_zipfile_serialization=False)
    (problem,) = problems(challenge, path)
    assert problem.code == "unsupported_container"
    assert "torch.save(" in problem.message


def test_stacks_of_the_wrong_length_or_dtype_are_refused(challenge: Challenge, tmp_path: Path) -> None:
    path = tmp_path / "stack.pt"
    images = challenge.good_images("ranked")
    write_stacked_pt(path, iter(images.values()), 8, dtype="float32", shape=SHAPE)
    (problem,) = problems(challenge, path, "test")
    assert problem.code == "wrong_shape"
    assert "mode='ranked'" in problem.message
    write_pt(path, np.zeros((3, *SHAPE)))
    assert [problem.code for problem in problems(challenge, path, "test")] == ["wrong_dtype"]


def test_a_bad_value_in_a_stack_names_its_image(challenge: Challenge, tmp_path: Path) -> None:
    stack = np.stack(list(challenge.good_images("test").values()))
    stack[1, 0, 0, 0] = np.nan
    write_pt(tmp_path / "stack.pt", stack)
    (problem,) = problems(challenge, tmp_path / "stack.pt")
    assert (problem.code, problem.file) == ("non_finite", "sample_0001.pt")


def test_deflated_files_of_a_wrong_dtype_are_still_named_as_such(
    challenge: Challenge, tmp_path: Path
) -> None:
    images = {name: image.astype(np.float64) for name, image in challenge.good_images("test").items()}
    folder = write_folder(tmp_path / "wide", images)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    assert {problem.code for problem in problems(challenge, tmp_path / "x.zip")} == {"wrong_dtype"}


def test_a_bomb_among_the_files_is_refused_in_bounded_memory(challenge: Challenge, tmp_path: Path) -> None:
    bomb = zip_bytes(dict.fromkeys(challenge.config.names("test"), b"\x00" * 30000000), zipfile.ZIP_DEFLATED)
    (tmp_path / "x.zip").write_bytes(bomb)
    assert [problem.code for problem in problems(challenge, tmp_path / "x.zip")] == ["bad_archive"]


@pytest.mark.parametrize(
    "place",
    [
        Place(-1, 3840),
        Place(1 << 40, 3840),
        Place(0, 10**9),
        Place(0, 4),
        Place(3000, 3840),
        Place(0, 3840, (0, 1 << 40, 3840)),
        Place(0, 3840, (-5, 10, 3840)),
        Place(0, 3840, (0, 100, 1 << 50)),
        Place(0, 3840, (0, 100, 3840)),
    ],
)
def test_a_child_that_lies_about_places_reads_nothing_beyond_the_file(
    challenge: Challenge, tmp_path: Path, place: Place
) -> None:
    artifact = tmp_path / "x.zip"
    artifact.write_bytes(b"\0" * 5000)
    lie = Inspection("zip", {"sample_0000.pt": place}, [])
    with pytest.raises(Rejection):
        list(open_images(artifact, lie, challenge.config, challenge.config.names("test")))


def test_a_child_that_forgets_images_earns_no_score(challenge: Challenge, tmp_path: Path) -> None:
    class Forgetful:
        def call(self, function: Any, *args: Any, limits: Any) -> Any:
            honest = function(*args)
            return honest._replace(places=dict(list(honest.places.items())[:1]))

    folder = write_folder(tmp_path / "good", challenge.good_images("test"))
    with pytest.raises(Rejection) as refusal:
        KIND.evaluate(folder, challenge.config, "test", challenge, Forgetful())
    assert refusal.value.verdict == "missing_files"

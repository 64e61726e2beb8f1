"""One submission, one score: whatever its form, its dtype, and wherever it is computed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from goat.errors import Rejection
from goat.kinds.base import InlineRunner, Outcome
from goat.kinds.image_reconstruction import KIND
from goat.kinds.images import measuring
from goat.readers import write_stacked_pt
from goat.readers.archive import list_collection
from goat.records import Mode
from goat.scoring import squared_error as squared_error_module
from goat.scoring.psnr import psnr
from goat.scoring.sam import sam
from goat.scoring.ssim import ssim
from tests.goat.kinds.challenges import SHAPE, WEIGHTED, Challenge, ChildRunner, make_challenge, write_folder

Images = dict[str, NDArray[Any]]


def as_folder(folder: Path, images: Images) -> Path:
    return write_folder(folder / "submission", images)


def as_packed(folder: Path, images: Images) -> Path:
    source = write_folder(folder / "to_pack", images)
    target = folder / "packed.zip"
    with KIND.pack(source, None, "test") as upload:  # type: ignore[arg-type]
        target.write_bytes(upload.path.read_bytes())
    return target


def as_deflated(folder: Path, images: Images) -> Path:
    source = write_folder(folder / "my results", images)
    target = folder / "deflated.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in source.iterdir():
            archive.write(path, f"my results/{path.name}")
    return target


def as_misaligned(folder: Path, images: Images) -> Path:
    source = write_folder(folder / "plain", images)
    target = folder / "plain.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, f"ab/{path.name}")
    assert any(member.offset % 4 for member in list_collection(target, max_bytes=0).members)
    return target


def as_stacked(folder: Path, images: Images) -> Path:
    first = next(iter(images.values()))
    target = folder / "stacked.pt"
    write_stacked_pt(target, iter(images.values()), len(images), dtype=first.dtype.name, shape=SHAPE)
    return target


FORMS = [as_folder, as_packed, as_deflated, as_misaligned, as_stacked]


def evaluate(challenge: Challenge, artifact: Path, mode: Mode, runner: Any = None) -> Outcome:
    return KIND.evaluate(artifact, challenge.config, mode, challenge, runner or InlineRunner())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_dry_run_and_the_server_give_the_same_score_for_every_form(
    tmp_path: Path, dtype: str, form: Callable[[Path, Images], Path]
) -> None:
    # Given a folder on a laptop without OpenCV, and what was uploaded of it
    challenge = make_challenge(
        tmp_path / "data", dtype, formula=WEIGHTED, unit="", domains={"sam": {"from": 0, "to": 90}}
    )
    images = challenge.good_images("test")
    local_folder = write_folder(tmp_path / "local", images)
    uploaded = form(tmp_path, images)
    # When both are scored, the one here with NumPy alone, the other through a child process
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(squared_error_module, "fastest", lambda: squared_error_module.numpy_squared_error)
        dry_run = evaluate(challenge, local_folder, "test", InlineRunner())
    server = evaluate(challenge, uploaded, "test", ChildRunner())
    # Then not one digit differs
    assert dry_run.scores == server.scores
    assert set(dry_run.scores) == {"sample"}
    assert set(dry_run.scores["sample"]) == {"score", "psnr", "ssim", "sam"}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_score_is_the_mean_psnr_of_the_definition(tmp_path: Path, dtype: str) -> None:
    challenge = make_challenge(tmp_path, dtype)
    images = challenge.good_images("test")
    outcome = evaluate(challenge, as_folder(tmp_path, images), "test")
    expected = np.mean(
        [
            psnr(images[name], truth, data_range=challenge.peak)
            for name, truth in challenge.truth["sample"].items()
        ]
    )
    score = outcome.scores["sample"]["score"]
    assert score.value == score.low == score.high == pytest.approx(expected, abs=1e-6)
    assert set(outcome.scores["sample"]) == {"score", "psnr"}


def test_the_weighted_form_combines_the_three_means(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path, formula=WEIGHTED)
    images = challenge.good_images("test")
    means = {
        key: measure.value
        for key, measure in evaluate(challenge, as_folder(tmp_path, images), "test").scores["sample"].items()
    }
    pairs = [(images[name], truth) for name, truth in challenge.truth["sample"].items()]
    assert means["ssim"] == pytest.approx(np.mean([ssim(a, b, data_range=1.0) for a, b in pairs]), abs=1e-6)
    assert means["sam"] == pytest.approx(np.mean([sam(a, b) for a, b in pairs]), abs=1e-6)
    by_hand = 0.7 * means["psnr"] / 50 + 0.15 * means["ssim"] + 0.15 * (1 - means["sam"] / 90)
    assert means["score"] == pytest.approx(by_hand, abs=2e-6)


def test_a_ranked_submission_has_a_public_and_a_private_score_over_disjoint_images(tmp_path: Path) -> None:
    # Given a submission whose private images are much better than its public ones
    challenge = make_challenge(tmp_path)
    images = challenge.good_images("ranked", noise=0.2)
    images |= {
        name: image
        for name, image in challenge.good_images("ranked", noise=0.001).items()
        if name in challenge.truth["private"]
    }
    # When
    scores = evaluate(challenge, as_folder(tmp_path, images), "ranked").scores
    # Then each split has its own mean
    assert set(scores) == {"public", "private"}
    assert scores["private"]["score"].value > scores["public"]["score"].value + 20


def test_no_number_of_a_single_image_leaves_the_evaluation(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path)
    outcome = evaluate(challenge, as_folder(tmp_path, challenge.good_images("ranked")), "ranked")
    numbers = [measure for split in outcome.scores.values() for measure in split.values()]
    assert len(numbers) == 4  # a mean PSNR and a score of each split


def test_a_perfect_submission_gets_exactly_the_cap(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path, psnr_cap=42.0)
    perfect = as_folder(tmp_path, challenge.truth["sample"])
    assert evaluate(challenge, perfect, "test").scores["sample"]["score"].value == 42.0


def test_values_within_the_tolerance_are_clamped_in_every_path(tmp_path: Path) -> None:
    # Given an image that leaves the range a little, and the same one clamped by its author
    challenge = make_challenge(tmp_path)
    images = challenge.good_images("test")
    beyond = {name: image.copy() for name, image in images.items()}
    for image in beyond.values():
        image[0, :4] = np.float32(1.009)
        image[1, :4] = np.float32(-0.009)
    clamped = {name: np.clip(image, 0, 1) for name, image in beyond.items()}
    # Then they are worth the same
    assert (
        evaluate(challenge, write_folder(tmp_path / "beyond", beyond), "test").scores
        == evaluate(challenge, write_folder(tmp_path / "clamped", clamped), "test").scores
    )


def test_a_score_on_the_edge_of_two_published_values_is_computed_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given every score being in doubt
    challenge = make_challenge(tmp_path)
    folder = as_folder(tmp_path, challenge.good_images("test"))
    expected = evaluate(challenge, folder, "test").scores
    asked = []
    monkeypatch.setattr(measuring, "is_ambiguous", lambda value: asked.append(value) or True)
    # When both arithmetic paths are tried
    with_opencv = evaluate(challenge, folder, "test").scores
    monkeypatch.setattr(squared_error_module, "fastest", lambda: squared_error_module.numpy_squared_error)
    with_numpy = evaluate(challenge, folder, "test").scores
    # Then the exact sums decide, and agree
    assert asked
    assert with_opencv == with_numpy == expected


def test_a_domain_that_refuses_gives_a_verdict(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path, domains={"psnr": {"from": 40, "to": 50, "outside": "reject"}})
    folder = as_folder(tmp_path, challenge.good_images("test", noise=0.3))
    with pytest.raises(Rejection, match="outside") as refusal:
        evaluate(challenge, folder, "test")
    assert refusal.value.verdict == "out_of_domain"


def test_truth_that_does_not_cover_the_images_is_the_organisers_fault(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path)
    folder = as_folder(tmp_path, challenge.good_images("ranked"))
    next((tmp_path / "private" / "truth").iterdir()).unlink()
    with pytest.raises(RuntimeError, match="truth"):
        evaluate(challenge, folder, "ranked")


def test_truth_is_read_once(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path)
    folder = as_folder(tmp_path, challenge.good_images("test"))
    first = evaluate(challenge, folder, "test")
    for path in (tmp_path / "sample" / "truth").iterdir():
        path.unlink()
    assert evaluate(challenge, folder, "test").scores == first.scores


def test_a_verdict_on_hidden_images_names_no_metric_of_theirs(tmp_path: Path) -> None:
    challenge = make_challenge(tmp_path, domains={"psnr": {"from": 40, "to": 50, "outside": "reject"}})
    folder = as_folder(tmp_path, challenge.good_images("ranked", noise=0.3))
    with pytest.raises(Rejection) as refusal:
        evaluate(challenge, folder, "ranked")
    assert refusal.value.verdict == "out_of_domain"
    assert not any(character.isdigit() for character in str(refusal.value))

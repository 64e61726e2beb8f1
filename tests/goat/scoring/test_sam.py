"""The spectral angle against torchmetrics, and its special pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import spectral_angle_mapper

from goat.scoring.sam import sam


@pytest.mark.parametrize("bands", [3, 29])
def test_sam_equals_torchmetrics(bands: int) -> None:
    rng = np.random.default_rng(bands)
    target = rng.random((bands, 20, 30))
    image = np.clip(target + rng.normal(size=target.shape) * 0.1, 0, 1)
    theirs = spectral_angle_mapper(torch.from_numpy(image)[None], torch.from_numpy(target)[None])
    assert sam(image, target) == pytest.approx(math.degrees(float(theirs)), abs=1e-6)


def test_brightness_does_not_matter() -> None:
    target = np.random.default_rng(0).random((5, 6, 7)) + 0.1
    assert sam(target * 0.5, target) == pytest.approx(0.0, abs=1e-5)


def test_black_pixels_have_an_angle_too() -> None:
    black, grey = np.zeros((3, 2, 2)), np.full((3, 2, 2), 0.5)
    assert sam(black, black) == 0.0
    assert sam(black, grey) == sam(grey, black) == 90.0


def test_opposite_spectra_are_half_a_turn_apart() -> None:
    grey = np.full((3, 2, 2), 0.5)
    assert sam(-grey, grey) == pytest.approx(180.0)


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ValueError, match="SAM"):
        sam(np.zeros((3, 2, 2)), np.zeros((1, 2, 2)))

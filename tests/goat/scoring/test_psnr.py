"""PSNR against the definition, scikit-image and torchmetrics, and its finite ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from goat.scoring.psnr import exact_mean_psnr, mean_psnr, psnr, psnr_of_error


@pytest.mark.parametrize(("dtype", "peak"), [("uint8", 255.0), ("float32", 1.0)])
@pytest.mark.parametrize("noise", [0.2, 0.01, 0.0005])
def test_psnr_equals_scikit_image_and_torchmetrics(dtype: str, peak: float, noise: float) -> None:
    # Given a picture and a noisy copy
    rng = np.random.default_rng(3)
    target = (rng.random((3, 61, 47)) * peak).astype(dtype)
    image = np.clip(target + rng.normal(size=target.shape) * noise * peak, 0, peak).astype(dtype)
    # When it is measured here and by others (in float64, as scikit-image's float32 means are coarse)
    ours = psnr(image, target, data_range=peak)
    wide, wide_target = image.astype(np.float64), target.astype(np.float64)
    theirs = peak_signal_noise_ratio(wide_target, wide, data_range=peak)
    metrics = torchmetrics_psnr(torch.from_numpy(wide), torch.from_numpy(wide_target), data_range=peak)
    # Then all agree
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert ours == pytest.approx(float(metrics), abs=1e-4)


def test_a_perfect_image_gets_the_declared_cap_and_never_infinity() -> None:
    image = np.full((3, 8, 8), 0.25, dtype=np.float32)
    assert psnr(image, image.copy(), data_range=1.0, cap=50.0) == 50.0


def test_a_nearly_perfect_image_never_beats_a_perfect_one() -> None:
    # Given an error so small that the bare formula would exceed the cap
    target = np.full((3, 8, 8), 0.25, dtype=np.float32)
    image = target.copy()
    image[0, 0, 0] += np.float32(1e-5)
    # Then the cap holds
    assert psnr(image, target, data_range=1.0, cap=50.0) == 50.0


@given(st.lists(st.floats(1e-9, 1e6), min_size=2, max_size=30))
def test_less_error_is_never_worse(errors: list[float]) -> None:
    values = [psnr_of_error(error, 1000, data_range=1.0, cap=50.0) for error in sorted(errors)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_values_that_are_not_finite_have_no_psnr(error: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        psnr_of_error(error, 10, data_range=1.0)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40), st.randoms())
def test_the_mean_does_not_depend_on_the_order_of_the_images(errors: list[float], random: object) -> None:
    shuffled = sorted(errors, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert mean_psnr(shuffled, 64, data_range=1.0) == mean_psnr(errors, 64, data_range=1.0)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=20))
def test_decimal_logarithms_give_the_same_mean(errors: list[float]) -> None:
    fast = mean_psnr(errors, 640, data_range=255.0, cap=60.0)
    assert exact_mean_psnr(errors, 640, data_range=255.0, cap=60.0) == pytest.approx(fast, abs=1e-12)

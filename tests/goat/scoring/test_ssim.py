"""SSIM as the source design defines it, against scikit-image where the two are comparable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from goat.scoring.ssim import ssim, ssim_map

BORDER = 3


def picture(
    seed: int, shape: tuple[int, ...] = (3, 40, 33), noise: float = 0.1
) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    target = rng.random(shape)
    return np.clip(target + rng.normal(size=shape) * noise, 0, 1), target


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_the_interior_of_the_map_is_scikit_images(noise: float) -> None:
    # Given
    (image,), (target,) = picture(1, (1, 40, 33), noise)
    # When scikit-image computes its full map with a uniform window and biased covariance
    _, theirs = structural_similarity(
        image, target, win_size=7, data_range=1.0, use_sample_covariance=False, full=True
    )
    # Then the maps are equal where no border is involved
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    np.testing.assert_allclose(ssim_map(image, target, data_range=1.0)[inner], theirs[inner], atol=1e-10)


def test_the_border_is_padded_with_zeros() -> None:
    # Given a second implementation of the definition, by scipy's filter
    (image,), (target,) = picture(2, (1, 21, 24))

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(uniform_filter(values, 7, mode="constant", cval=0.0))

    mx, my = mean(image), mean(target)
    vx, vy = mean(image * image) - mx * mx, mean(target * target) - my * my
    cov = mean(image * target) - mx * my
    expected = ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    # Then the whole map agrees, border and all
    np.testing.assert_allclose(ssim_map(image, target, data_range=1.0), expected, atol=1e-10)


def test_torchmetrics_agrees_on_the_interior() -> None:
    # Given: torchmetrics pads by reflection, then crops; its window is uniform on demand
    image, target = picture(3)
    value, theirs = structural_similarity_index_measure(
        torch.from_numpy(image)[None],
        torch.from_numpy(target)[None],
        gaussian_kernel=False,
        kernel_size=7,
        data_range=1.0,
        return_full_image=True,
    )
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    for band in range(3):
        ours = ssim_map(image[band], target[band], data_range=1.0)
        np.testing.assert_allclose(ours[inner], theirs[0, band].numpy()[inner], atol=1e-6)
    assert ssim(image, target, data_range=1.0) == pytest.approx(float(value), abs=0.05)


def test_the_value_is_the_mean_over_bands_and_pixels() -> None:
    image, target = picture(4)
    maps = [ssim_map(a, b, data_range=1.0) for a, b in zip(image, target, strict=True)]
    assert ssim(image, target, data_range=1.0) == pytest.approx(float(np.mean(maps)), abs=1e-12)


def test_uint8_pictures_use_their_own_range() -> None:
    image, target = picture(5)
    as_bytes = [np.round(x * 255).astype(np.uint8) for x in (image, target)]
    as_floats = [x / 255.0 for x in as_bytes]
    assert ssim(*as_bytes, data_range=255.0) == pytest.approx(ssim(*as_floats, data_range=1.0), abs=1e-9)


def test_an_image_is_most_similar_to_itself_and_small_images_work() -> None:
    for shape in [(1, 1, 1), (2, 3, 9), (29, 8, 8)]:
        image, target = picture(6, shape)
        assert ssim(target, target, data_range=1.0) == pytest.approx(1.0, abs=1e-12)
        assert ssim(image, target, data_range=1.0) <= 1.0


def test_shapes_must_be_equal_and_three_dimensional() -> None:
    with pytest.raises(ValueError, match="SSIM"):
        ssim(np.zeros((3, 8, 8)), np.zeros((1, 8, 8)), data_range=1.0)
    with pytest.raises(ValueError, match="SSIM"):
        ssim(np.zeros((8, 8)), np.zeros((8, 8)), data_range=1.0)

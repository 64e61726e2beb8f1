"""The numerics of the image reconstruction baseline."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from goat.baselines.restoration import fill_missing, noise_level, restore


def ramp(channels: int = 3, size: int = 48) -> NDArray[np.float32]:
    """A smooth image: brightness rises from left to right, a little less in every further channel."""
    line = np.linspace(0.2, 0.8, size, dtype=np.float32)
    return np.stack([np.tile(line * (1 - 0.1 * channel), (size, 1)) for channel in range(channels)])


def test_the_noise_level_is_found_even_under_strong_grey_texture() -> None:
    # Given black and white noise as texture, alike in all channels, and sensor noise of 0.05
    rng = np.random.default_rng(0)
    texture = np.repeat(rng.random((1, 96, 96)), 3, axis=0)
    image = (texture + rng.normal(0, 0.05, (3, 96, 96))).astype(np.float32)

    level = noise_level(image, np.ones(image.shape, bool))

    assert level == pytest.approx(0.05, rel=0.05)


def test_what_is_missing_is_filled_and_what_was_measured_is_kept() -> None:
    image = ramp()
    measured = np.ones(image.shape, bool)
    measured[:, 10:22, 10:22] = False  # wider than the first reach

    filled = fill_missing(np.where(measured, image, 0), measured)

    assert (filled[measured] == image[measured]).all()
    assert np.abs(filled - image).max() < 0.15


def test_a_noisy_image_with_holes_is_restored() -> None:
    rng = np.random.default_rng(0)
    image = ramp()
    damaged = np.clip(image + rng.normal(0, 0.05, image.shape), 0.01, 1).astype(np.float32)
    damaged[:, rng.random(image.shape[1:]) < 0.1] = 0

    restored = restore(damaged)

    assert restored.dtype == np.float32
    assert np.square(restored - image).mean() < 0.05**2 / 10


def test_a_clean_image_is_left_nearly_alone() -> None:
    image = ramp()

    assert np.abs(restore(image) - image).max() < 0.005


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_image_without_any_content_yields_a_valid_answer(value: float) -> None:
    restored = restore(np.full((3, 16, 16), value, np.float32))

    assert np.isfinite(restored).all()
    assert restored.min() >= 0
    assert restored.max() <= 1


@pytest.mark.parametrize("shape", [(96, 96), (3, 4, 96)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="channels, height, width"):
        restore(np.zeros(shape, np.float32))

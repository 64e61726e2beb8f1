"""What happened to the photographs: a slight blur, the sensor's noise, and pixels that are lost.

The order is that of a camera: the lens blurs, the sensor adds noise that grows with the light, the
reading loses single pixels, whole lines and, later, what a scratch on the plate covers. The damaged
image is stored in 8 bits. A lost pixel is 0 in all three channels; a measured value is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Damage:
    """How much of each; an image in [0, 1] of 96 × 96 pixels is the measure."""

    blur: float
    """Standard deviation of the lens blur, in pixels."""
    read_noise: float
    """Standard deviation of the noise in the dark."""
    shot_noise: float
    """What full light adds to it (in quadrature)."""
    lost_pixels: float
    """Share of single pixels lost."""
    lost_lines: int
    """Rows or columns lost."""
    scratches: int
    """Lines of 1 to 3 pixels width at any angle."""


LEVELS: tuple[Damage, ...] = (
    Damage(blur=0.0, read_noise=0.02, shot_noise=0.05, lost_pixels=0.02, lost_lines=1, scratches=1),
    Damage(blur=0.4, read_noise=0.03, shot_noise=0.09, lost_pixels=0.04, lost_lines=2, scratches=1),
    Damage(blur=0.6, read_noise=0.04, shot_noise=0.13, lost_pixels=0.07, lost_lines=3, scratches=2),
)
"""Light, medium, heavy; every photograph gets all of them in turn."""


def damaged(truth: Image, damage: Damage, rng: np.random.Generator) -> Image:
    """A damaged copy. truth: shape (3, height, width), float32 in [0, 1]; the result likewise."""
    light = _blurred(truth, damage.blur) if damage.blur else truth
    deviation = np.sqrt(damage.read_noise**2 + damage.shot_noise**2 * light)
    noisy = light + deviation * rng.standard_normal(truth.shape)
    # 8 bits; a measured value is at least 1/255, because 0 means lost.
    stored = np.clip(np.rint(noisy * 255.0), 1, 255)
    stored[:, lost(truth.shape[1], truth.shape[2], damage, rng)] = 0
    result: Image = (stored / 255.0).astype(np.float32)
    return result


def lost(height: int, width: int, damage: Damage, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask (height, width) of the pixels that were lost."""
    mask = rng.random((height, width)) < damage.lost_pixels
    for _ in range(damage.lost_lines):
        if rng.random() < 0.5:
            mask[rng.integers(height), :] = True
        else:
            mask[:, rng.integers(width)] = True
    rows, columns = np.mgrid[:height, :width]
    for _ in range(damage.scratches):
        angle, thickness = rng.uniform(0, np.pi), rng.uniform(1.0, 3.0)
        across = np.cos(angle) * (columns - rng.uniform(0.2, 0.8) * width)
        across = across + np.sin(angle) * (rows - rng.uniform(0.2, 0.8) * height)
        mask |= np.abs(across) < thickness / 2
    return mask


def _blurred(image: Image, sigma: float) -> Image:
    """Gaussian blur with mirrored borders; sigma well below one pixel, so five taps suffice."""
    offsets = np.arange(-2, 3)
    kernel = np.exp(-0.5 * np.square(offsets / sigma))
    kernel /= kernel.sum()
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    vertical = sum(k * padded[:, i : i + height, :] for i, k in enumerate(kernel))
    return np.asarray(sum(k * vertical[:, :, i : i + width] for i, k in enumerate(kernel)))

"""Restoring a damaged image with NumPy alone: fill what is missing, then shrink sliding DCT patches.

The classical recipe: an image is sparse in the cosine transform of small overlapping patches, noise
is not. Channels are rotated by a cosine transform first (for RGB: brightness and two colour
differences), because colour and spectrum change more slowly than brightness.

All images are float32 arrays of shape (channels, height, width) with values in [0, 1].
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

PATCH = 8
"""Edge of a patch in pixels."""

_FILL_ROUNDS = (8.0, 4.0)
"""Shrinkage of the passes that only improve the filled pixels, in noise levels: coarse, then finer."""

_MIN_NOISE = 2e-3


def restore(damaged: Image, measured: Mask | None = None) -> Image:
    """The best guess at the image before the damage.

    damaged: shape (channels, height, width), float32 in [0, 1].
    measured: same shape, True where the value was measured; by default wherever it is not 0.
    Returns float32 of the same shape in [0, 1]. Raises ValueError for other shapes.
    """
    if damaged.ndim != 3 or min(damaged.shape[1:]) < PATCH:
        raise ValueError(f"expected (channels, height, width), {PATCH} pixels or more, not {damaged.shape}")
    if measured is None:
        measured = damaged != 0
    filled = fill_missing(damaged, measured)
    noise = max(noise_level(damaged, measured), _MIN_NOISE)
    for strength in _FILL_ROUNDS:
        filled = np.where(measured, filled, shrink(filled, strength * noise))
    pilot = shrink(filled, 2.7 * noise)
    filled = np.where(measured, filled, pilot)
    return np.clip(wiener(filled, pilot, noise), 0.0, 1.0)


def fill_missing(damaged: Image, measured: Mask) -> Image:
    """Replace what was not measured by a Gaussian mean of its measured neighbours.

    The reach doubles until every pixel has a neighbour, so wide gaps get smooth content. A channel
    without a single measured value becomes 0.5.
    """
    result = np.where(measured, damaged, np.float32(0.5))
    todo = ~measured
    reach = 0.7
    while todo.any() and reach < max(damaged.shape[1:]):
        weight = _blur(measured.astype(np.float32), reach)
        mean = _blur(damaged * measured, reach) / np.maximum(weight, 1e-6)
        now = todo & (weight > 0.05)
        result[now] = mean[now]
        todo &= ~now
        reach *= 2
    return result


def noise_level(damaged: Image, measured: Mask) -> float:
    """Standard deviation of the noise, estimated from second differences of neighbouring pixels.

    The smallest estimate over the rotated channels counts: texture hides in brightness, hardly ever
    in every colour difference, while noise is alike in all.
    """
    rotated = _rotate(damaged, _cosines(len(damaged)))
    whole: Mask = np.logical_and.reduce(measured, axis=0)
    pairs = rotated[:, :, 1:] - rotated[:, :, :-1]
    corners = pairs[:, 1:] - pairs[:, :-1]
    known = whole[1:, 1:] & whole[1:, :-1] & whole[:-1, 1:] & whole[:-1, :-1]
    if known.sum() < PATCH * PATCH:
        known = np.ones_like(known)
    # A difference of two differences of independent values has twice their deviation;
    # 0.6745 is the median of the absolute value of a unit normal.
    return min(float(np.median(np.abs(channel[known]))) / (2 * 0.6745) for channel in corners)


def shrink(image: Image, threshold: float) -> Image:
    """Set the transform coefficients below ``threshold`` to zero and average the patches.

    Patches that kept few coefficients were simple, hence are well restored, and weigh more.
    """
    rotation = _cosines(len(image))
    coefficients = _transform(_rotate(image, rotation))
    keep = np.abs(coefficients) > threshold
    keep[..., 0] = True  # the mean of a patch is signal
    weights = np.float32(1.0) / keep.sum(axis=-1, dtype=np.float32)
    return _rotate(_average(coefficients * keep, weights), rotation.T)


def wiener(image: Image, pilot: Image, noise: float) -> Image:
    """Weigh each coefficient by its signal's share of the energy, judged from a first restoration."""
    rotation = _cosines(len(image))
    energy: NDArray[np.float32] = np.square(_transform(_rotate(pilot, rotation)))
    gain = energy / (energy + np.float32(noise * noise))
    gain[..., 0] = 1.0
    weights: NDArray[np.float32] = np.reciprocal(np.square(gain).sum(axis=-1))
    return _rotate(_average(_transform(_rotate(image, rotation)) * gain, weights), rotation.T)


def _transform(image: Image) -> NDArray[np.float32]:
    """(channels, height, width) → cosine coefficients (channels, rows, columns, PATCH²), stride 1."""
    patches = sliding_window_view(image, (PATCH, PATCH), axis=(1, 2))
    flat = patches.reshape(*patches.shape[:3], PATCH * PATCH)
    return flat @ _patch_cosines().T


def _average(coefficients: NDArray[np.float32], weights: NDArray[np.float32]) -> Image:
    """Back from coefficients to one image: the weighted mean of all patches over each pixel."""
    channels, rows, columns, _ = coefficients.shape
    patches = (coefficients * weights[..., None]) @ _patch_cosines()
    # Adding 64 shifted planes beats scattering single patches; planes must lie together for that.
    planes = np.ascontiguousarray(np.moveaxis(patches, -1, 0))
    total = np.zeros((channels, rows + PATCH - 1, columns + PATCH - 1), np.float32)
    weight = np.zeros_like(total)
    for index, plane in enumerate(planes):
        y, x = divmod(index, PATCH)
        total[:, y : y + rows, x : x + columns] += plane
        weight[:, y : y + rows, x : x + columns] += weights
    total /= weight
    return total


def _rotate(image: Image, rotation: NDArray[np.float32]) -> Image:
    return np.tensordot(rotation, image, axes=1).astype(np.float32, copy=False)


def _blur(image: Image, sigma: float) -> Image:
    """Gaussian blur of each channel with mirrored borders; sigma in pixels."""
    radius = min(math.ceil(3 * sigma), min(image.shape[1:]) - 1)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * np.square(offsets / sigma)).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (1, 2):
        margin = [(0, 0), (0, 0), (0, 0)]
        margin[axis] = (radius, radius)
        windows = sliding_window_view(np.pad(image, margin, mode="reflect"), 2 * radius + 1, axis=axis)
        image = windows @ kernel
    return image


@cache
def _cosines(size: int) -> NDArray[np.float32]:
    """Orthonormal cosine transform of ``size`` values as a matrix."""
    angles = np.pi / size * np.outer(np.arange(size), np.arange(size) + 0.5)
    matrix: NDArray[np.float32] = (np.cos(angles) * math.sqrt(2 / size)).astype(np.float32)
    matrix[0] = math.sqrt(1 / size)
    return matrix


@cache
def _patch_cosines() -> NDArray[np.float32]:
    return np.kron(_cosines(PATCH), _cosines(PATCH))

"""Structural similarity per band over a 7x7 uniform window, as the image challenges define it.

The window is zero-padded at the border and the covariance is biased (divided by 49, not 48); the
map is as large as the image. scikit-image reflects at the border and crops it, so the two agree on
the interior of the map.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HIGHER_IS_BETTER: Final = True
UNIT: Final = ""
WINDOW: Final = 7
_K1, _K2 = 0.01, 0.03

Array = NDArray[np.float64]


def ssim(prediction: NDArray[Any], target: NDArray[Any], *, data_range: float) -> float:
    """Mean over all bands and pixels of the full map, in [-1, 1].

    prediction, target: arrays of one shape (bands, height, width); any real dtype, computed in
    float64. data_range: as for PSNR; C1 = (0.01 range)², C2 = (0.03 range)².
    Raises ValueError if the shapes differ or are not three-dimensional.

    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((3, 16, 16))
    >>> ssim(image, image, data_range=1.0)
    1.0
    """
    if prediction.shape != target.shape or prediction.ndim != 3 or not prediction.size:
        raise ValueError(
            f"SSIM needs one shape (bands, height, width), not {prediction.shape}, {target.shape}"
        )
    bands = zip(prediction, target, strict=True)
    return math.fsum(_ordered_sum(ssim_map(one, other, data_range=data_range)) for one, other in bands) / (
        prediction.size
    )


def ssim_map(prediction: NDArray[Any], target: NDArray[Any], *, data_range: float) -> Array:
    """The map (height, width) of one band, as float64."""
    one, other = prediction.astype(np.float64), target.astype(np.float64)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_one, mean_other = _window_mean(one), _window_mean(other)
    product = mean_one * mean_other
    squares = mean_one * mean_one + mean_other * mean_other
    covariance = _window_mean(one * other) - product
    variances = _window_mean(one * one + other * other) - squares
    above = (2.0 * product + c1) * (2.0 * covariance + c2)
    below = (squares + c1) * (variances + c2)
    return np.asarray(above / below)


def _window_mean(image: Array) -> Array:
    """Mean over the window around each pixel; outside the image there are zeros.

    Plain additions in a fixed order: the result is the same on every machine, and a sliding sum
    would carry rounding errors along the row.
    """
    height, width = image.shape
    reach = WINDOW // 2
    padded = np.zeros((height + 2 * reach, width + 2 * reach))
    padded[reach : reach + height, reach : reach + width] = image
    rows = padded[:height].copy()
    for shift in range(1, WINDOW):
        rows += padded[shift : shift + height]
    total = rows[:, :width].copy()
    for shift in range(1, WINDOW):
        total += rows[:, shift : shift + width]
    total /= WINDOW * WINDOW
    return total


def _ordered_sum(values: Array) -> float:
    """Sum whose order does not depend on the machine's vector width."""
    return math.fsum(np.add.reduce(values, axis=0).tolist())

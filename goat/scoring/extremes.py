"""Are all values of an image in its range? One pass, for it is paid on every image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def surely_within(values: NDArray[Any], high: float) -> bool:
    """True only if every value lies in ``[0, high]``; False also for -0.0 and NaN.

    values: C-contiguous, non-empty, uint8 or float32.

    >>> surely_within(np.array([0.0, 0.5, 1.0], dtype=np.float32), 1.0)
    True
    >>> surely_within(np.array([0.5, -1e-9], dtype=np.float32), 1.0)
    False
    """
    if values.dtype == np.uint8:
        return high >= 255 or int(values.max()) <= high
    # Bit patterns of floats from 0 up are ordered as the floats are, and whatever has a sign or is
    # not a number lies above them: one integer maximum does for both ends.
    top = np.maximum.reduce(values.reshape(-1).view(np.uint32))
    return bool(top < np.uint32(0x8000_0000) and top.view(np.float32) <= high)


def extremes(values: NDArray[Any]) -> tuple[float, float]:
    """(smallest, largest) of a non-empty array; NaN if there is one.

    >>> extremes(np.array([[3, 1], [2, 5]], dtype=np.float32))
    (1.0, 5.0)
    """
    return float(values.min()), float(values.max())

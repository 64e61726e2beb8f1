"""Spectral angle: how far the spectrum of each pixel is turned, whatever its brightness."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HIGHER_IS_BETTER: Final = False
UNIT: Final = "°"


def sam(prediction: NDArray[Any], target: NDArray[Any]) -> float:
    """Mean over the pixels of the angle between their band vectors, in degrees, in [0, 180].

    prediction, target: arrays of one shape (bands, height, width); any real dtype, computed in
    float64. Two black pixels have angle 0; a black one and another have 90.
    Raises ValueError if the shapes differ or are not three-dimensional.

    >>> import numpy as np
    >>> red, grey = np.zeros((3, 1, 1)), np.ones((3, 1, 1))
    >>> red[0] = 1
    >>> round(sam(red, grey), 4), sam(grey * 2, grey)
    (54.7356, 0.0)
    """
    if prediction.shape != target.shape or prediction.ndim != 3 or not prediction.size:
        raise ValueError(
            f"SAM needs one shape (bands, height, width), not {prediction.shape}, {target.shape}"
        )
    one, other = prediction.astype(np.float64), target.astype(np.float64)
    # Reducing the first axis adds whole bands in order: the same on every machine.
    dot = np.add.reduce(one * other, axis=0)
    norms = np.add.reduce(one * one, axis=0) * np.add.reduce(other * other, axis=0)
    black = norms == 0.0
    cosine = dot / np.sqrt(np.where(black, 1.0, norms))
    both_black = black & (np.abs(one).max(axis=0) == np.abs(other).max(axis=0))
    cosine = np.where(both_black, 1.0, np.clip(cosine, -1.0, 1.0))
    angles = np.degrees(np.arccos(cosine))
    return math.fsum(np.add.reduce(angles, axis=0).tolist()) / angles.size

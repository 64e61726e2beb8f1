"""Peak signal-to-noise ratio in dB, finite always: a perfect image gets the declared cap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any, Final

from numpy.typing import NDArray

from goat.scoring.squared_error import squared_error

DEFAULT_CAP: Final = 100.0
HIGHER_IS_BETTER: Final = True
UNIT: Final = "dB"


def psnr(
    prediction: NDArray[Any], target: NDArray[Any], *, data_range: float, cap: float = DEFAULT_CAP
) -> float:
    """``10 log10(data_range² / MSE)`` over all elements, at most ``cap``, in dB.

    prediction, target: C-contiguous arrays of one shape and dtype (uint8, float32, float64).
    data_range: distance between the smallest and the largest possible value, e.g. 1.0 or 255.
    Raises ValueError if the arrays differ in shape or dtype, are empty or hold NaN or infinity.

    >>> import numpy as np
    >>> psnr(np.array([0, 0], "uint8"), np.array([0, 255], "uint8"), data_range=255)
    3.010299956639812
    >>> psnr(np.zeros(4), np.zeros(4), data_range=1, cap=50.0)
    50.0
    """
    error = squared_error(prediction, target)
    return psnr_of_error(error, prediction.size, data_range=data_range, cap=cap)


def psnr_of_error(error: float, count: int, *, data_range: float, cap: float = DEFAULT_CAP) -> float:
    """PSNR in dB from a sum of squared errors over ``count`` elements."""
    if not math.isfinite(error) or count <= 0:
        raise ValueError(f"PSNR needs finite values of at least one element, not {error} over {count}")
    if error <= 0.0:
        return cap
    return min(cap, 10.0 * math.log10(data_range * data_range * count / error))


def mean_psnr(errors: Sequence[float], count: int, *, data_range: float, cap: float = DEFAULT_CAP) -> float:
    """Mean over images of the PSNR of each, in dB; the order of the images does not matter.

    errors: sum of squared errors of each image, all of ``count`` elements.
    """
    values = [psnr_of_error(error, count, data_range=data_range, cap=cap) for error in errors]
    return math.fsum(values) / len(values)


def exact_mean_psnr(
    errors: Sequence[float], count: int, *, data_range: float, cap: float = DEFAULT_CAP
) -> float:
    """`mean_psnr` with decimal logarithms, which are the same on every machine; slow."""
    context = Context(prec=40)
    peak = context.multiply(context.power(Decimal(data_range), 2), Decimal(count))
    total = Decimal(0)
    for error in errors:
        psnr_of_error(error, count, data_range=data_range, cap=cap)  # the same refusals
        value = Decimal(cap)
        if error > 0.0:
            decibels = context.multiply(10, context.log10(context.divide(peak, Decimal(error))))
            value = min(value, decibels)
        total = context.add(total, value)
    return float(context.divide(total, Decimal(len(errors))))

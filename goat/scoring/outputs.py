"""Metrics of a model's outputs against the truth, by the name that an event file gives.

Each takes one sample's prediction and truth and is computed in float64; a split's metric is the mean
over its samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from goat.scoring.formula import Domain

PSNR_CAP: Final = 50.0
"""dB that a sample gets at most; the peak is 1."""

SAME: Final = 1e-3
"""Rounding that depends on order and device stays below; its effect on any metric is negligible."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the registry."""

    name: str
    function: Callable[[Array, Array], float]
    """(prediction float32 of the output's shape, truth) → one finite number."""
    deviation: Callable[[Array, Array], float]
    """(one answer, another answer to the same sample) → how far apart they are in what counts for the
    metric: above `SAME` they are two different answers."""
    better: Literal["up", "down"]
    low: float
    high: float
    """Domain in a formula where the event file declares none."""
    truth: Literal["float32", "int64"] = "float32"
    """``int64``: the truth is one label per sample, of shape ()."""

    @property
    def domain(self) -> Domain:
        return Domain(self.low, self.high, self.better)


def rmse(prediction: Array, truth: Array) -> float:
    """Root of the mean squared difference.

    prediction, truth: one shape, finite. Raises ValueError if the shapes differ.
    """
    difference = _difference(prediction, truth)
    return math.sqrt(float(np.dot(difference, difference)) / difference.size)


def mae(prediction: Array, truth: Array) -> float:
    """Mean of the absolute differences; as `rmse`."""
    return float(np.abs(_difference(prediction, truth)).mean())


def psnr(prediction: Array, truth: Array) -> float:
    """Peak signal-to-noise ratio in dB for values in [0, 1], at most `PSNR_CAP`; as `rmse`."""
    error = rmse(prediction, truth)
    return PSNR_CAP if error == 0 else min(PSNR_CAP, -20.0 * math.log10(error))


def depth_rmse(prediction: Array, truth: Array) -> float:
    """RMSE of two maps, each stretched to [0, 1] by its own minimum and maximum.

    Depth from one picture is known up to scale and shift only. A constant map becomes all zeros. In
    [0, 1]; as `rmse`.

    >>> ramp = np.linspace(0, 1, 5, dtype=np.float32)
    >>> depth_rmse(3 * ramp - 7, ramp)
    0.0
    """
    return rmse(stretched(prediction), stretched(truth))


def stretched(values: Array) -> NDArray[np.float64]:
    """Values mapped linearly so that the smallest is 0 and the largest 1; zeros if all are equal."""
    result = values.astype(np.float64)
    low, high = float(result.min()), float(result.max())
    if low == high:
        return np.zeros_like(result)
    result -= low
    result /= high - low
    return result


def top1(prediction: Array, truth: Array) -> float:
    """1 if the largest score is at the true label, else 0 (the first of equal scores counts).

    prediction: (classes,); truth: the label, a whole number of shape ().
    """
    return float(int(prediction.reshape(-1).argmax()) == int(truth))


def value_deviation(one: Array, other: Array) -> float:
    """Largest difference of two values, as a share of the second where that is above 1.

    Every value is judged by itself, so one enormous value hides nothing elsewhere. Infinite for NaN.
    """
    return _largest(_difference(one, other) / np.maximum(1.0, np.abs(other.astype(np.float64))).reshape(-1))


def depth_deviation(one: Array, other: Array) -> float:
    """Largest difference of two maps after each is stretched to [0, 1]; infinite for NaN."""
    return _largest(_difference(stretched(one), stretched(other)))


def label_deviation(one: Array, other: Array) -> float:
    """0 if both name the same class, else 1."""
    return float(one.reshape(-1).argmax() != other.reshape(-1).argmax())


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("depth_rmse", depth_rmse, depth_deviation, "down", 0.0, 1.0),
        Metric("rmse", rmse, value_deviation, "down", 0.0, 1.0),
        Metric("mae", mae, value_deviation, "down", 0.0, 1.0),
        Metric("psnr", psnr, value_deviation, "up", 0.0, PSNR_CAP),
        Metric("top1", top1, label_deviation, "up", 0.0, 1.0, truth="int64"),
    )
}


def _largest(difference: NDArray[np.float64]) -> float:
    largest = float(np.abs(difference).max())
    return math.inf if math.isnan(largest) else largest


def _difference(prediction: Array, truth: Array) -> NDArray[np.float64]:
    if prediction.shape != truth.shape or not prediction.size:
        raise ValueError(f"operands differ: {prediction.shape} and {truth.shape}")
    return np.asarray(prediction.astype(np.float64) - truth.astype(np.float64)).reshape(-1)

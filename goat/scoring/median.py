"""The median of repeated measurements, and how far it can be trusted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

CONFIDENCE = 0.95


def median_interval(samples: Sequence[float]) -> tuple[float, float, float]:
    """(median, low, high): between low and high lies the true median in 95 % of such experiments.

    samples: at least one finite number. The bounds are two of the samples, found by counting alone,
    so nothing is presumed about how the samples scatter; below six samples they are the extremes.

    >>> median_interval([5, 1, 4, 2, 3, 6, 7])
    (4, 1, 7)
    """
    ordered = sorted(samples)
    if not ordered or not all(map(math.isfinite, ordered)):
        raise ValueError("a median needs at least one sample, all finite")
    below = _outside(len(ordered))
    return statistics.median(ordered), ordered[below], ordered[len(ordered) - 1 - below]


def _outside(count: int) -> int:
    """How many samples on either side lie outside the interval: the most that keeps the confidence."""
    if count >= 1000:  # the binomial distribution is a normal one long before
        return math.floor(count / 2 - 0.98 * math.sqrt(count)) - 1
    tail = 0.0
    for index in range(count // 2):
        tail += math.comb(count, index) / 2**count
        if tail > (1.0 - CONFIDENCE) / 2.0:
            return max(0, index - 1)
    return 0

"""The combined board: scores of different units, each mapped to [0, 1] before they are weighed."""

from __future__ import annotations

import math
from collections.abc import Iterable


def normalise(value: float, low: float, high: float) -> float:
    """Linear map that takes ``low`` to 0 and ``high`` to 1, clamped to [0, 1].

    ``low > high`` is fine where less is better. Raises ValueError if they are equal or anything is
    not finite.

    >>> normalise(30.0, 10.0, 50.0), normalise(60.0, 10.0, 50.0), normalise(2.0, 5.0, 0.0)
    (0.5, 1.0, 0.6)
    """
    if low == high or not all(map(math.isfinite, (value, low, high))):
        raise ValueError(f"no linear map of {value} from [{low}, {high}]")
    return min(1.0, max(0.0, (value - low) / (high - low)))


def combine(parts: Iterable[tuple[float, float | None, float, float]]) -> float:
    """Weighted sum of normalised scores; a part without a score counts 0.

    parts: (weight, score or None, low, high) each.

    >>> combine([(0.6, 30.0, 10.0, 50.0), (0.3, None, 0.0, 2.5), (0.1, 10.0, 0.0, 10.0)])
    0.4
    """
    return math.fsum(
        weight * normalise(value, low, high) for weight, value, low, high in parts if value is not None
    )

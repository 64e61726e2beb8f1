"""The combined board: scores of different units, each mapped to [0, 1] before they are weighed."""

from __future__ import annotations

import math


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

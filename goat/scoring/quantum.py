"""The published quantum: scores are multiples of 1e-6, so two machines can agree on them exactly.

Sums of floats depend on the order of the additions, in the fifteenth digit. Rounding to a quantum
hides that, except for the rare score that lies almost on the middle between two multiples. Such a
score is recognised by `is_ambiguous` and computed once more with sums that do not depend on any
order (`goat.scoring.psnr.exact_squared_error`).
"""

from __future__ import annotations

import math

DIGITS = 6
QUANTUM = 10.0**-DIGITS

_DOUBT = 1e-9  # far above the error of any sum here (1e-13), far below the quantum


def publish(value: float) -> float:
    """The value as it is shown: a multiple of 1e-6. Raises ValueError if it is not finite.

    >>> publish(31.41592653589793)
    31.415927
    """
    if not math.isfinite(value):
        raise ValueError(f"a score is finite, not {value}")
    return round(value, DIGITS) + 0.0  # never -0.0


def is_ambiguous(value: float) -> bool:
    """Whether the last bits of ``value`` could decide to which multiple of 1e-6 it is rounded.

    >>> is_ambiguous(0.0000005), is_ambiguous(0.0000004)
    (True, False)
    """
    steps = value / QUANTUM
    return abs(abs(steps - math.floor(steps)) - 0.5) * QUANTUM < max(_DOUBT, abs(value) * 1e-13)

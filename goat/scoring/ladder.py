"""The Ladder: a team's public score moves only when it improves by a step.

Many tiny probes of a hidden split each leak a little about it; if nothing is shown until a real
improvement, they leak next to nothing (Blum and Hardt, 2015).
"""

from __future__ import annotations

from collections.abc import Sequence

_SLACK = 1e-9  # 30.02 beats 30.01 by 0.01, whatever binary fractions say


def beats(value: float, best: float | None, *, step: float, higher_is_better: bool = True) -> bool:
    """Whether a new score improves on the best one shown by at least ``step`` (and at all).

    >>> beats(30.02, 30.01, step=0.01), beats(30.019, 30.01, step=0.01), beats(1.0, None, step=0.01)
    (True, False, True)
    """
    if best is None:
        return True
    gain = value - best if higher_is_better else best - value
    return gain > 0 and gain >= step - _SLACK


def ladder(values: Sequence[float], step: float, higher_is_better: bool = True) -> list[float]:
    """What a team is shown after each of its scores, given in the order of submission.

    >>> ladder([30.0, 30.004, 30.02, 29.0], step=0.01)
    [30.0, 30.0, 30.02, 30.02]
    """
    shown: list[float] = []
    best: float | None = None
    for value in values:
        if best is None or beats(value, best, step=step, higher_is_better=higher_is_better):
            best = value
        shown.append(best)
    return shown

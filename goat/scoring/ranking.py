"""Ranks of a board, by one rule per event for ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

Ties = Literal["shared", "earliest"]


def ranks(
    scores: Sequence[float],
    *,
    higher_is_better: bool = True,
    ties: Ties = "shared",
    moments: Sequence[Any] | None = None,
) -> list[int]:
    """Rank of each score, 1 for the best, in the order given.

    ties: ``shared``, equal scores share the better rank and the next is skipped (1, 1, 3);
    ``earliest``, the one that was there first ranks first (``moments``, comparable, one per score),
    and only equal moments share. Raises ValueError if ``moments`` is needed and missing.

    >>> ranks([30.5, 31.0, 30.5, 29.0])
    [2, 1, 2, 4]
    >>> ranks([30.5, 31.0, 30.5, 29.0], ties="earliest", moments=[7, 1, 3, 2])
    [3, 1, 2, 4]
    """
    if ties == "earliest" and (moments is None or len(moments) != len(scores)):
        raise ValueError("ties='earliest' needs one moment per score")

    def key(index: int) -> tuple[Any, ...]:
        score = -scores[index] if higher_is_better else scores[index]
        return (score, moments[index]) if ties == "earliest" and moments is not None else (score,)

    order = sorted(range(len(scores)), key=key)
    result = [0] * len(scores)
    for place, index in enumerate(order):
        tied = place > 0 and key(index) == key(order[place - 1])
        result[index] = result[order[place - 1]] if tied else place + 1
    return result

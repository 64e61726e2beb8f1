"""The score as a surface over two metrics of a board: what a figure draws lines of equal score from. Pure.

The formula is the challenge's own, evaluated by its kind. What it needs beside the two metrics (the size
of a model) is held at one value: the team's own, or the middle one of the board.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goat.errors import Invalid
from goat.kinds.base import get_kind, parse_config
from goat.records import Board
from goat.text import amount, metric_label

_ACROSS, _UP = 33, 25
"""Points of the grid. One takes some 50 µs."""
_SPREAD = 12.0
"""From this ratio of the largest to the smallest value on, the axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Surface:
    """``z[i][j]`` is the score at ``y[i]``, ``x[j]``; None where the formula gives none."""

    across: str
    """The metric along x, e.g. ``latency_ms``."""
    up: str
    """The metric along y, e.g. ``accuracy``."""
    logarithmic: bool
    """Whether x is drawn so: its points then grow by a constant factor."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    z: tuple[tuple[float | None, ...], ...]
    fixed: Mapping[str, float]
    """The other metrics, where they are held."""
    own: bool
    """They are the team's own; else the middle ones of the board."""

    def said(self) -> str:
        """What the lines show, in words.

        >>> Surface("latency_ms", "accuracy", False, (), (), (), {"size_mb": 0.512}, True).said()
        'score at your size of 0.512 MB'
        """
        whose = "your" if self.own else "the middle"
        held = []
        for name, value in self.fixed.items():
            label, _, unit = metric_label(name).rstrip(")").partition(" (")
            held.append(f"{whose} {label} of {amount(name, value)} {unit}".strip())
        return "score" + (f" at {' and '.join(held)}" if held else "")


def board_metrics(kind: str) -> tuple[str, ...]:
    """Metrics that challenges of this kind show beside the score; none for a kind that is not installed."""
    try:
        return get_kind(kind).board_metrics
    except Invalid:
        return ()


def plane_of(kind: str) -> tuple[str, str] | None:
    """The two metrics, (across, up), that challenges of this kind are drawn by, if there are any."""
    try:
        return get_kind(kind).plane
    except Invalid:
        return None


def surface_of(
    kind: str, config: Mapping[str, Any], board: Board, team: str | None, known: Surface | None = None
) -> Surface | None:
    """The surface around the teams of a board; None where there is nothing to draw.

    kind, config: as in the challenge's record. team: whose other metrics are held, if it is on the board.
    known: an earlier surface of the same challenge, returned where nothing that it depends on has changed.
    """
    plane = plane_of(kind)
    if plane is None:
        return None
    across, up = plane
    placed = [row for row in board.rows if across in row.metrics and up in row.metrics]
    if not placed:
        return None
    rules = get_kind(kind)
    mine = next((row.metrics for row in placed if row.team_name == team), None)
    fixed = {
        name: mine[name] if mine and name in mine else statistics.median(values)
        for name in rules.board_metrics
        if name not in plane and (values := [row.metrics[name] for row in placed if name in row.metrics])
    }
    x, logarithmic = across_axis([row.metrics[across] for row in placed])
    y = up_axis([row.metrics[up] for row in placed])
    if known is not None and (known.x, known.y, known.fixed, known.own) == (x, y, fixed, mine is not None):
        return known
    predict = rules.predictor(parse_config(rules, config))
    z = tuple(tuple(_rounded(predict(fixed | {across: right, up: height})) for right in x) for height in y)
    if all(value is None for line in z for value in line):
        return None
    return Surface(across, up, logarithmic, x, y, z, fixed, mine is not None)


def across_axis(values: Sequence[float]) -> tuple[tuple[float, ...], bool]:
    """Points along x that hold all values with some room, and whether they are spaced logarithmically.

    Ends are round numbers, so that a board that moves keeps its axis.
    """
    least, most = min(values), max(values)
    if least > 0 and most / least > _SPREAD:
        low, high = round_below(least / 1.1), round_above(most * 1.1)
        growth = (high / low) ** (1 / (_ACROSS - 1))
        return tuple(float(f"{low * growth**at:.6g}") for at in range(_ACROSS)), True
    return tuple(_even(0.0, round_above(most * 1.1), _ACROSS)), False


def up_axis(values: Sequence[float]) -> tuple[float, ...]:
    """Points along y that hold all values with some room; what lies in [0, 1] stays in it."""
    least, most = min(values), max(values)
    step = 0.1 if least >= 0 and most <= 1 else round_above(max(most - least, abs(most) / 10, 1e-9) / 4)
    low, high = math.floor(least / step - 0.5) * step, math.ceil(most / step + 0.5) * step
    if least >= 0 and most <= 1:
        low, high = max(0.0, low), min(1.0, high)
    return tuple(_even(low, high, _UP))


def round_above(value: float) -> float:
    """The next of … 1, 2, 5, 10, 20 … at or above a value; 1 for what is not positive.

    >>> round_above(0.21), round_above(3.2), round_above(51)
    (0.5, 5.0, 100.0)
    """
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return float(next((step * power for step in (1, 2, 5) if step * power >= value), 10 * power))


def round_below(value: float) -> float:
    """The last of … 1, 2, 5, 10, 20 … at or below a positive value.

    >>> round_below(0.21), round_below(3.2), round_below(51)
    (0.2, 2.0, 50.0)
    """
    power = 10.0 ** math.floor(math.log10(value))
    return float(next((step * power for step in (5, 2, 1) if step * power <= value), power))


def _even(low: float, high: float, points: int) -> Iterable[float]:
    return (float(f"{low + (high - low) * at / (points - 1):.6g}") for at in range(points))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

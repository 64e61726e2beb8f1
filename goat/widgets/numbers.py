"""The numbers that a score was made of, in one line. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from goat.dry_run import DryRun
from goat.errors import Invalid
from goat.kinds.base import get_kind
from goat.results import Result
from goat.text import amount, metric_label, plain


def dry_run_numbers(found: DryRun, names: Iterable[str]) -> str:
    """What a dry run found; where it was measured, the interval of its median."""
    return _line(
        phrase(name, found.metrics[name], found.intervals.get(name))
        for name in names
        if name in found.metrics
    )


def result_numbers(result: Result, kind: str) -> str:
    """What the service tells of a submission; what is not its own is said to be of the best one."""
    try:
        rules = get_kind(kind)
    except Invalid:
        return ""
    others = result.mode == "ranked" and result.improved is False
    return _line(
        phrase(name, result.metrics[name])
        + (" (of your best)" if others and name not in rules.open_metrics else "")
        for name in rules.board_metrics
        if name in result.metrics
    )


def phrase(name: str, value: float, interval: tuple[float, float] | None = None) -> str:
    """A metric with its value and unit.

    >>> phrase("latency_ms", 1.253, (1.2, 1.31))
    'latency 1.25 ms (1.20 to 1.31)'
    >>> phrase("accuracy", 0.9)
    'accuracy 0.9000'
    """
    label, _, unit = metric_label(name).rstrip(")").partition(" (")
    said = f"{label} {amount(name, value)} {unit}".strip()
    if interval is None or interval[0] == interval[1]:
        return said
    return f"{said} ({amount(name, interval[0])} to {amount(name, interval[1])})"


def _line(phrases: Iterable[str]) -> str:
    return plain(" · ".join(phrases), 400)

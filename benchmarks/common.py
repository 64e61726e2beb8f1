"""What every benchmark shares: interleaved rounds, per-round ratios, one table, one JSON file.

A comparison is only fair when its sides ran at the same time on the same machine, so each round
runs every contender once, in turn, and a ratio is taken within its round. What is reported is the
median of those per-round ratios with the smallest and the largest.

    rounds = interleave({"ours": ours, "theirs": theirs, "limit": limit}, rounds=15)
    report = Report("psnr")
    report.ratio("arithmetic uint8", rounds, "ours", "limit", target=1.5)
    report.finish()
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def interleave(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each contender in each round. Odd rounds run in reverse order (ABBA).

    clock: wall time by default. ``time.thread_time`` fits pure computations on one thread: what
    other processes of a shared machine take away is not counted.
    """
    names = list(contenders)
    for _ in range(warmup):
        for name in names:
            contenders[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in reversed(names) if turn % 2 else names:
            gc.collect()
            gc.disable()
            start = clock()
            contenders[name]()
            seconds[name].append(clock() - start)
            gc.enable()
    return seconds


@dataclass(frozen=True, slots=True)
class Spread:
    """Median over rounds with the extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g}–{self.high:.3g})"


def ratios(seconds: Mapping[str, list[float]], above: str, below: str) -> Spread:
    """Per-round ratio ``above / below``."""
    return Spread.of([a / b for a, b in zip(seconds[above], seconds[below], strict=True)])


@dataclass(slots=True)
class Row:
    """One line of the report; ``met`` is None when there is no target."""

    what: str
    value: Spread
    unit: str
    target: str
    met: bool | None


@dataclass
class Report:
    """Collects rows, prints them as a table and writes them to ``benchmarks/results/<name>.json``."""

    name: str
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(
        self,
        what: str,
        value: Spread | float,
        *,
        unit: str = "",
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Add a measured value, with the bound that its median has to keep."""
        spread = value if isinstance(value, Spread) else Spread(value, value, value)
        met, target = None, ""
        if at_most is not None:
            met, target = spread.median <= at_most, f"≤ {at_most:g}"
        if at_least is not None:
            met, target = spread.median >= at_least, f"≥ {at_least:g}"
        self.rows.append(Row(what, spread, unit, target, met))

    def ratio(
        self,
        what: str,
        seconds: Mapping[str, list[float]],
        above: str,
        below: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Add the per-round ratio of two contenders."""
        self.add(what, ratios(seconds, above, below), unit="×", at_most=at_most, at_least=at_least)

    def table(self) -> str:
        """The report as aligned text."""
        header = ("what", "median (min–max)", "target", "")
        marks = {True: "met", False: "MISSED", None: ""}
        lines = [header] + [
            (row.what, f"{row.value} {row.unit}".rstrip(), row.target, marks[row.met]) for row in self.rows
        ]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines
        )

    def finish(self) -> bool:
        """Print, write the JSON, and say whether every target was met."""
        print(f"\n{self.name}\n{self.table()}")
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        content = {
            "name": self.name,
            "machine": machine(),
            "facts": self.facts,
            "rows": list(map(asdict, self.rows)),
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written to {path}")
        return all(row.met is not False for row in self.rows)


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")

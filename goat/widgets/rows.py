"""A board as the browser holds it, and what to send when it changes. Pure.

The whole board is the widget's state; a change travels as a few numbers. Rows that nobody touched
keep their order among themselves, so a change says only where the touched rows go: the browser takes
them out, puts them in at their new positions and counts the ranks anew (`apply` is the reference for
what ``board.js`` does). Where that would not give exactly the new board, the whole board is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from goat.leaderboard import metric_names
from goat.records import Board, BoardHistory, BoardRow, Split
from goat.text import metric_label, plain

TIME = "time"
"""The figure that shows a board's course; tables that offer it keep it."""
LINES = 5
"""Leading teams whose way is drawn."""
DIGITS = 4
"""Decimals of a score that are shown and sent; `goat.leaderboard(...).frame` has all of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``time`` is in seconds after the table's ``start``."""

    key: int
    name: str
    rank: int
    score: float
    entries: int
    time: int
    was: int
    """The rank when the board was opened, 0 for a team that came later."""
    metrics: tuple[float | None, ...] = ()
    """The table's ``metrics``, in their order."""


@dataclass(slots=True)
class Table:
    """One board on the screen."""

    id: str
    title: str
    split: Split = "public"
    figures: tuple[str, ...] = ()
    """Names of the figures that are offered beside the table."""
    note: str = ""
    """What is to be said above it."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Titles of the challenges that a combined board adds up, by their ids."""
    metrics: tuple[str, ...] = ()
    """Names of the numbers beside the score."""
    unit: str = ""
    higher_is_better: bool = True
    frozen: bool = False
    start: int = 0
    step: int = 0
    """Counts the changes, so that the browser notices one that it missed."""
    rows: list[Row] = field(default_factory=list)
    best: list[list[float]] = field(default_factory=list)
    """How the board's best score improved: [seconds after ``start``, score]."""
    lines: dict[str, list[list[float]]] = field(default_factory=dict)
    """The same for the teams that lead, by name."""
    _keys: dict[str, int] = field(default_factory=dict)
    _was: dict[str, int] | None = None

    def state(self) -> dict[str, Any]:
        """Everything, for the widget's trait."""
        return {
            "id": self.id,
            "title": self.title,
            "unit": plain(self.unit, 40),
            "up": self.higher_is_better,
            "frozen": self.frozen,
            "start": self.start,
            "n": self.step,
            "split": self.split,
            "figures": list(self.figures),
            "best": self.best,
            "lines": self.lines,
            "note": self.note,
            "metrics": headings(self.metrics, self.parts),
            "rows": [
                [r.key, r.name, r.rank, r.score, r.entries, r.time, r.was, *r.metrics] for r in self.rows
            ],
        }

    def compare(self, board: Board) -> None:
        """Count movement from this board instead of from the first one that is shown."""
        self._was = {row.team_name: row.rank for row in board.rows}

    def tell_course(self, history: BoardHistory) -> bool:
        """Take over how the board came to be (after the first `show`); False if that is known."""
        best = [self._point(step.submitted_at, step.score) for step in history.best]
        lines: dict[str, list[list[float]]] = {}
        for step in history.steps:
            name = plain(step.team_name, 80)
            lines.setdefault(name, []).append(self._point(step.submitted_at, step.score))
        if (best, lines) == (self.best, self.lines):
            return False
        self.best, self.lines = best, lines
        return True

    def _point(self, moment: datetime, score: float) -> list[float]:
        return [int(moment.timestamp()) - self.start, round(score, DIGITS)]

    def show(self, board: Board) -> dict[str, Any] | None:
        """Take the new board over. The change to send, or None where the whole state must be sent."""
        before, head = self.rows, self._head()
        first = self.step == 0
        if first:
            self.start = min((int(row.submitted_at.timestamp()) for row in board.rows), default=0)
            if self._was is None:
                self.compare(board)
        self.unit, self.higher_is_better, self.frozen = board.unit, board.higher_is_better, board.frozen
        self.metrics = tuple(metric_names(board))
        after = [self._row(row) for row in board.rows]
        self.rows = after
        self.step += 1
        self._go_on(before)
        if first or head != self._head():
            return None
        change = difference(before, after)
        return None if change is None else {"n": self.step, **change}

    def _head(self) -> tuple[object, ...]:
        """What a change of rows does not say."""
        return (self.unit, self.higher_is_better, self.frozen, self.metrics)

    def _go_on(self, before: list[Row]) -> None:
        """Add to the course what the new rows say: the twin of ``goOn`` in board.js."""
        if TIME not in self.figures:
            return
        known = {row.key: row.time for row in before}
        fresh = [row for row in self.rows if row.time > known.get(row.key, -1)]
        for row in self.rows[:LINES]:
            self.lines.setdefault(row.name, [])  # what it did before it led comes with the next course
        for row in sorted(fresh, key=lambda row: row.time):
            for line in (self.best, self.lines.get(row.name)):
                if line is not None and better(row.score, line, self.higher_is_better):
                    line.append([row.time, row.score])

    def _row(self, row: BoardRow) -> Row:
        assert self._was is not None, "the first board sets it"
        key = self._keys.setdefault(row.team_name, len(self._keys))
        return Row(
            key,
            plain(row.team_name, 80),
            row.rank,
            round(row.score, DIGITS),
            row.entries,
            int(row.submitted_at.timestamp()) - self.start,
            self._was.get(row.team_name, 0),
            tuple(significant(row.metrics.get(name)) for name in self.metrics),
        )


def better(score: float, line: list[list[float]], upward: bool) -> bool:
    """Whether a score goes beyond the end of a line."""
    return not line or (score > line[-1][1] if upward else score < line[-1][1])


def difference(before: list[Row], after: list[Row]) -> dict[str, Any] | None:
    """What turns ``before`` into ``after``; None where sending all is the better way."""
    old = {row.key: row for row in before}
    touched = [
        (position, row)
        for position, row in enumerate(after)
        if row.key not in old or replace(old[row.key], rank=row.rank) != row
    ]
    gone = sorted(old.keys() - {row.key for row in after})
    if len(touched) + len(gone) > max(20, len(after) // 3):
        return None
    since = min((row.time for _, row in touched), default=0)
    change: dict[str, Any] = {"t": since, "c": []}
    names: list[Any] = []
    for position, row in touched:
        known = old.get(row.key)
        more = row.entries - (known.entries if known else 0)
        change["c"] += [row.key, position, _short(row.score), more, row.time - since]
        if known is None:
            names += [row.key, row.name]
    if names:
        change["a"] = names
    if any(row.metrics for _, row in touched):
        change["m"] = [value for _, row in touched for value in row.metrics]
    if gone:
        change["r"] = gone
    guess = apply(before, change)
    if [row.key for row in guess] != [row.key for row in after]:
        return None  # untouched rows changed places: a tie was decided anew
    ties = [
        value
        for position, (found, wanted) in enumerate(zip(guess, after, strict=True))
        if found.rank != wanted.rank
        for value in (position, wanted.rank)
    ]
    if ties:
        change["x"] = ties
    return change


def apply(before: list[Row], change: dict[str, Any]) -> list[Row]:
    """The rows after a change, as the browser computes them."""
    old = {row.key: row for row in before}
    names = dict(zip(change.get("a", [])[::2], change.get("a", [])[1::2], strict=True))
    flat = change["c"]
    touched = {flat[at]: flat[at : at + 5] for at in range(0, len(flat), 5)}
    gone = set(change.get("r", ()))
    metrics = change.get("m", [])
    width = len(metrics) // max(1, len(touched))
    rows = [row for row in before if row.key not in touched and row.key not in gone]
    for at, (key, position, score, more, offset) in enumerate(touched.values()):
        known = old.get(key) or Row(key, names.get(key, "?"), 0, 0.0, 0, 0, 0)
        new = replace(known, rank=0, score=score, entries=known.entries + more, time=change["t"] + offset)
        rows.insert(position, replace(new, metrics=tuple(metrics[at * width : (at + 1) * width])))
    ranked: list[Row] = []
    for position, row in enumerate(rows):
        # Two untouched rows that shared a rank still do; everybody else stands where they stand.
        shared = position and row.rank and rows[position - 1].rank == row.rank
        ranked.append(replace(row, rank=ranked[-1].rank if shared else position + 1))
    exceptions = change.get("x", [])
    for position, rank in zip(exceptions[::2], exceptions[1::2], strict=True):
        ranked[position] = replace(ranked[position], rank=rank)
    return ranked


def headings(names: Iterable[str], said: Mapping[str, str] = MappingProxyType({})) -> list[list[Any]]:
    """[name, heading, whether it has a unit, heading in full] of each metric, as the browser shows it.

    ``said`` are names in full where a name alone is too little.
    """
    found = []
    for name in names:
        label = metric_label(name)
        heading = label[:1].upper() + label[1:]
        found.append([plain(name, 40), heading, label != plain(name, 40), said.get(name, heading)])
    return found


def significant(value: float | None) -> float | None:
    """Five digits that count: more than are shown."""
    return None if value is None else float(f"{value:.5g}")


def _short(score: float) -> float | int:
    """A whole number travels without its ``.0``."""
    return int(score) if score.is_integer() else score

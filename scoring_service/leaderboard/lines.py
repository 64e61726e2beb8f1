"""From results to a board's rows: pure functions on plain lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from goat.records import BoardRow
from goat.scoring.normalise import normalise
from goat.scoring.ranking import Ties, ranks


@dataclass(frozen=True, slots=True)
class Line:
    """A team on a board before it has a rank."""

    team_id: str
    team_name: str
    score: float
    submission_id: str
    submitted_at: datetime
    entries: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What its kind shows beside the score; on a combined board what each part adds to it."""


@dataclass(frozen=True, slots=True)
class PublicResult:
    """One scored ranked submission: its public score, and what was shown of it last."""

    submission_id: str
    submitted_at: datetime
    value: float
    shown_score: float | None
    improved: bool | None


@dataclass(frozen=True, slots=True)
class Result:
    """One scored ranked submission with both of its scores: for organisers, and after the reveal."""

    team_id: str
    team_name: str
    submission_id: str
    submitted_at: datetime
    selected: bool
    public: float
    private: float


@dataclass(frozen=True, slots=True)
class Manual:
    """A number that an organiser entered for a team."""

    team_id: str
    name: str
    value: float


def ranked(lines: Sequence[Line], *, upward: bool, ties: Ties) -> list[BoardRow]:
    """Rows, best first; equal scores in order of submission."""
    sign = -1.0 if upward else 1.0
    order = sorted(lines, key=lambda line: (sign * line.score, line.submitted_at, line.submission_id))
    places = ranks(
        [line.score for line in order],
        higher_is_better=upward,
        ties=ties,
        moments=[(line.submitted_at, line.submission_id) for line in order],
    )
    return [
        BoardRow(
            rank=place,
            team_name=line.team_name,
            score=line.score,
            submission_id=line.submission_id,
            submitted_at=line.submitted_at,
            entries=line.entries,
            metrics=dict(line.metrics),
        )
        for place, line in zip(places, order, strict=True)
    ]


def final_lines(results: Sequence[Result], *, finals: int, upward: bool) -> list[Line]:
    """Per team its best private score among the submissions it chose, else among its best public ones."""
    sign = -1.0 if upward else 1.0
    by_team: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_team[result.team_id].append(result)
    lines = []
    for team_id, entries in by_team.items():
        by_public = sorted(entries, key=lambda entry: (sign * entry.public, entry.submitted_at))
        # A verdict that a rejudge takes back may leave a team with more chosen than the challenge takes.
        chosen = [entry for entry in by_public if entry.selected]
        candidates = (chosen or by_public)[:finals]
        best = min(candidates, key=lambda entry: (sign * entry.private, entry.submitted_at))
        lines.append(
            Line(team_id, best.team_name, best.private, best.submission_id, best.submitted_at, len(entries))
        )
    return lines


def combined_lines(
    parts: Sequence[Mapping[str, object]],
    boards: Mapping[str, Sequence[Line]],
    manual: Sequence[Manual],
) -> list[Line]:
    """The weighted sum of normalised scores for every team that stands on one of the boards.

    ``parts`` are the event file's ``combined`` entries. A team without a part gets nothing for it.
    A line carries the team's latest submission, its entries on all boards, and as ``metrics`` what each
    part that it has adds to its score, by the name of the challenge or of the entered number.
    """
    added: dict[str, dict[str, float]] = defaultdict(dict)
    lines: dict[str, Line] = {}
    for part in parts:
        weight, low, high = (float(str(part[bound])) for bound in ("weight", "from", "to"))
        name = str(part["challenge"] or part["manual"])
        for line in boards.get(str(part["challenge"]), ()):
            points = weight * normalise(line.score, low, high)
            added[line.team_id][name] = added[line.team_id].get(name, 0.0) + points
            lines[line.team_id] = _merged(lines.get(line.team_id), line)
        for entered in manual:
            if entered.name == part["manual"]:
                points = weight * normalise(entered.value, low, high)
                added[entered.team_id][name] = added[entered.team_id].get(name, 0.0) + points
    return [
        replace(
            line,
            score=round(sum(added[team_id].values()), 6),
            metrics={name: round(value, 6) for name, value in added[team_id].items()},
        )
        for team_id, line in lines.items()
    ]


def _merged(known: Line | None, line: Line) -> Line:
    if known is None:
        return line
    latest = max(known, line, key=lambda entry: entry.submitted_at)
    return replace(latest, entries=known.entries + line.entries)

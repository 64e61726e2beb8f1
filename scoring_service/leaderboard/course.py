"""How a public board came to be: pure functions on improvements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from goat.records import BoardHistory, BoardStep

TEAM_STEPS = 100
BEST_STEPS = 400
"""More steps than these are thinned: a chart shows no more, and a reply stays small."""


@dataclass(frozen=True, slots=True)
class Course:
    """A board's whole course; `of` gives the part that is asked for."""

    about: BoardHistory
    """Everything but the steps of teams."""
    of_team: dict[str, list[BoardStep]]
    """Team → its improvements in order of submission; teams in order of rank."""

    def of(self, top: int, team_name: str | None = None) -> BoardHistory:
        """With the steps of the first ``top`` teams, and of ``team_name`` (in any case) wherever it is."""
        names = list(self.of_team)
        wanted = names[:top]
        if team_name is not None:
            wanted += [name for name in names[top:] if name.lower() == team_name.lower()]
        steps = [step for name in wanted for step in thinned(self.of_team[name], TEAM_STEPS)]
        steps.sort(key=lambda step: step.submitted_at)
        return replace(self.about, steps=steps)


def course(about: BoardHistory, ranking: Sequence[str], improvements: Sequence[BoardStep]) -> Course:
    """From all improvements, in order of submission, and the teams on the board, best first."""
    of_team: dict[str, list[BoardStep]] = {name: [] for name in ranking}
    best: list[BoardStep] = []
    sign = 1.0 if about.higher_is_better else -1.0
    for step in improvements:
        if step.team_name not in of_team:
            continue  # not on the board, so neither is its past
        of_team[step.team_name].append(step)
        if not best or sign * step.score > sign * best[-1].score:
            best.append(step)
    return Course(replace(about, best=thinned(best, BEST_STEPS)), of_team)


def thinned(steps: list[BoardStep], limit: int) -> list[BoardStep]:
    """At most ``limit`` (2 or more) of them, the first and the last among them, evenly between."""
    if len(steps) <= limit:
        return list(steps)
    return [steps[at * (len(steps) - 1) // (limit - 1)] for at in range(limit)]

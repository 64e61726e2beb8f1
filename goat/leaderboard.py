"""The board, as a DataFrame, a figure, and text that is safe to print.

from goat.leaderboard import getLB_chall1, getLB_chall2
getLB_chall1(team_name="team_awesome")

import goat
goat.leaderboard("task1").frame
goat.leaderboard("task1").history.figure
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goat.callables import make_callable
from goat.client import DEFAULT_CHALLENGE, MODEL_CHALLENGE, Client
from goat.errors import Invalid
from goat.figures import board_figure, course_figure, speed_figure
from goat.identity import saved_name
from goat.records import Board, BoardHistory, BoardRow, BoardStep, Challenge, Split
from goat.surface import plane_of, surface_of
from goat.text import amount, markup, metric_label, number, plain

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from rich.table import Table

TOP = 10
COLUMNS = ("rank", "team_name", "score", "submission_id", "submitted_at", "entries")


@dataclass(frozen=True, repr=False)
class Course:
    """How a challenge's public board came to be."""

    history: BoardHistory
    team_name: str | None = None
    """The team to point out."""

    @property
    def frame(self) -> pd.DataFrame:
        """The improvements of the first teams and of your own, in order of submission: columns
        ``team_name``, ``submitted_at`` (UTC), ``score`` (the public score from then on)."""
        return _steps_frame(self.history.steps)

    @property
    def best(self) -> pd.DataFrame:
        """Each time that the best score of the whole board improved; columns as in `frame`."""
        return _steps_frame(self.history.best)

    @property
    def figure(self) -> go.Figure:
        """The best score over time, the first teams, and your own in another colour."""
        title = f"{self.history.challenge} · over time"
        unit, team = self.history.unit, self.team_name
        return course_figure(self.best, self.frame, unit=unit, highlight=team, title=title)

    def __len__(self) -> int:
        return len(self.history.steps)

    def __repr__(self) -> str:
        unit = self.history.unit
        lines = (
            f"{step.submitted_at:%Y-%m-%d %H:%M}  {plain(step.team_name, 40):<24} {number(step.score, unit)}"
            for step in self.history.best[-20:]
        )
        return "\n".join([f"{plain(self.history.challenge)}: the best score over time (UTC)", *lines])


def _steps_frame(steps: list[BoardStep]) -> pd.DataFrame:
    import pandas as pd

    columns = ("team_name", "submitted_at", "score")
    frame = pd.DataFrame({name: [getattr(step, name) for step in steps] for name in columns})
    frame["submitted_at"] = pd.to_datetime(frame["submitted_at"], utc=True)
    return frame.astype({"score": "float64"})


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """A challenge's board as it was when it was asked for."""

    board: Board
    team_name: str | None = None
    """The team to point out: the one that is logged in, unless another was named."""
    ask: Callable[[], BoardHistory] | None = field(default=None, compare=False)
    """Looks up how the board came to be."""
    about: Callable[[], Challenge] | None = field(default=None, compare=False)
    """Looks up the challenge's settings."""

    @property
    def history(self) -> Course:
        """How the board came to be, asked of the service when it is wanted.

        Raises `goat.errors.Invalid` for the combined board and for final scores, which have no past.
        """
        if self.ask is None:
            raise Invalid("Only the public board of a challenge has a history.")
        return Course(self.ask(), self.team_name)

    @property
    def metrics(self) -> list[str]:
        """Names of the further numbers that the challenge shows, e.g. ``accuracy``, ``latency_ms``."""
        return metric_names(self.board)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per team, best first; columns ``COLUMNS`` and ``metrics``, ``submitted_at`` in UTC."""
        import pandas as pd

        columns = {name: [getattr(row, name) for row in self.board.rows] for name in COLUMNS}
        columns |= {name: [row.metrics.get(name) for row in self.board.rows] for name in self.metrics}
        frame = pd.DataFrame(columns)
        frame["submitted_at"] = pd.to_datetime(frame["submitted_at"], utc=True)
        numbers = dict.fromkeys(self.metrics, "float64")
        return frame.astype({"rank": "int64", "score": "float64", "entries": "int64"} | numbers)

    @property
    def figure(self) -> go.Figure:
        """The best thirty teams as bars, your own in another colour."""
        title = f"{self.board.challenge} · {self.board.split}"
        return board_figure(self.frame, unit=self.board.unit, highlight=self.team_name, title=title)

    @property
    def speed_figure(self) -> go.Figure:
        """Accuracy against latency, your own team in another colour, with lines of equal score.

        The lines are the challenge's own formula at your model's size, or at the middle size of the board.
        The settings are asked of the service when the figure is wanted. Raises `goat.errors.Invalid` for
        a board of a challenge that has no such numbers.
        """
        about = self.about() if self.about is not None else None
        plane = plane_of(about.kind) if about is not None else None
        if about is None or plane is None:
            raise Invalid("Only a challenge that takes models has accuracy and speed on its board.")
        across, up = plane
        frame = self.frame.reindex(columns=list(dict.fromkeys([*self.frame.columns, across, up])))
        surface = surface_of(about.kind, about.config, self.board, self.team_name)
        title, unit, own = f"{self.board.challenge} · accuracy and speed", self.board.unit, self.team_name
        return speed_figure(frame, surface, across=across, up=up, unit=unit, highlight=own, title=title)

    def rows(self, top: int | None = TOP) -> list[BoardRow]:
        """The first ``top`` rows (None: all), and the team's own when it is further down."""
        rows = self.board.rows
        if top is None or len(rows) <= top:
            return list(rows)
        return [*rows[:top], *(row for row in rows[top:] if row.team_name == self.team_name)]

    def table(self, top: int | None = TOP) -> Table:
        """The board for a terminal (rich)."""
        return board_table(self, top)

    def __len__(self) -> int:
        return len(self.board.rows)

    def __repr__(self) -> str:
        state = ", frozen" if self.board.frozen else ""
        head = f"{plain(self.board.challenge)} ({self.board.split}, {len(self)} teams{state})"
        shown = [(row, plain(row.team_name, 40)) for row in self.rows()]
        width = max((len(name) for _, name in shown), default=0)
        lines = [
            f"{row.rank:>4}  {name:<{width}}  {number(row.score, self.board.unit)}"
            f"{'  (you)' if row.team_name == self.team_name else ''}"
            for row, name in shown
        ]
        more = len(self) - len(shown)
        return "\n".join(
            [head, *lines, *([f"      … and {more} more: .frame has all of them"] if more else [])]
        )

    def _repr_html_(self) -> str:
        names = self.metrics
        cells = "".join(
            f"<tr{' style=font-weight:bold' if row.team_name == self.team_name else ''}>"
            f"<td>{row.rank}</td><td style='text-align:left'>{markup(row.team_name, 60)}</td>"
            f"<td>{markup(number(row.score, self.board.unit))}</td>"
            f"{''.join(f'<td>{amount(name, row.metrics.get(name))}</td>' for name in names)}"
            f"<td style='white-space:nowrap'>{row.submitted_at:%Y-%m-%d %H:%M}</td>"
            f"<td>{row.entries}</td></tr>"
            for row in self.rows()
        )
        more_heads = "".join(f"<th>{markup(metric_label(name), 40)}</th>" for name in names)
        head = (
            f"<tr><th>rank</th><th style='text-align:left'>team</th><th>score</th>{more_heads}"
            "<th>submitted (UTC)</th><th>entries</th></tr>"
        )
        more = f"; the first {TOP} are shown" if len(self) > TOP else ""
        state = ", frozen" if self.board.frozen else ""
        caption = f"{self.board.challenge}, {self.board.split}{state}: {len(self)} teams{more}"
        return f"<table><caption>{markup(caption)}</caption>{head}{cells}</table>"


def metric_names(board: Board) -> list[str]:
    """Names of the numbers that a board has beside the score, as the service orders them.

    Not every row has all: a team may have taken part in one of a combined board's challenges only.
    """
    fullest = sorted(board.rows, key=lambda row: -len(row.metrics))
    return list(dict.fromkeys(name for row in fullest for name in row.metrics))


def board_table(leaderboard: Leaderboard, top: int | None = TOP) -> Table:
    """The board as a table for rich; names are shown with their control characters spelled out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    board = leaderboard.board
    state = ", frozen" if board.frozen else ""
    table = Table(
        title=Text(f"{plain(board.challenge)} · {board.split}{state}"), box=SIMPLE_HEAD, title_justify="left"
    )
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("team", no_wrap=True)
    score = f"score ({plain(board.unit)})" if board.unit else "score"
    table.add_column(Text(score), justify="right", no_wrap=True)
    names = leaderboard.metrics
    for name in names:
        table.add_column(Text(metric_label(name)), justify="right", no_wrap=True)
    table.add_column("submitted (UTC)", no_wrap=True)
    table.add_column("entries", justify="right")
    previous = 0
    for index, row in enumerate(leaderboard.rows(top)):
        if top is not None and index == top and row.rank > previous + 1:
            table.add_row("…", *[""] * (4 + len(names)))
        previous = row.rank
        table.add_row(
            str(row.rank),
            Text(plain(row.team_name, 40)),
            number(row.score),
            *(amount(name, row.metrics.get(name)) for name in names),
            f"{row.submitted_at:%Y-%m-%d %H:%M}",
            str(row.entries),
            style="bold green" if row.team_name == leaderboard.team_name else None,
        )
    return table


def leaderboard(
    challenge: str = DEFAULT_CHALLENGE,
    *,
    split: Split = "public",
    team_name: str | None = None,
    client: Client | None = None,
) -> Leaderboard:
    """The board of a challenge; ``combined`` is the event's combined board.

    ``.frame`` is a DataFrame, ``.figure`` a plotly figure, ``.history`` how it came to be, with both as
    well. The private split is there after the organiser's reveal. Works without a login where the
    event's boards are public.
    """
    if client is not None:
        return _leaderboard(client, challenge, split, team_name, client.board_history, client.challenge)
    with Client() as own:
        return _leaderboard(own, challenge, split, team_name, _asked_anew, _settings_asked_anew)


def _leaderboard(
    client: Client,
    challenge: str,
    split: Split,
    team_name: str | None,
    history: Callable[..., BoardHistory],
    about: Callable[[str], Challenge],
) -> Leaderboard:
    board = client.combined(split) if challenge == "combined" else client.leaderboard(challenge, split)
    team = team_name or saved_name(client.url)
    has_one = split == "public" and challenge.rpartition(":")[2] != "combined"
    ask = (lambda: history(challenge, team_name=team)) if has_one else None
    told = None if challenge.rpartition(":")[2] == "combined" else (lambda: about(challenge))
    return Leaderboard(board, team, ask, told)


def _asked_anew(challenge: str, *, team_name: str | None) -> BoardHistory:
    with Client() as client:
        return client.board_history(challenge, team_name=team_name)


def _settings_asked_anew(challenge: str) -> Challenge:
    with Client() as client:
        return client.challenge(challenge)


def getLB_chall1(team_name: str | None = None) -> pd.DataFrame:
    """Print the first challenge's board (its top ten, and ``team_name``'s row) and return all of it."""
    return _printed(DEFAULT_CHALLENGE, team_name)


def getLB_chall2(team_name: str | None = None) -> pd.DataFrame:
    """The same for the second challenge; with the columns ``accuracy``, ``latency_ms`` and ``size_mb``."""
    return _printed(MODEL_CHALLENGE, team_name)


def _printed(challenge: str, team_name: str | None) -> pd.DataFrame:
    from rich.console import Console

    found = leaderboard(challenge, team_name=team_name)
    Console(highlight=False).print(found.table())
    return found.frame


make_callable(__name__, leaderboard)

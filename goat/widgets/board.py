"""`goat.board()`: boards that stay current, with charts, in the notebook."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import traitlets

from goat.client import Client
from goat.errors import Forbidden, GoatError, NotFound
from goat.history import history
from goat.leaderboard import Leaderboard
from goat.records import Board, Submission
from goat.text import plain
from goat.waiting import reference
from goat.widgets.assets import source
from goat.widgets.base import Shown
from goat.widgets.rows import DIGITS, Table
from goat.widgets.stream import COMBINED, Live

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_OWN_POINTS = 500


class BoardWidget(Shown):
    """One table per board, charts of the same rows, and nothing but traits as state.

    ``tables`` holds whole boards and is sent when a browser asks for the state; changes travel as
    small messages beside it (`goat.widgets.rows`), from whichever thread heard of them.
    """

    _esm = source("chart.js", "grid.js", "board.js")
    _css = source("board.css")

    tables: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """`goat.widgets.rows.Table.state` of each board."""
    team = traitlets.Unicode("").tag(sync=True)
    own = traitlets.Dict().tag(sync=True)
    """Board → the own team's scored submissions as [seconds since 1970, score]."""

    def __init__(self, names: tuple[str, ...] = (), *, live: Live, client: Client) -> None:
        self._boards: dict[str, Board] = {}
        self._shown: dict[str, Table] = {}
        self._names = names
        self._silent = False
        self._live = live
        self._changing = threading.RLock()
        super().__init__()
        with contextlib.suppress(GoatError):  # the thread below says what it is, and tries again
            self._begin(client)
        live.when_connected(self._begin)
        live.tell_problems(self._said)
        live.listen(self._submission)

    # --- for programs -----------------------------------------------------------------------

    def leaderboard(self, board: str | None = None) -> Leaderboard:
        """A board as it is now: the named one, or the first."""
        name = board or next(iter(self._boards), "")
        if name not in self._boards:
            raise NotFound(
                f"This widget shows no board {name!r}; it shows {', '.join(self._boards) or 'none'}."
            )
        return Leaderboard(self._boards[name], self.team or None)

    @property
    def frame(self) -> pd.DataFrame:
        """The first board as a DataFrame."""
        return self.leaderboard().frame

    @property
    def figure(self) -> go.Figure:
        """The first board as a plotly figure."""
        return self.leaderboard().figure

    def close(self) -> None:
        self._live.forget(self._begin, self._said, self._submission, *self._hearers.values())
        super().close()

    # --- what is heard ------------------------------------------------------------------------

    def _begin(self, client: Client) -> None:
        """Find out which boards there are, fill them, and watch them."""
        if self._shown:
            return
        try:
            self._open(client)
        except GoatError:
            self._shown.clear()
            self._boards.clear()
            raise

    def _open(self, client: Client) -> None:
        found = {item.id: item for item in client.challenges()}
        names = self._names or (*found, COMBINED)
        for name in names:
            try:
                board = client.combined() if name == COMBINED else client.leaderboard(name)
            except (NotFound, Forbidden):
                if name == COMBINED and not self._names:
                    continue  # this event has no combined board
                raise
            title = "Combined" if name == COMBINED else getattr(found.get(name), "title", name)
            self._shown[name] = Table(name, plain(title, 80))
            self._take(name, board)
        self._own_points(client)
        for name in self._shown:
            self._hearers[name] = lambda board, name=name: self._take(name, board)
            self._live.watch(name, self._hearers[name])

    @property
    def _hearers(self) -> dict[str, Any]:
        found: dict[str, Any] = self.__dict__.setdefault("_hearers_by_name", {})
        return found

    def _take(self, name: str, board: Board) -> None:
        with self._changing:
            known = self._boards.get(name)
            if known is not None and known == board:
                return
            self._boards[name] = board
            change = self._shown[name].show(board)
            self._store(quietly=change is not None)
            if change is not None:
                self.send({"b": list(self._shown).index(name), **change})

    def _store(self, *, quietly: bool) -> None:
        self._silent = quietly
        try:
            self.tables = [table.state() for table in self._shown.values()]
        finally:
            self._silent = False

    def _should_send_property(self, key: str, value: Any) -> bool:
        if key == "tables" and self._silent:
            return False  # the browser gets the change instead
        return bool(super()._should_send_property(key, value))

    def asked(self, content: dict[str, Any]) -> None:
        if content.get("want") == "tables":
            with self._changing:
                self.send_state("tables")

    def _said(self, problem: str) -> None:
        self.problem = problem
        if not problem and self._live.team:
            self.team = self._live.team

    def _own_points(self, client: Client) -> None:
        with contextlib.suppress(GoatError):
            self.team = client.me().team_name or ""
            points: dict[str, list[list[float]]] = {}
            for item in reversed(history(limit=_OWN_POINTS, client=client).submissions):
                self._add_point(points, item)
            self.own = points

    def _submission(self, item: Submission) -> None:
        if item.state == "EVALUATED" and item.mode == "ranked":
            points = {name: list(found) for name, found in self.own.items()}
            self._add_point(points, item)
            self.own = points

    def _add_point(self, points: dict[str, list[list[float]]], item: Submission) -> None:
        name = next((one for one in (item.challenge, reference(item)) if one in self._shown), None)
        if name and item.score is not None and item.mode == "ranked":
            point = [int(item.submitted_at.timestamp()), round(item.score, DIGITS)]
            if point not in points.setdefault(name, []):
                points[name].append(point)

    # --- where widgets are not shown ------------------------------------------------------------

    def as_text(self) -> str:
        shown = [repr(Leaderboard(board, self.team or None)) for board in self._boards.values()]
        return "\n\n".join(shown) or "No board yet."

    def as_html(self) -> str:
        shown = [Leaderboard(board, self.team or None)._repr_html_() for board in self._boards.values()]
        return "".join(shown) or super().as_html()

"""`goat.board()`: boards that stay current, with charts, in the notebook."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import traitlets

from goat.client import Client
from goat.errors import Forbidden, GoatError, NotFound
from goat.history import history
from goat.leaderboard import Leaderboard
from goat.records import Board, Submission
from goat.surface import Surface, surface_of
from goat.text import plain
from goat.waiting import reference
from goat.widgets.assets import source
from goat.widgets.base import Dated
from goat.widgets.offers import SPEED, Offer, offers, own_challenges
from goat.widgets.rows import DIGITS, LINES, TIME, Table
from goat.widgets.stream import Live, ask_board

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_OWN_POINTS = 500
_BANNED = "The team {team} is banned from this event and is not on its boards. Talk to the organiser."


class BoardWidget(Dated):
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
    surfaces = traitlets.Dict().tag(sync=True)
    """Board → what the figure of accuracy and speed is drawn over (`goat.surface.Surface`)."""

    def __init__(self, names: tuple[str, ...] = (), *, live: Live, client: Client) -> None:
        self._boards: dict[str, Board] = {}
        self._shown: dict[str, Table] = {}
        self._offers: dict[str, Offer] = {}
        self._surfaces: dict[str, Surface] = {}
        self._hearers: dict[str, Callable[[Board], None]] = {}
        self._wrong: GoatError | None = None
        self._names = names
        self._silent = False
        self._banned = ""
        self._live = live
        self._changing = threading.RLock()
        super().__init__()
        self._begin_here(client)
        live.when_connected(self._begin)
        live.tell_problems(self._said)
        live.listen(self._submission)

    # --- for programs -----------------------------------------------------------------------

    def leaderboard(self, board: str | None = None) -> Leaderboard:
        """A board as it is now: the named one, or the first."""
        name = board or next(iter(self._boards), "")
        name = next((one for one in self._boards if name in (one, one.rpartition(":")[2])), name)
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

    def _begin_here(self, client: Client) -> None:
        """Begin in the cell that made us. Raises `NotFound` and `Forbidden` for a board that was named."""
        try:
            self._begin(client)
        except GoatError:
            return  # an outage: the thread says what it is, and tries again
        if self._wrong is not None:
            super().close()
            raise self._wrong

    def _begin(self, client: Client) -> None:
        """Find out which boards there are now, fill them, and watch them."""
        self.now = self._live.now()
        found: dict[str, tuple[Offer, Board]] = {}
        self._wrong = None
        for offer in offers(own_challenges(client), self._names):
            try:
                found[offer.id] = (offer, self._ask(client, offer))
            except (NotFound, Forbidden) as error:
                if self._names:
                    self._wrong = error  # said beside the others: they and their stream go on
        self._own_points(client)
        self._offer({name: offer for name, (offer, _) in found.items()})
        for name, (_, board) in found.items():
            self._take(name, board)
        self._tell_courses(client)
        self._watch()

    @staticmethod
    def _ask(client: Client, offer: Offer) -> Board:
        if offer.split == "private":
            return client.leaderboard(offer.board, "private")
        return ask_board(client, offer.board)

    def _offer(self, offered: dict[str, Offer]) -> None:
        """Show these boards and no others, in this order; those that stay keep what they know."""
        with self._changing:
            if offered == self._offers:
                return
            before, known, self._offers = self._shown, self._offers, offered
            self._shown = {
                name: before.get(name) or Table(name, offer.title, offer.split)
                for name, offer in offered.items()
            }
            for name, offer in offered.items():
                table = self._shown[name]
                table.title, table.figures = offer.title, offer.figures
                table.note, table.parts = offer.note, offer.parts
            self._boards = {name: self._boards[name] for name in offered if name in self._boards}
            changed = [name for name in self._surfaces if known.get(name) != offered.get(name)]
            for name in changed:  # another formula, or gone
                del self._surfaces[name]
                if name in self._boards:
                    self._draw_surface(name)
            if before:
                self._store(quietly=False)

    def _watch(self) -> None:
        """Hear of every public board, and of none that is gone."""
        wanted = {offer.board for offer in self._offers.values()}
        for name in self._hearers.keys() - wanted:
            self._live.forget(self._hearers.pop(name))
        for name in wanted - self._hearers.keys():
            self._hearers[name] = lambda board, name=name: self._hear(name, board)  # type: ignore[misc]
            self._live.watch(name, self._hearers[name])

    def _hear(self, name: str, board: Board) -> None:
        """A public board changed; a final board of the same challenge has no event of its own."""
        for offer in list(self._offers.values()):
            if offer.board == name and offer.split == "public":
                known = self._boards.get(offer.id)
                if known is None or known.version <= board.version:  # else we have asked meanwhile
                    self._take(offer.id, board)
            elif offer.board == name and self._live.client is not None:
                with contextlib.suppress(GoatError):  # the next connection asks again
                    self._take(offer.id, self._ask(self._live.client, offer))

    def _tell_courses(self, client: Client) -> None:
        """How the boards came to be. A chart lacks it where the service cannot tell."""
        for name, offer in list(self._offers.items()):
            if TIME not in offer.figures:
                continue
            with contextlib.suppress(GoatError):
                history = client.board_history(offer.board, top=LINES, team_name=self.team)
                with self._changing:
                    if self._shown[name].tell_course(history):
                        self._store(quietly=False)

    def _take(self, name: str, board: Board) -> None:
        with self._changing:
            known = self._boards.get(name)
            if known is not None and known == board:
                return
            if name not in self._shown:
                return  # it was taken away while we heard of it
            table, offer = self._shown[name], self._offers[name]
            public = self._boards.get(offer.board) if offer.split == "private" else None
            if public is not None:
                table.compare(public)
            self._boards[name] = board
            change = table.show(board)
            self._draw_surface(name)
            self._store(quietly=change is not None)
            if change is not None:
                self.send({"b": list(self._shown).index(name), **change})

    def _draw_surface(self, name: str) -> None:
        """Compute the score around the teams of a board, where that has changed."""
        offer, team = self._offers[name], self.team
        if SPEED not in offer.figures:
            return
        before = self._surfaces.get(name)
        with contextlib.suppress(GoatError, ValueError):  # settings of a newer service: no lines, then
            now = surface_of(offer.kind, offer.config, self._boards[name], team, before)
            if now is None:
                self._surfaces.pop(name, None)
            elif now is not before:
                self._surfaces[name] = now
        told = {one: {**asdict(surface), "said": surface.said()} for one, surface in self._surfaces.items()}
        if before is not self._surfaces.get(name) or told.keys() != self.surfaces.keys():
            self.surfaces = told

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
        self.problem = problem or (plain(self._wrong) if self._wrong else self._banned)
        if not problem and self._live.team:
            self.team = self._live.team
            with self._changing:
                for name in self._boards:
                    self._draw_surface(name)

    def _own_points(self, client: Client) -> None:
        with contextlib.suppress(GoatError):
            me = client.me()
            self.team = me.team_name or ""
            self._banned = _BANNED.format(team=plain(me.team_name, 80)) if me.banned else ""
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

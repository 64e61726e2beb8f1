"""The team's own submissions, live: states, scores, and which of them are the finals."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import traitlets

from goat.client import Client
from goat.errors import Forbidden, GoatError
from goat.history import History, history
from goat.records import Challenge, Submission
from goat.results import Result
from goat.surface import board_metrics
from goat.text import plain
from goat.waiting import reference
from goat.widgets.assets import source
from goat.widgets.base import Dated
from goat.widgets.rows import DIGITS, headings, significant
from goat.widgets.stream import Live, quick_client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    import plotly.graph_objects as go

_SHOWN = 500


class HistoryWidget(Dated):
    """A table and a chart of the own submissions; a click chooses a final or calls one back."""

    _esm = source("chart.js", "grid.js", "history.js")
    _css = source("board.css", "history.css")

    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Newest first: [id, seconds since 1970, challenge, mode, state, score, final, note,
    place in the queue, ...``about["metrics"]``]."""
    about = traitlets.Dict().tag(sync=True)
    """``unit``, ``up`` (higher is better), ``finals`` (how many may be chosen), ``several`` challenges,
    ``metrics`` (`goat.widgets.rows.headings`)."""
    notice = traitlets.Unicode("").tag(sync=True)
    """What came of the last click, if it did not work."""

    def __init__(
        self,
        challenge: str | None = None,
        *,
        live: Live,
        connect: Callable[[], Client] = quick_client,
        found: History | None = None,
    ) -> None:
        self._challenge = challenge
        self._live = live
        self._connect = connect
        self._silent = False
        self._barred = ""
        self._changing = threading.RLock()
        self._items: dict[str, Submission] = {}
        self._metrics: tuple[str, ...] = ()
        super().__init__()
        if found is not None:
            self._fill(found)
        live.when_connected(self._begin)
        live.tell_problems(self._said)
        live.listen(self._submission)

    @property
    def history(self) -> History:
        """The submissions as they are now."""
        items = sorted(self._items.values(), key=lambda item: (item.submitted_at, item.id), reverse=True)
        return History(items, self.about.get("unit", ""), self.about.get("up", True))

    @property
    def frame(self) -> pd.DataFrame:
        return self.history.frame

    @property
    def figure(self) -> go.Figure:
        return self.history.figure

    def close(self) -> None:
        self._live.forget(self._begin, self._said, self._submission)
        super().close()

    def switch(self, challenge: str | None, client: Client) -> None:
        """Show another challenge's submissions."""
        with self._changing:
            self._challenge = challenge
            self._items.clear()
        self._begin(client)

    # --- what is heard ------------------------------------------------------------------------

    def _begin(self, client: Client) -> None:
        """All submissions anew: what happened while nobody listened is among them."""
        self.now = self._live.now()
        challenge = self._challenge
        try:
            found = history(challenge, limit=_SHOWN, client=client)
            about = client.challenge(challenge) if challenge else None
            self._barred = ""
        except Forbidden as error:  # a ban: what others show goes on
            self._barred = self.problem = plain(error)
            return
        if challenge == self._challenge:
            self._fill(found, about)

    def _fill(self, found: History, about: Challenge | None = None) -> None:
        with self._changing:
            self._metrics = board_metrics(about.kind) if about else ()
            self._items = {item.id: item for item in found.submissions}
            self.about = {
                "unit": plain(found.unit, 40),
                "up": found.higher_is_better,
                "finals": about.finals if about else None,
                "metrics": headings(self._metrics),
                "several": self._challenge is None,
            }
            self.rows = [_row(item, found.unit, self._metrics) for item in self.history.submissions]

    def _submission(self, item: Submission) -> None:
        if self._challenge not in (None, item.challenge, reference(item)):
            return
        with self._changing:
            self._items[item.id] = item
            self._silent = True
            try:
                unit = self.about.get("unit", "")
                self.rows = [_row(one, unit, self._metrics) for one in self.history.submissions]
            finally:
                self._silent = False
            self.send({"row": _row(item, unit, self._metrics)})

    def _should_send_property(self, key: str, value: Any) -> bool:
        if key == "rows" and self._silent:
            return False  # the browser gets the one row instead
        return bool(super()._should_send_property(key, value))

    def _said(self, problem: str) -> None:
        self.problem = problem or self._barred

    # --- what is clicked ------------------------------------------------------------------------

    def asked(self, content: dict[str, Any]) -> None:
        identifier = content.get("id")
        if isinstance(identifier, str) and identifier in self._items:
            threading.Thread(target=self._act, args=(content, identifier), daemon=True).start()

    def _act(self, content: dict[str, Any], identifier: str) -> None:
        try:
            with self._connect() as client:
                if content.get("do") == "select":
                    found = client.select(identifier, bool(content.get("on")))
                elif content.get("do") == "cancel":
                    found = client.cancel(identifier)
                else:
                    return
            self.notice = ""
            self._submission(found)
        except GoatError as error:
            self.notice = plain(error)
            self._submission(self._items[identifier])  # the box shows again what is so

    # --- where widgets are not shown ------------------------------------------------------------

    def as_text(self) -> str:
        return repr(self.history)

    def as_html(self) -> str:
        return self.history._repr_html_()


def _row(item: Submission, unit: str, metrics: Sequence[str]) -> list[Any]:
    return [
        item.id,
        int(item.submitted_at.timestamp()),
        plain(item.challenge, 80),
        item.mode,
        item.state,
        None if item.score is None else round(item.score, DIGITS),
        item.selected,
        _note(item, unit),
        item.queue_position,
        *(significant(item.metrics.get(name)) for name in metrics),
    ]


def _note(item: Submission, unit: str) -> str:
    """What the columns do not say."""
    if item.state in ("QUEUED", "RUNNING") or (item.state == "EVALUATED" and item.improved is not False):
        return ""
    return Result.of(item, unit=unit).sentence()[:400]

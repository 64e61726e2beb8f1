"""A team's own submissions over time: live in a notebook, and as a DataFrame and a figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from goat.callables import make_callable
from goat.client import Client
from goat.errors import Invalid
from goat.figures import history_figure
from goat.records import Submission
from goat.text import markup, number, plain

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from rich.table import Table

_PAGE = 200
_COLUMNS = (
    *("submitted_at", "challenge", "mode", "state", "score"),
    *("improved", "selected", "error", "filename"),
)


@dataclass(frozen=True, repr=False)
class History:
    """Submissions, newest first."""

    submissions: list[Submission]
    unit: str = ""
    higher_is_better: bool = True
    of: str | None = None
    """The challenge that was asked for, if it was one."""
    current: bool = False
    """Asked with the saved identity: in a notebook it is shown as a widget that stays current."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per submission: submission_id, submitted_at (UTC), challenge, mode, state, score, …"""
        import pandas as pd

        columns = {"submission_id": [item.id for item in self.submissions]}
        columns |= {name: [getattr(item, name) for item in self.submissions] for name in _COLUMNS}
        frame = pd.DataFrame(columns)
        frame["submitted_at"] = pd.to_datetime(frame["submitted_at"], utc=True)
        frame["score"] = frame["score"].astype("float64")
        return frame

    @property
    def figure(self) -> go.Figure:
        """Scores over time with the best so far. Raises `goat.errors.Invalid` for several challenges."""
        names = sorted({item.challenge for item in self.submissions})
        if len(names) > 1:
            raise Invalid(
                f"Scores of several challenges have no common axis: goat.history({names[0]!r}).figure"
            )
        return history_figure(self.frame, unit=self.unit, higher_is_better=self.higher_is_better)

    def table(self) -> Table:
        """The history for a terminal (rich)."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        # What identifies a submission is never cut; a long note gives way first (80 columns suffice).
        names = {item.challenge for item in self.submissions}
        title = Text(plain(names.pop())) if len(names) == 1 else None
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in ("submitted (UTC)", *(() if title else ("challenge",)), "mode", "state"):
            table.add_column(name, no_wrap=True, min_width=len(name))
        table.add_column("score", justify="right", no_wrap=True, min_width=8)
        table.add_column(
            "submission", no_wrap=True, min_width=max((len(i.id) for i in self.submissions), default=10)
        )
        noted = any(item.error or item.selected for item in self.submissions)
        if noted:
            table.add_column("note", overflow="fold", min_width=6)
        colors = {"EVALUATED": "green", "REJECTED": "red", "FAILED": "magenta"}
        for item in self.submissions:
            note = plain(item.error, 100) if item.error else "final" if item.selected else ""
            cells: list[str | Text] = [
                f"{item.submitted_at:%m-%d %H:%M:%S}",
                *(() if title else (Text(plain(item.challenge)),)),
                item.mode,
                Text(item.state, style=colors.get(item.state, "")),
                number(item.score),
                Text(plain(item.id)),
            ]
            table.add_row(*cells, *([Text(note)] if noted else []))
        return table

    def _repr_mimebundle_(self, **options: Any) -> Any:
        from goat.widgets.api import history_widget, in_notebook

        if self.current and in_notebook():
            return history_widget(self)._repr_mimebundle_(**options)
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def __len__(self) -> int:
        return len(self.submissions)

    def __repr__(self) -> str:
        lines = (
            f"{item.submitted_at:%Y-%m-%d %H:%M:%S}  {plain(item.challenge):<12} {item.mode:<7}"
            f" {item.state:<10} {number(item.score, self.unit)}"
            for item in self.submissions[:20]
        )
        return "\n".join([f"{len(self)} submissions", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{item.submitted_at:%Y-%m-%d %H:%M:%S}</td><td>{markup(item.challenge)}</td>"
            f"<td>{item.mode}</td><td>{item.state}</td><td>{markup(number(item.score, self.unit))}</td>"
            f"<td style='text-align:left'>{markup(item.error or '', 200)}</td></tr>"
            for item in self.submissions[:50]
        )
        titles = ("submitted (UTC)", "challenge", "mode", "state", "score", "")
        head = "".join(f"<th>{title}</th>" for title in titles)
        return f"<table><tr>{head}</tr>{rows}</table>"


def history(
    challenge: str | None = None, *, limit: int | None = None, client: Client | None = None
) -> History:
    """The team's submissions, newest first: of one challenge, or of all.

    ``.frame`` is a DataFrame, ``.figure`` a plotly figure. ``limit`` bounds how many are fetched. In a
    notebook it is shown as a table that stays current, with the finals to choose.
    """
    if client is None:
        with Client() as own:
            return replace(history(challenge, limit=limit, client=own), current=limit is None)
    found: list[Submission] = []
    while limit is None or len(found) < limit:
        wanted = _PAGE if limit is None else min(_PAGE, limit - len(found))
        page = client.submissions(challenge, limit=wanted, before=found[-1].id if found else None)
        # Never trust a page to move on: a service that repeats itself must not loop us forever.
        seen = {item.id for item in found}
        fresh = [item for item in page if item.id not in seen]
        found += fresh
        if len(page) < wanted or not fresh:
            break
    if challenge is None:
        return History(found)
    about = client.challenge(challenge)
    return History(found, about.unit, about.higher_is_better, of=challenge)


make_callable(__name__, history)

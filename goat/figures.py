"""DataFrame in, plotly figure out. Pure: nothing is fetched and no state is kept.

Names that teams chose are escaped, since plotly's labels read a subset of HTML.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from goat.text import amount, markup, metric_label, number

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from goat.surface import Surface

_NO_METRICS = frozenset({"rank", "team_name", "score", "submission_id", "submitted_at", "entries"})
"""A board's other columns."""

_OWN = "#d1495b"
_BEST = "#00798c"
_OTHER = "#8d96a3"
"""Told apart by brightness too, so that they work in light, dark and grey."""


def history_figure(
    frame: pd.DataFrame, *, unit: str = "", higher_is_better: bool = True, title: str = "Your submissions"
) -> go.Figure:
    """Every scored submission as a point over time, and the best so far as a line.

    Args:
        frame: Columns ``submitted_at`` (times), ``score`` (float, NaN where there is none),
            ``submission_id`` and ``mode``.
        unit: Unit of the score, for the axis.
        higher_is_better: The direction in which the best improves.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    scored = frame.dropna(subset=["score"]).sort_values("submitted_at")
    names = {"ranked": ("ranked: public score", _BEST, "circle"), "test": ("test: sample score", _OTHER, "x")}
    for mode, (name, color, symbol) in names.items():
        part = scored[scored["mode"] == mode]
        if part.empty:
            continue
        best = part["score"].cummax() if higher_is_better else part["score"].cummin()
        figure.add_scatter(
            x=part["submitted_at"],
            y=best,
            name=f"best {mode}",
            mode="lines",
            line={"shape": "hv", "color": color, "dash": "solid" if mode == "ranked" else "dot"},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=part["submitted_at"],
            y=part["score"],
            name=name,
            mode="markers",
            marker={"color": color, "size": 9, "symbol": symbol},
            customdata=[markup(identifier) for identifier in part["submission_id"]],
            hovertemplate="%{y:.4f}<br>%{x}<br>%{customdata}<extra></extra>",
        )
    return _over_time(figure, title, unit)


def board_figure(
    frame: pd.DataFrame, *, unit: str = "", highlight: str | None = None, top: int = 30, title: str = "Board"
) -> go.Figure:
    """The board's best teams as bars, the first on top.

    Args:
        frame: Columns ``rank``, ``team_name``, ``score``, best first.
        unit: Unit of the score, for the axis.
        highlight: Name of the team to show in another colour; it is shown even outside ``top``.
        top: How many teams to show.
    """
    import plotly.graph_objects as go

    shown = frame.head(top)
    if highlight is not None and highlight not in set(shown["team_name"]):
        own = frame[frame["team_name"] == highlight]
        shown = frame.loc[[*shown.index, *own.index]]
    ranked = zip(shown["rank"], shown["team_name"], strict=True)
    labels = [f"{rank}. {markup(name, 40)}" for rank, name in ranked]
    # Positions on a plain axis: two teams whose names look alike must not share a bar.
    places = list(range(len(labels)))
    figure = go.Figure(
        go.Bar(
            x=shown["score"],
            y=places,
            orientation="h",
            marker_color=[_OWN if name == highlight else _BEST for name in shown["team_name"]],
            text=[f"{score:.4f}" for score in shown["score"]],
            customdata=labels,
            hovertemplate="%{customdata}: %{x:.4f}<extra></extra>",
        )
    )
    figure.update_layout(
        title=markup(title),
        xaxis_title=_axis("score", unit),
        yaxis={"tickvals": places, "ticktext": labels, "autorange": "reversed", "automargin": True},
        height=160 + 26 * max(3, len(labels)),
        showlegend=False,
    )
    return figure


def course_figure(
    best: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    unit: str = "",
    highlight: str | None = None,
    title: str = "Over time",
) -> go.Figure:
    """The board's best score over time, and the teams' ways there.

    Args:
        best: Columns ``team_name``, ``submitted_at`` (times), ``score``; each row beats the one before.
        steps: The same columns: improvements of some teams, in order of time.
        unit: Unit of the score, for the axis.
        highlight: Name of the team to show in another colour and in front.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [name for name in steps["team_name"].drop_duplicates() if name != highlight]
    for name in [*names, *([highlight] if highlight in set(steps["team_name"]) else [])]:
        part = steps[steps["team_name"] == name]
        own = name == highlight
        figure.add_scatter(
            x=part["submitted_at"],
            y=part["score"],
            name=markup(name, 40),
            mode="lines+markers",
            line={"shape": "hv", "color": _OWN if own else _OTHER, "width": 2.5 if own else 1},
            marker={"size": 6 if own else 4},
        )
    figure.add_scatter(
        x=best["submitted_at"],
        y=best["score"],
        name="best",
        mode="lines",
        line={"shape": "hv", "color": _BEST, "width": 2.5},
        customdata=[markup(name, 40) for name in best["team_name"]],
        hovertemplate="%{y:.4f} by %{customdata}<extra>best</extra>",
    )
    return _over_time(figure, title, unit)


def speed_figure(
    frame: pd.DataFrame,
    surface: Surface | None,
    *,
    across: str,
    up: str,
    unit: str = "",
    highlight: str | None = None,
    title: str = "Accuracy and speed",
) -> go.Figure:
    """Teams by two metrics, over lines of equal score.

    Args:
        frame: Columns ``team_name``, ``score`` and the board's metrics; a team without ``across`` or
            ``up`` is left out.
        surface: The score over both (`goat.surface.surface_of`), or None to draw the teams alone.
        across: Column along x, e.g. ``latency_ms``.
        up: Column along y, e.g. ``accuracy``.
        unit: Unit of the score.
        highlight: Name of the team to show in another colour and in front.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    if surface is not None:
        figure.add_contour(
            x=surface.x,
            y=surface.y,
            z=surface.z,
            name=markup(surface.said()),
            showlegend=True,
            showscale=False,
            colorscale=[[0, _OTHER], [1, _OTHER]],
            contours={"coloring": "lines", "showlabels": True},
            ncontours=12,
            line={"width": 1},
            hoverinfo="skip",
        )
    for own in (False, True):
        part = frame.dropna(subset=[across, up])
        part = part[(part["team_name"] == highlight) == own]
        if part.empty:
            continue
        figure.add_scatter(
            x=part[across],
            y=part[up],
            name="your team" if own else "teams",
            mode="markers",
            marker={"color": _OWN if own else _BEST, "size": 13 if own else 9},
            customdata=[_said(row, across, up, unit) for row in part.to_dict("records")],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_layout(
        title=markup(title),
        xaxis_title=markup(metric_label(across)),
        yaxis_title=markup(metric_label(up)),
        legend={"orientation": "h", "y": -0.25},
        hovermode="closest",
    )
    if surface is not None and surface.logarithmic:
        figure.update_xaxes(type="log")
    return figure


def _said(row: dict[Hashable, Any], across: str, up: str, unit: str) -> str:
    """A team's numbers, for a label."""
    metrics = [name for name in row if name not in _NO_METRICS]
    ordered = [up, across, *(name for name in metrics if name not in (up, across))]
    lines = [f"{markup(metric_label(str(name)))} {amount(str(name), row[name])}" for name in ordered]
    score = f"score {number(row['score'])}{' ' + markup(unit) if unit else ''}"
    return "<br>".join([f"<b>{markup(row['team_name'], 40)}</b>", score, *lines])


def _axis(name: str, unit: str) -> str:
    return f"{name} ({markup(unit)})" if unit else name


def _over_time(figure: go.Figure, title: str, unit: str) -> go.Figure:
    """Scores by the time of their submission."""
    return figure.update_layout(
        title=markup(title),
        xaxis_title="submitted (UTC)",
        yaxis_title=_axis("score", unit),
        legend={"orientation": "h", "y": -0.25},
        hovermode="closest",
    )

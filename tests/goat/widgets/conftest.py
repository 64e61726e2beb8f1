"""Widgets without a kernel: what they would send to a browser is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import ipywidgets
import pytest

from goat.records import Board, BoardRow
from goat.widgets.stream import Live
from tests.goat.fake_service import NOW
from tests.goat.widgets.comm import Comm


class StillLive(Live):
    """A stream that the test speaks for."""

    def _start(self) -> None:
        """No thread."""


@pytest.fixture
def comms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], Comm]]:
    """Widget → its connection."""
    monkeypatch.setattr("comm.create_comm", lambda *args, **options: Comm())
    yield lambda widget: widget.comm
    ipywidgets.Widget.close_all()


@pytest.fixture
def still() -> StillLive:
    return StillLive()


def board(count: int, version: int = 1, **scores: float) -> Board:
    """A board of ``count`` teams ``t0``, ``t1``, …; keywords move teams to other scores."""
    found = []
    for number in range(count):
        name = f"t{number}"
        score = scores.get(name, 40.0 - number / 50 + 1 / 3)
        entries = 2 if name in scores else 1
        when = NOW + timedelta(hours=20 if name in scores else 0, seconds=number)
        found.append((score, name, entries, when))
    found.sort(key=lambda one: -one[0])
    rows = [
        BoardRow(rank=at, team_name=name, score=score, submission_id="s", submitted_at=when, entries=entries)
        for at, (score, name, entries, when) in enumerate(found, start=1)
    ]
    return Board(
        event="toys",
        challenge="task1",
        split="public",
        version=version,
        frozen=False,
        higher_is_better=True,
        unit="dB",
        rows=rows,
    )

"""Widgets without a kernel: what they would send to a browser is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import ipywidgets
import pytest

from goat.records import Board, BoardRow
from goat.widgets.stream import Live
from tests.goat.fake_service import NOW


class Comm:
    """Stands where the connection to the browser would be."""

    comm_id = "c" * 32
    kernel = object()

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []

    def open(self, *args: Any, **options: Any) -> None: ...
    def close(self, *args: Any, **options: Any) -> None: ...
    def on_msg(self, *args: Any) -> None: ...
    def on_close(self, *args: Any) -> None: ...

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None, **options: Any) -> None:
        self.sent.append((data, list(buffers or [])))

    def custom(self) -> list[dict[str, Any]]:
        return [data["content"] for data, _ in self.sent if data["method"] == "custom"]

    def sizes(self) -> list[int]:
        """Payload of each message in bytes, as it is encoded for the browser."""
        return [
            len(json.dumps(data, separators=(",", ":")).encode()) + sum(map(len, buffers))
            for data, buffers in self.sent
        ]


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

"""What a moving board of 500 teams costs the notebook: bytes to the browser, and frames of the page.

Bytes: ten of 500 teams change. Plotly's figure of 500 lines of 50 points made anew, changed in one batch,
and one of its lines changed, against the message of ``goat.board()``.

Frames: a service with 500 teams, JupyterLab and Chromium. Spells in which nothing happens, and in which ten
teams move every second with the table and with a chart on the screen, take turns. A frame is the time between
two drawings of the page, 16.7 ms where nothing holds it up.

    python -m benchmarks.notebook_updates
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import comm
import numpy as np
import plotly.graph_objects as go
from sqlalchemy import select

from benchmarks.common import Report, Spread, ratios
from benchmarks.crowd import crowded_services
from goat.records import Board, BoardRow
from goat.widgets.rows import Table
from scoring_service.doors.http.app import create_app
from scoring_service.leaderboard.repository import bump_board
from scoring_service.models import Challenge, Standing
from scoring_service.services import Services
from tests.browser.chromium import chromium
from tests.browser.lab import Lab, running_lab
from tests.goat.fake_service import NOW
from tests.goat.widgets.comm import Comm
from tests.scoring_service.doors.http.conftest import BRISK, running

TEAMS, POINTS, MOVED = 500, 50, 10
ROUNDS, SPELL_MS, PAUSE_S = 5, 4000, 1.0
GAPS = """spell => new Promise(done => {
  const gaps = [], began = performance.now();
  let last = began;
  const step = now => {
    gaps.push(now - last);
    last = now;
    if (now < began + spell) requestAnimationFrame(step); else done(gaps.slice(1));
  };
  requestAnimationFrame(step);
})"""


def main() -> int:
    report = Report("notebook_updates")
    _bytes(report)
    with tempfile.TemporaryDirectory(prefix="goat-bench-") as folder:
        _frames(report, Path(folder))
    return 0 if report.finish() else 1


# --- bytes --------------------------------------------------------------------------------------


def _bytes(report: Report) -> None:
    report.add("a new figure of all teams", _sent(lambda figure: None, new=True), unit="bytes")
    report.add("its lines changed in one batch", _sent(_batch), unit="bytes")
    report.add("one of its lines changed", _sent(_one), unit="bytes")
    table = Table("task1", "Task")
    before = _board()
    table.show(before)
    sizes = []
    for _ in range(ROUNDS):
        before = _moved(before)
        sizes.append(float(_size({"b": 0, **(table.show(before) or {})})))
    report.add("goat.board(), ten teams changed", Spread.of(sizes), unit="bytes", at_most=300)


def _size(content: dict[str, Any]) -> int:
    sent = Comm()
    sent.send({"method": "custom", "content": content})
    return sent.sizes()[0]


def _sent(change: Callable[[Any], None], *, new: bool = False) -> float:
    made: list[Comm] = []
    usual = comm.create_comm

    def create(*args: Any, data: Any = None, buffers: Any = None, **options: Any) -> Comm:
        made.append(Comm())
        made[-1].send(data, buffers=buffers)  # what opens a widget carries its whole state
        return made[-1]

    comm.create_comm = create  # type: ignore[assignment]  # a recorder in its place
    try:
        lines = [go.Scatter(y=np.linspace(20, 30 + n / 50, POINTS), mode="lines") for n in range(TEAMS)]
        figure = go.FigureWidget(lines)
        if not new:
            for one in made:
                one.sent.clear()
        change(figure)
        return float(sum(sum(one.sizes()) for one in made))
    finally:
        comm.create_comm = usual


def _batch(figure: Any) -> None:
    with figure.batch_update():
        for line in figure.data:
            line.y = np.linspace(21, 35, POINTS)


def _one(figure: Any) -> None:
    figure.data[0].y = np.linspace(21, 35, POINTS)


def _board() -> Board:
    rows = [
        BoardRow(
            rank=at + 1,
            team_name=f"team_{at:04d}",
            score=40 - at / 50,
            submission_id="s",
            submitted_at=NOW + timedelta(seconds=at),
            entries=1,
        )
        for at in range(TEAMS)
    ]
    about = {"frozen": False, "higher_is_better": True, "unit": "dB"}
    return Board(event="e", challenge="task1", split="public", version=1, rows=rows, **about)  # type: ignore[arg-type]


_RANDOM = random.Random(1)


def _moved(board: Board) -> Board:
    """Ten teams improve by up to 2 dB, within the minute."""
    at = max(row.submitted_at for row in board.rows)
    chosen = set(_RANDOM.sample(range(TEAMS), MOVED))
    rows = [
        replace(
            row,
            score=round(row.score + 2 * _RANDOM.random(), 6),
            submitted_at=at + timedelta(seconds=_RANDOM.randrange(60)),
            entries=row.entries + 1,
        )
        if index in chosen
        else row
        for index, row in enumerate(board.rows)
    ]
    rows.sort(key=lambda row: -row.score)
    ranked = [replace(row, rank=place) for place, row in enumerate(rows, start=1)]
    return replace(board, version=board.version + 1, rows=ranked)


# --- frames -------------------------------------------------------------------------------------


def _frames(report: Report, home: Path) -> None:
    late: dict[str, list[float]] = {"quiet": [], "table": [], "chart": []}
    with _shown(home) as (services, lab):
        tabs = {"quiet": "Table", "table": "Table", "chart": "Distribution"}
        for _ in range(ROUNDS):
            for name, spells in late.items():
                lab.page.get_by_role("tab", name=tabs[name], exact=True).click()
                lab.page.wait_for_timeout(500)
                with _moving(services, on=name != "quiet"):
                    gaps = lab.page.evaluate(GAPS, SPELL_MS)
                spells.append(float(np.percentile(gaps, 99)))
    for name, spells in late.items():
        report.add(f"99th percentile of a frame, {name}", Spread.of(spells), unit="ms")
    report.add("table moving / quiet", ratios(late, "table", "quiet"), unit="×")
    report.add("chart moving / quiet", ratios(late, "chart", "quiet"), unit="×")


@contextmanager
def _shown(home: Path) -> Iterator[tuple[Services, Lab]]:
    """A board of all teams in a browser."""
    with crowded_services(TEAMS) as services, running(create_app(services, rhythm=BRISK)) as (_, port):
        url = f"http://127.0.0.1:{port}"
        with chromium() as browser, running_lab(url, "team_0000", home, browser) as lab:
            lab.open("import goat\ngoat.board('task1')")
            lab.run_all()
            lab.page.wait_for_selector(f".goat-summary >> text={TEAMS} teams", timeout=120_000)
            for name in ("Distribution", "Table"):  # plotly comes with the first chart
                lab.page.get_by_role("tab", name=name, exact=True).click()
                lab.page.wait_for_timeout(2000)
            yield services, lab


@contextmanager
def _moving(services: Services, *, on: bool) -> Iterator[None]:
    """Ten teams move each second, straight in the database: scoring them would take the processor."""
    stop = threading.Event()

    def move() -> None:
        while on and not stop.is_set():
            started = time.monotonic()
            with services.db.write() as session:
                for standing in _RANDOM.sample(list(session.scalars(select(Standing))), MOVED):
                    standing.score = round(standing.score + _RANDOM.random(), 6)
                    standing.entries += 1
                    standing.submitted_at = services.clock.now()
                bump_board(session, session.scalars(select(Challenge)).one().id)
            services.changes.announce()
            stop.wait(max(0.0, PAUSE_S - (time.monotonic() - started)))

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield
    finally:
        stop.set()
        mover.join()


if __name__ == "__main__":
    sys.exit(main())

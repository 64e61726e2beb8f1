"""Widgets on a real service: how soon they know, and what a dropped connection costs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from goat.client import Client
from goat.transports.sse import ServerEvent
from goat.widgets.board import BoardWidget
from goat.widgets.history import HistoryWidget
from goat.widgets.stream import Live
from scoring_service.services import Services
from tests.browser.hackathon import Hackathon, hackathon
from tests.scoring_service.world import PASSWORD


@pytest.fixture
def site(sqlite_services: Services, tmp_path: Path) -> Iterator[Hackathon]:
    folder = tmp_path / "world"
    folder.mkdir()
    with hackathon(sqlite_services, folder) as found:
        yield found


@pytest.fixture
def live(site: Hackathon) -> Iterator[Live]:
    site.team("team_awesome")
    found = Live(lambda: Client(site.url, team_id="team_awesome", password=PASSWORD))
    yield found
    found.close()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> float:
    """How long it took until the condition held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - started


def entries_of(board: BoardWidget) -> int:
    """Scored submissions of the team that leads the first board."""
    rows = board.tables[0]["rows"]
    return int(rows[0][4]) if rows else 0


def test_all_widgets_of_a_process_share_one_stream_and_know_within_a_second(
    site: Hackathon, live: Live
) -> None:
    # Given two boards and a history on the same stream
    site.result("team_awesome", 0.1)
    with Client(site.url, team_id="team_awesome", password=PASSWORD) as client:
        boards = [BoardWidget(live=live, client=client), BoardWidget(("task1",), live=live, client=client)]
        own = HistoryWidget(None, live=live, connect=lambda: client)
        until(lambda: live.problem == "" and own.rows)
        assert [table["id"] for table in boards[0].tables] == ["task1", "combined"]
        # When there is a new result
        site.result("team_awesome", 0.01, seed=2)
        # Then all three know
        waited = until(
            lambda: (
                len(own.rows) == 2
                and own.rows[0][4] == "EVALUATED"
                and all(b.tables[0]["rows"][0][4] == 2 for b in boards)
            )
        )
        assert waited < 1.0
        assert boards[0].own["task1"][-1][1] == own.rows[0][5]
        assert sum(thread.name == "goat-live" and thread.is_alive() for thread in threading.enumerate()) == 1
        for widget in (*boards, own):
            widget.close()
    assert live._boards == {}


class Overtaken(Client):
    """Something happens just before each opening of the stream, when all questions have been asked."""

    meanwhile: Callable[[], None]

    def events(self, *args: Any, **options: Any) -> Iterator[ServerEvent]:
        self.meanwhile()
        return super().events(*args, **options)


def test_what_changes_between_the_question_and_the_stream_is_not_missed(site: Hackathon) -> None:
    # Given a challenge that is renamed, and a result that comes, before the widgets' stream is open
    def meanwhile() -> None:
        opened.append(f"Title {len(opened)}")
        site.world.apply(title=opened[-1])
        site.result("team_awesome", 0.1, seed=len(opened))

    opened: list[str] = []
    site.team("team_awesome")
    client = Overtaken(site.url, team_id="team_awesome", password=PASSWORD)
    client.meanwhile = meanwhile
    live = Live(lambda: client)
    board = BoardWidget(("task1",), live=live, client=client)
    own = HistoryWidget(None, live=live, connect=lambda: client)
    # When it is open, and nothing else happens
    until(lambda: live.problem == "" and opened)
    # Then both show what there is
    until(lambda: len(own.rows) == len(opened) and own.rows[0][4] == "EVALUATED")
    until(lambda: board.tables[0]["title"] == opened[-1])
    for one in (board, own, live):
        one.close()


def test_a_challenge_that_comes_or_goes_is_a_board_more_or_less(site: Hackathon, live: Live) -> None:
    # Given a board of all challenges, of which there is one
    file = site.world.folder / "event.yaml"
    spec = yaml.safe_load(file.read_text())
    second = [*spec["challenges"], spec["challenges"][0] | {"id": "task2", "title": "Second"}]
    with Client(site.url, team_id="team_awesome", password=PASSWORD) as client:
        board = BoardWidget(live=live, client=client)
        until(lambda: live.problem == "")
        for challenges, names in (
            (second, ["task1", "task2", "combined"]),
            (second[:1], ["task1", "combined"]),
        ):
            # When another comes, and when it goes
            file.write_text(yaml.safe_dump(spec | {"challenges": challenges}))
            site.world.services.events.apply(file)
            # Then so do its board and what is heard of it
            until(lambda: [table["id"] for table in board.tables] == names)  # noqa: B023
            until(lambda: set(live._boards) == set(names) and live.problem == "")  # noqa: B023
            entries = len(names)
            site.result("team_awesome", 0.2 / entries, seed=entries)
            until(lambda: entries_of(board) == 4 - entries)  # noqa: B023
        board.close()


def test_a_dropped_connection_costs_nothing(site: Hackathon, live: Live) -> None:
    with Client(site.url, team_id="team_awesome", password=PASSWORD) as client:
        widget = BoardWidget(("task1",), live=live, client=client)
        until(lambda: live.problem == "")
        said: list[str] = []
        live.tell_problems(said.append)
        # When the connection breaks, and something happens before it is open again
        live._cut()
        site.result("other", 0.05)
        # Then it is said, the stream comes back and brings what was missed
        until(lambda: widget.tables[0]["rows"])
        until(lambda: live.problem == "")
        assert any("reconnecting" in text or "Trying again" in text for text in said)
        widget.close()


def test_finals_are_chosen_and_a_refusal_is_a_sentence(site: Hackathon, live: Live) -> None:
    # Given more results than finals
    for seed in (1, 2, 3):
        site.result("team_awesome", 0.1 / seed, seed=seed)
    connect = lambda: Client(site.url, team_id="team_awesome", password=PASSWORD)  # noqa: E731
    own = HistoryWidget("task1", live=live, connect=connect)
    until(lambda: len(own.rows) == 3)
    assert own.about["finals"] == 2
    # When all three are clicked
    for row in list(own.rows):
        own._handle_custom_msg({"do": "select", "id": row[0], "on": True}, [])
        until(lambda: own.notice or next(now for now in own.rows if now[0] == row[0])[6])  # noqa: B023
    # Then two are chosen and the third click says why it is not
    assert sum(row[6] for row in own.rows) == 2
    assert "2" in own.notice
    own.close()

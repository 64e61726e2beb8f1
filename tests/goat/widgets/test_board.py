"""The board widget."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest

import goat.widgets
from goat.client import Client
from goat.errors import Forbidden, NotFound
from goat.records import Submission
from goat.transports.problems import unreachable
from goat.transports.sse import ServerEvent
from goat.widgets.board import BoardWidget
from goat.widgets.history import HistoryWidget
from tests.goat.fake_service import NOW, FakeService, problem
from tests.goat.widgets.conftest import StillLive, board

XSS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "${alert(1)}",
    "</style><script>1</script>",
    "a\u202eb",
    "\x1b[31m",
    "&lt;b&gt;",
)
HELLO = '{"server_time":"2026-05-01T12:00:00Z","team_name":"team_awesome"}'


@pytest.fixture
def widget(comms, client: Client, still: StillLive) -> BoardWidget:
    return BoardWidget(("task1",), live=still, client=client)


def event(content: object) -> ServerEvent:
    return ServerEvent("board", msgspec.json.encode(content).decode())


def test_it_opens_with_the_board_and_the_own_team(widget: BoardWidget) -> None:
    assert [table["id"] for table in widget.tables] == ["task1"]
    assert [row[2] for row in widget.tables[0]["rows"]] == [1, 2, 3]
    assert widget.team == "team_awesome"
    assert list(widget.frame["rank"]) == [1, 2, 3]


def test_a_banned_team_is_told_so_on_the_board(
    comms, client: Client, still: StillLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = replace(client.me(), banned=True)
    monkeypatch.setattr(client, "me", lambda: me)
    widget = BoardWidget(("task1",), live=still, client=client)
    still._say("")
    assert widget.problem.startswith("The team team_awesome is banned from this event")
    assert len(widget.tables[0]["rows"]) == 3
    # And no more once it is let in again
    me = replace(me, banned=False)
    widget._begin(client)
    still._say("connecting …")
    still._say("")
    assert widget.problem == ""


def test_inside_the_hub_an_outage_asks_for_nothing_that_a_team_cannot_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said() -> str:
        return str(unreachable(httpx.ConnectError("refused"), "http://here:1", "look", 1))

    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    assert "GOAT_URL" in said()
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "t")
    monkeypatch.setenv("GOAT_URL", "http://here:1")
    assert "GOAT_URL" not in said()
    assert "tell the organiser" in said()


def test_a_change_is_sent_as_a_delta_and_kept_in_the_state(
    widget: BoardWidget, comms, client: Client, still: StillLive
) -> None:
    # Given an open board
    still._hear(client, event({"snapshot": board(500, 5)}))
    comms(widget).sent.clear()
    # When ten teams improve
    moved = {f"t{number}": 41.0 + number / 100 for number in range(100, 110)}
    rows = [row for row in board(500, 6, **moved).rows if row.team_name in moved]
    after = board(500, 6, **moved)
    before = {row.team_name: row for row in board(500, 5).rows}
    rows = [row for row in after.rows if before[row.team_name] != row]
    still._hear(client, event({"challenge": "task1", "from": 5, "to": 6, "rows": rows, "removed": []}))
    # Then one small message is all that goes out, and a page that is reloaded finds the new state
    assert len(comms(widget).sizes()) == 1
    assert comms(widget).sizes()[0] <= 300
    assert widget.get_state("tables")["tables"][0]["rows"][0][1] == after.rows[0].team_name


def test_a_gap_in_the_versions_asks_the_service_for_the_board(
    widget: BoardWidget, client: Client, still: StillLive, service: FakeService
) -> None:
    asked = service.asked["GET /v1/challenges/task1/leaderboard"]
    still._known["task1"] = service.board()
    still._hear(client, event({"challenge": "task1", "from": 90, "to": 91, "rows": [], "removed": []}))
    assert service.asked["GET /v1/challenges/task1/leaderboard"] == asked + 1


def test_a_browser_that_missed_a_change_gets_the_whole_state(widget: BoardWidget, comms) -> None:
    comms(widget).sent.clear()
    widget._handle_custom_msg({"want": "tables"}, [])
    assert comms(widget).sent[0][0]["method"] == "update"
    assert comms(widget).sent[0][0]["state"]["tables"]


def test_plotly_is_sent_when_a_page_asks_and_never_otherwise(widget: BoardWidget, comms) -> None:
    assert all(size < 100_000 for size in comms(widget).sizes())
    widget._handle_custom_msg({"want": "plotly"}, [])
    assert comms(widget).sent[-1][0]["content"] == {"plotly": "gzip"}
    assert 500_000 < len(comms(widget).sent[-1][1][0]) < 2_500_000  # below what a server lets through at once


@pytest.mark.parametrize("name", XSS)
def test_a_hostile_name_stays_text(widget: BoardWidget, client: Client, still: StillLive, name: str) -> None:
    # Given a team of that name
    found = board(3)
    hostile = replace(found.rows[0], team_name=name)
    # When it is on the board
    still._hear(client, event({"snapshot": replace(found, version=9, rows=[hostile, *found.rows[1:]])}))
    # Then the static page has no tag or control character of it
    data = widget._repr_mimebundle_()[0]
    assert not re.search(r"<(?!/?(table|caption|tr|th|td)\b)", data["text/html"])
    assert "\u202e" not in data["text/html"] + data["text/plain"]
    assert "\x1b" not in data["text/html"] + data["text/plain"]


def test_no_script_of_ours_writes_html() -> None:
    folder = Path(goat.widgets.__file__).parent
    for file in folder.glob("*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://",
            file.read_text(),
        )
        assert found == [], file.name


def test_own_results_join_the_chart(widget: BoardWidget) -> None:
    submission = Submission(
        id="s9",
        event="toys",
        challenge="task1",
        team_name="team_awesome",
        account="a",
        mode="ranked",
        state="EVALUATED",
        filename="f",
        size=1,
        sha256="0" * 64,
        submitted_at=NOW,
        score=9.5,
    )
    widget._submission(submission)
    widget._submission(submission)
    assert widget.own["task1"] == [[int(NOW.timestamp()), 9.5]]


def test_a_service_that_is_away_is_said_and_the_board_comes_when_it_is_back(
    comms, client: Client, still: StillLive, service: FakeService
) -> None:
    # Given a service that is away
    service.faults.append(lambda method, path: problem(503, "busy", "Back soon."))
    widget = BoardWidget(("task1",), live=still, client=client)
    still._say("The service does not answer. Trying again …")
    assert widget.tables == []
    assert "Trying again" in widget._repr_mimebundle_()[0]["text/plain"]
    # When it is back and the stream is opened
    service.faults.clear()
    still._hear(client, ServerEvent("hello", HELLO))
    assert still._changed.is_set(), "there is a board to listen to, so it is opened once more"
    still._changed.clear()
    still._hear(client, ServerEvent("hello", HELLO))
    # Then the board is there and nothing stands in the way
    assert widget.tables[0]["rows"]
    assert widget.problem == ""


def test_the_text_of_a_whole_board_does_not_say_that_it_connects(
    widget: BoardWidget, still: StillLive
) -> None:
    assert widget.problem == still.problem == "connecting …"
    assert "connecting" not in repr(widget)
    still._say("The service does not answer.")
    assert repr(widget).endswith("The service does not answer.")


def test_a_banned_teams_history_says_so_and_stops_nobody_elses_stream(
    comms, client: Client, still: StillLive, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a board, and a history of a team that is banned
    own = HistoryWidget("task1", live=still, connect=lambda: client)
    board = BoardWidget(("task1",), live=still, client=client)
    monkeypatch.setattr(client, "submissions", raising(Forbidden("Your team is banned.")))
    # When the stream opens
    still._changed.clear()
    still._hear(client, ServerEvent("hello", HELLO))
    # Then each says what it has to
    assert own.problem == "Your team is banned."
    assert board.problem == ""
    assert board.tables[0]["rows"]


def raising(error: Exception) -> Callable[..., object]:
    def fail(*_args: object, **_options: object) -> object:
        raise error

    return fail


def test_charts_go_on_until_now_by_the_services_clock(
    widget: BoardWidget, client: Client, still: StillLive, comms, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a page that was told the time, from a service that is not of this machine's date
    assert widget.now == 0
    still._hear(client, ServerEvent("hello", HELLO))
    assert widget.now == pytest.approx(NOW.timestamp(), abs=60)
    assert comms(widget).sent[-1][0]["state"].get("now", widget.now) == pytest.approx(widget.now, abs=60)
    # When an hour has passed and the page is reloaded
    later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    # Then it gets the time as it is then
    assert widget.get_state()["now"] - widget.now == pytest.approx(3600, abs=60)
    assert "now" not in widget.get_state("tables")


def test_an_unknown_board_is_named(widget: BoardWidget) -> None:
    with pytest.raises(NotFound, match="no board 'x'; it shows task1"):
        widget.leaderboard("x")


def test_the_stream_thread_survives_an_ended_login(comms, service: FakeService) -> None:
    # Given a login that the service no longer knows
    goat.identity.save_login(service.url, "expired", "team_awesome")
    said: list[str] = []
    live = goat.widgets.stream.Live()
    # When the stream is opened
    live.tell_problems(said.append)
    live.listen(lambda item: None)
    deadline = 50
    while not any("goat login" in text for text in said) and deadline:
        deadline -= 1
        live._changed.wait(0.1)
    live.close()
    # Then it is said what to do
    assert any("no longer valid: run `goat login`" in text for text in said)

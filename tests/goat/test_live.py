"""Event streams and boards that stay current."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import httpx
import msgspec
import pytest

from goat.client import Client
from goat.errors import ServiceUnreachable
from goat.live import boards, merge
from goat.records import Submission
from goat.transports.http import HttpTransport
from goat.transports.sse import events
from goat.waiting import changes
from tests.goat.fake_service import NOW, FakeService

BOARD = FakeService().board()


def _event(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_survive_any_cutting_of_the_stream(size: int) -> None:
    # Given two events and a heartbeat with every kind of line end, and a separator inside the data
    raw = (
        ': beat\r\n\r\nevent: board\r\nid: 7\r\ndata: {"a":"\u2028"}\r\n\r\ndata: one\rdata: two\r\r'.encode()
    )
    raw += b"\n"

    # When the network cuts them anywhere
    found = list(events(raw[start : start + size] for start in range(0, len(raw), size)))

    # Then the same events come out
    assert [(event.event, event.data, event.id) for event in found] == [
        ("heartbeat", "", None),
        ("board", '{"a":"\u2028"}', "7"),
        ("message", "one\ntwo", "7"),
    ]


def test_an_endless_line_is_not_kept_in_memory() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    with pytest.raises(ValueError, match="too long"):
        list(events(endless()))


def test_a_delta_changes_the_rows_it_names() -> None:
    # Given a delta in which one team overtakes and another leaves
    winner = replace(BOARD.rows[2], rank=1, score=11.0)
    loser = replace(BOARD.rows[1], rank=2)
    rows = msgspec.to_builtins([winner, loser])
    delta = {"challenge": "task1", "from": 4, "to": 5, "rows": rows, "removed": [BOARD.rows[0].team_name]}

    # When it is merged, Then the board has the new order and version
    merged = merge(BOARD, delta)
    assert merged is not None
    assert merged.version == 5
    assert [row.team_name for row in merged.rows] == ["team_awesome", "second"]


def test_a_gap_asks_for_the_board_anew_and_an_old_delta_is_ignored() -> None:
    delta: dict[str, Any] = {"challenge": "task1", "from": 6, "to": 7, "rows": [], "removed": []}
    assert merge(BOARD, delta) is None
    assert merge(BOARD, delta | {"from": 2, "to": 3}) is BOARD
    assert merge(BOARD, {"snapshot": msgspec.to_builtins(replace(BOARD, version=9))}) == replace(
        BOARD, version=9
    )


def _client(stream: Sequence[bytes | Exception], **replies: list[Any]) -> Client:
    """A client whose service streams ``stream`` and answers other routes one reply after the other."""

    def body() -> Iterator[bytes]:
        for chunk in stream:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def answer(request: httpx.Request) -> httpx.Response:
        route = request.url.path.rsplit("/", 1)[-1]
        if route == "stream":
            return httpx.Response(200, content=body())
        queued = replies[route]
        return httpx.Response(
            200, content=msgspec.json.encode(queued.pop(0) if len(queued) > 1 else queued[0])
        )

    transport = HttpTransport("http://service.test", transport=httpx.MockTransport(answer))
    return Client(transport=transport, token="good")


def test_a_watched_board_follows_the_stream_and_survives_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a stream with one delta that then breaks, and a board that has moved on meanwhile
    monkeypatch.setattr("goat.live._PAUSE_S", 0.0)
    row = asdict(replace(BOARD.rows[2], score=8.5))
    delta = {"challenge": "task1", "from": 4, "to": 5, "rows": [row], "removed": []}
    later = replace(BOARD, version=8)
    stream: list[bytes | Exception] = [
        b": beat\n\n",
        _event("hello", {}),
        _event("board", delta),
        httpx.ReadError("cut"),
    ]
    client = _client(stream, leaderboard=[BOARD, later])

    # When it is watched, Then every version is seen
    seen = boards(client, "task1")
    assert [next(seen).version for _ in range(3)] == [4, 5, 8]


def test_waiting_hears_the_verdict_from_the_stream() -> None:
    # Given a submission whose end is told by the stream only
    queued = Submission(
        id="s1",
        event="toys",
        challenge="task1",
        team_name="t",
        account="t",
        mode="ranked",
        state="QUEUED",
        filename="f",
        size=1,
        sha256="0" * 64,
        submitted_at=NOW,
    )
    done = replace(queued, state="EVALUATED", score=3.5, attempt=1)
    other = replace(done, id="s2", score=1.0)
    client = _client([_event("submission", other), _event("submission", done)], s1=[queued])

    # When it is waited for, Then the last change is the verdict
    assert [found.state for found in changes(client, queued, timeout=20)][-1] == "EVALUATED"


def test_a_stream_that_breaks_is_reported_as_such() -> None:
    client = _client([httpx.ReadError("cut")])
    with pytest.raises(ServiceUnreachable, match="was lost"):
        list(client.events(["task1"]))

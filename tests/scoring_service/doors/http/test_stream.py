"""The event stream: up to date from the first byte, in order, resumable, for those who may."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from scoring_service.doors.http.app import create_app
from tests.scoring_service.doors.http.conftest import BRISK, Live, running
from tests.scoring_service.world import World


@dataclass
class Reader:
    """A client of one stream."""

    connection: socket.socket
    rest: bytes = b""
    last_id: str = ""
    status: int = 0

    def events(self) -> Iterator[tuple[str, Any]]:
        """(name, data) of each event, comments as ``("comment", text)``; ends with the stream."""
        while True:
            while b"\n\n" not in self.rest:
                chunk = self._body()
                if not chunk:
                    return
                self.rest += chunk
            text, _, self.rest = self.rest.partition(b"\n\n")
            yield from self._parsed(text.decode())

    def _parsed(self, text: str) -> Iterator[tuple[str, Any]]:
        name, data = "", ""
        for line in text.split("\n"):
            field, _, value = line.partition(": ")
            if field == "id":
                self.last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data = value
            elif line.startswith(":"):
                yield "comment", line
        if name:
            yield name, json.loads(data)

    def _body(self) -> bytes:
        size = b""
        while not size.endswith(b"\r\n"):
            byte = self.connection.recv(1)
            if not byte:
                return b""
            size += byte
        left, body = int(size, 16) + 2, b""
        while len(body) < left:
            body += self.connection.recv(left - len(body))
        return body[:-2]

    def next(self, name: str) -> Any:
        """Data of the next event of that name."""
        for found, data in self.events():
            if found == name:
                return data
        raise AssertionError(f"the stream ended before an event {name}")


@contextlib.contextmanager
def listening(
    live: Live, query: str = "challenges=task1", headers: dict[str, str] | None = None, last_id: str = ""
) -> Iterator[Reader]:
    lines = [f"GET /v1/stream?{query} HTTP/1.1", "Host: test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if last_id:
        lines.append(f"Last-Event-ID: {last_id}")
    with live.connect() as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(1)
        reader = Reader(connection, status=int(received[9:12]))
        yield reader


def score(world: World, team: str, noise: float, seed: int) -> None:
    identity = world.services.teams.authenticate(team, "correct horse")
    world.submit(identity, noise=noise, seed=seed)
    world.work()


def test_a_visitor_sees_the_board_and_then_each_change_as_a_delta(live: Live) -> None:
    for name in ("team_a", "team_b"):
        live.world.team(name)
    for number in range(9):
        live.world.team(f"other_{number}")
        score(live.world, f"other_{number}", 0.1 + number / 100, 50 + number)
    with listening(live) as reader:
        # Given the snapshot
        hello = reader.next("hello")
        assert hello["boards"] == ["task1"]
        assert hello["team_name"] is None
        first = reader.next("board")["snapshot"]
        assert len(first["rows"]) == 9
        # When a team scores
        score(live.world, "team_a", 0.18, 1)
        # Then only what changed arrives, with the versions it joins
        change = reader.next("board")
        assert change["from"] == first["version"]
        assert change["to"] > change["from"]
        assert [row["team_name"] for row in change["rows"]] == ["team_a"]
        assert reader.last_id == f"task1={change['to']}"


def test_a_listener_who_comes_back_gets_what_it_missed(live: Live) -> None:
    for number in range(10):
        live.world.team(f"team_{number}")
        score(live.world, f"team_{number}", 0.2 - number / 100, number)
    with listening(live) as stays, listening(live) as leaves:
        version = stays.next("board")["snapshot"]["version"]
        leaves.next("board")
        # Given somebody who hung up, and a change after that
        leaves.connection.close()
        score(live.world, "team_3", 0.05, 77)
        change = stays.next("board")
        # When it comes back with the version that it has
        with listening(live, last_id=f"task1={version}") as back:
            # Then it gets the step it missed, not the board
            assert back.next("board") == change
        # And one with the current version gets nothing old
        with listening(live, last_id=stays.last_id) as current:
            current.next("hello")
            score(live.world, "team_4", 0.04, 78)
            assert current.next("board")["from"] == change["to"]


@pytest.mark.parametrize("last_id", ["task1=999999", "task1=0", "other=3", "\u00ff nonsense"])
def test_a_version_nobody_can_join_gets_a_snapshot(live: Live, last_id: str) -> None:
    live.world.team()
    score(live.world, "team_awesome", 0.1, 1)
    with listening(live, last_id=last_id) as reader:
        assert "snapshot" in reader.next("board")


def test_a_team_sees_its_own_submissions_move_and_nobody_elses(live: Live) -> None:
    # Given two teams that listen
    for name in ("team_a", "team_b"):
        live.world.team(name)
    mine, other = live.login("team_a"), live.login("team_b")
    with listening(live, "", mine) as a, listening(live, "challenges=task1", other) as b:
        a.next("hello")
        b.next("hello")
        # When one submits and is scored
        identity = live.world.services.teams.authenticate("team_a", "correct horse")
        submission = live.world.submit(identity)
        waiting = a.next("submission")
        assert (waiting["id"], waiting["state"], waiting["queue_position"]) == (submission.id, "QUEUED", 1)
        live.world.work()
        states = [a.next("submission")["state"]]
        while states[-1] != "EVALUATED":
            states.append(a.next("submission")["state"])
        # Then the other saw the board change, and no submission
        for name, data in b.events():
            assert name != "submission"
            if name == "board" and (data.get("rows") or data.get("snapshot", {}).get("rows")):
                break


def test_places_in_the_queue_are_told_as_they_change(live: Live) -> None:
    live.world.team("team_a")
    identity = live.world.services.teams.authenticate("team_a", "correct horse")
    first, second = (live.world.submit(identity, seed=seed) for seed in (1, 2))
    with listening(live, "", live.login("team_a")) as reader:
        places = {
            data["id"]: data["queue_position"] for data in (reader.next("submission") for _ in range(2))
        }
        assert places == {first.id: 1, second.id: 2}
        live.world.score(first.id)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            data = reader.next("submission")
            if data["id"] == second.id and data["queue_position"] == 1:
                return
    raise AssertionError("the new place was never told")


def test_several_boards_share_one_stream_and_its_id_carries_all_versions(live: Live) -> None:
    live.world.apply(event_fields={"combined": [{"challenge": "task1", "weight": 1.0, "from": 0, "to": 50}]})
    live.world.team()
    score(live.world, "team_awesome", 0.1, 1)
    with listening(live, "challenges=task1,combined") as reader:
        names = {reader.next("board")["snapshot"]["challenge"] for _ in range(2)}
        assert names == {"task1", "combined"}
        assert {entry.split("=")[0] for entry in reader.last_id.split(",")} == names


def test_a_quiet_stream_shows_that_it_lives(live: Live) -> None:
    with listening(live) as reader:
        assert reader.next("comment").startswith(":")


@pytest.mark.parametrize("how", ["ban", "password"])
def test_the_stream_of_somebody_who_may_no_longer_ends(live: Live, how: str) -> None:
    live.world.team()
    with listening(live, "challenges=task1", live.login("team_awesome")) as reader:
        reader.next("hello")
        if how == "ban":
            live.world.services.teams.ban("team_awesome", True)
        else:
            live.world.services.teams.set_password("team_awesome", "another password")
        for _ in reader.events():
            pass  # it ends: otherwise the test's own time limit does


def test_a_board_that_is_closed_to_visitors_ends_their_streams(live: Live) -> None:
    with listening(live) as reader:
        reader.next("hello")
        live.world.apply(event_fields={"board_visibility": "teams"})
        for _ in reader.events():
            pass


@pytest.mark.parametrize(("query", "status"), [("challenges=task9", 404), ("challenges=other:task1", 404)])
def test_a_board_that_is_not_there_is_an_ordinary_refusal(live: Live, query: str, status: int) -> None:
    with listening(live, query) as reader:
        assert reader.status == status


def test_streams_per_team_are_bounded_and_come_free(live: Live) -> None:
    rhythm = replace(BRISK, per_team=2)
    app = create_app(live.world.services, rhythm=rhythm)
    with running(app) as (server, port):
        small = Live(live.world, app, server, port)
        live.world.team()
        headers = small.login("team_awesome")
        with listening(small, "", headers) as one, listening(small, "", headers) as two:
            one.next("hello")
            two.next("hello")
            with listening(small, "", headers) as three:
                assert three.status == 429
        until = time.monotonic() + 10
        while app.state.door.hub.open_streams and time.monotonic() < until:
            time.sleep(0.02)
        with listening(small, "", headers) as again:
            assert again.status == 200


def test_a_listener_who_never_reads_is_dropped_and_the_others_go_on(live: Live) -> None:
    # Given one listener who reads nothing at all, and one who reads
    live.world.team("team_a")
    hub = live.app.state.door.hub
    with live.connect() as sleeper:
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: test\r\n\r\n")
        with listening(live) as reader:
            reader.next("hello")
            until = time.monotonic() + 10
            while hub.open_streams < 2 and time.monotonic() < until:
                time.sleep(0.01)
            sleeping = next(one for one in hub._listeners if not one.boards)

            # When far more is sent than anybody keeps for it
            def flood() -> None:
                for _ in range(200):
                    hub._send([sleeping], b": " + b"x" * 100_000 + b"\n\n")

            live.server.servers[0].get_loop().call_soon_threadsafe(flood)
            # Then it is let go, and the other still hears of changes
            while hub.open_streams > 1 and time.monotonic() < until:
                time.sleep(0.01)
            assert hub.open_streams == 1
            score(live.world, "team_a", 0.1, 5)
            assert reader.next("board")


def test_the_server_stops_quickly_with_open_streams(live: Live) -> None:
    with listening(live) as reader:
        reader.next("hello")
        started = time.monotonic()
        live.server.should_exit = True
        for _ in reader.events():
            pass
        assert time.monotonic() - started < 10


def test_a_storm_of_changes_is_a_few_events(live: Live) -> None:
    for number in range(12):
        live.world.team(f"team_{number}")
        score(live.world, f"team_{number}", 0.19, number)
    with listening(live) as reader:
        start = reader.next("board")["snapshot"]["version"]
        for number in range(12):
            identity = live.world.services.teams.authenticate(f"team_{number}", "correct horse")
            live.world.submit(identity, noise=0.05 + number / 100, seed=100 + number)
        live.world.work()
        seen, version = 0, start
        while version < start + 12:
            data = reader.next("board")
            seen += 1
            if "snapshot" in data:
                version = data["snapshot"]["version"]
            else:
                assert data["from"] == version, "no step is missing"
                version = data["to"]
        assert seen <= 12


def test_a_challenge_that_is_added_or_changed_is_told_to_everybody_who_listens(live: Live) -> None:
    # Given two listeners
    with listening(live) as visitor, listening(live, "challenges=") as other:
        for reader in (visitor, other):
            assert reader.next("hello")
        # When the event file is applied with another deadline
        live.world.apply(deadline="2031-05-01")
        # Then both are told
        assert visitor.next("challenges") == other.next("challenges") == {"changed": True}
        # And a file that changes nothing, and a result, tell nothing of the kind
        live.world.apply(deadline="2031-05-01")
        live.world.team("team_a")
        score(live.world, "team_a", 0.1, 1)
        until_board = itertools.takewhile(lambda found: found[0] != "board", visitor.events())
        assert {name for name, _ in until_board} <= {"comment", "board"}
        live.world.services.events.reveal("task1", True, actor="admin")
        assert visitor.next("challenges")

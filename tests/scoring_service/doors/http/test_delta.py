"""Board deltas: applied in order they rebuild the board, and what cannot be a delta is a snapshot."""

from __future__ import annotations

import doctest
import random
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType

import msgspec
import pytest

from goat.live import merge
from goat.records import Board, BoardRow
from goat.scoring.ranking import Ties, ranks
from scoring_service.doors.http import delta as module
from scoring_service.doors.http import ranges, text
from scoring_service.doors.http.delta import BoardEvent, delta, snapshot


def row(team: str, score: float, rank: int = 1) -> BoardRow:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    return BoardRow(
        rank=rank, team_name=team, score=score, submission_id=f"s-{team}", submitted_at=moment, entries=1
    )


def board(version: int, rows: list[BoardRow], *, frozen: bool = False) -> Board:
    return Board(
        event="e",
        challenge="task1",
        split="public",
        version=version,
        frozen=frozen,
        higher_is_better=True,
        unit="dB",
        rows=rows,
    )


def content(event: BoardEvent) -> dict[str, object]:
    line = next(line for line in event.text.split(b"\n") if line.startswith(b"data: "))
    found = msgspec.json.decode(line[6:])
    assert isinstance(found, dict)
    return found


MANY = [row(f"team_{n}", 50.0 - n, n + 1) for n in range(30)]


def test_a_row_whose_metrics_changed_is_sent_whole() -> None:
    after = [replace(MANY[0], metrics={"latency_ms": 3.5, "size_mb": 1.25}), *MANY[1:]]
    event = delta("task2", board(7, MANY), board(8, after))
    sent = content(event)["rows"]
    assert isinstance(sent, list)
    assert [entry["team_name"] for entry in sent] == ["team_0"]
    assert sent[0]["metrics"] == {"latency_ms": 3.5, "size_mb": 1.25}


def test_a_delta_carries_changed_rows_and_removed_names_only() -> None:
    # Given a board of thirty, one of which improves and one of which leaves
    after = [replace(MANY[0], score=60.0), *MANY[1:29]]
    # When the change is written
    event = delta("task1", board(7, MANY), board(8, after))
    # Then only those two are in it, with the versions it joins
    found = content(event)
    assert (found["challenge"], found["from"], found["to"]) == ("task1", 7, 8)
    assert [entry["team_name"] for entry in found["rows"]] == ["team_0"]  # type: ignore[attr-defined]
    assert found["removed"] == ["team_29"]
    assert event.whole == b"id: task1=8\n" + event.text
    assert len(event.whole) < 500


def ranked(rows: list[BoardRow], ties: Ties = "shared") -> list[BoardRow]:
    order = sorted(rows, key=lambda r: (-r.score, r.team_name))
    places = ranks([r.score for r in order], ties=ties, moments=range(len(order)))
    return [replace(r, rank=place) for r, place in zip(order, places, strict=True)]


def test_one_team_that_overtakes_hundreds_sends_one_row() -> None:
    before = ranked([row(f"team_{n:03}", 500.0 - n) for n in range(500)])
    after = ranked([*before[:-1], replace(before[-1], score=999.0)])
    event = delta("task1", board(1, before), board(2, after))
    assert content(event)["shifts"] == [[1, 499, 1]]
    assert len(event.whole) < 400


@pytest.mark.parametrize("ties", ["shared", "earliest"])
@pytest.mark.parametrize("seed", range(5))
def test_a_chain_of_deltas_rebuilds_every_state(seed: int, ties: Ties) -> None:
    # Given a board on which teams climb, tie, join and leave, and a listener who merges
    generator = random.Random(seed)
    state = {r.team_name: r for r in MANY}
    old = board(1, ranked(list(state.values()), ties))
    listener: Board | None = old
    deltas = 0
    for version in range(2, 80):
        for name in generator.sample(sorted(state), 2):
            state[name] = replace(state[name], score=float(generator.randint(1, 40)))
        if generator.random() < 0.2:
            del state[generator.choice(sorted(state))]
        if generator.random() < 0.2:
            state[f"new_{version}"] = row(f"new_{version}", float(generator.randint(1, 40)))
        new = board(version, ranked(list(state.values()), ties))
        # When each step is sent
        found = content(delta("task1", old, new))
        deltas += "snapshot" not in found
        assert listener is not None
        listener = merge(listener, found)
        # Then the listener's board is the board
        assert listener is not None
        assert (listener.version, {r.team_name: r for r in listener.rows}) == (
            version,
            {r.team_name: r for r in new.rows},
        )
        old = new
    assert deltas > 60


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(board(1, MANY), board(2, MANY, frozen=True), id="frozen in between"),
        pytest.param(board(5, MANY), board(4, MANY), id="restored from a backup"),
        pytest.param(board(1, MANY), board(2, [replace(r, score=1.0) for r in MANY]), id="all rows changed"),
    ],
)
def test_what_is_more_than_rows_is_a_snapshot(old: Board, new: Board) -> None:
    event = delta("task1", old, new)
    assert event.since is None
    assert event == snapshot("task1", new)


@pytest.mark.parametrize("of", [module, ranges, text])
def test_the_examples_in_the_docstrings_hold(of: ModuleType) -> None:
    result = doctest.testmod(of)
    assert result.attempted
    assert not result.failed

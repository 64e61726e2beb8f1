"""Board deltas: applied in order they rebuild the board, and what cannot be a delta is a snapshot."""

from __future__ import annotations

import doctest
import random
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType

import msgspec
import pytest

from goat.records import Board, BoardRow
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
    assert len(event.whole) < 400


def test_a_chain_of_deltas_rebuilds_every_state() -> None:
    generator = random.Random(5)
    state = {r.team_name: r for r in MANY}
    known = {name: msgspec.to_builtins(r) for name, r in state.items()}
    old = board(1, list(state.values()))
    for version in range(2, 60):
        for name in generator.sample(sorted(state), 2):
            state[name] = replace(state[name], score=generator.random(), rank=generator.randint(1, 9))
        if generator.random() < 0.3:
            del state[generator.choice(sorted(state))]
        if generator.random() < 0.3:
            state[f"new_{version}"] = row(f"new_{version}", generator.random())
        new = board(version, list(state.values()))
        found = content(delta("task1", old, new))
        if "snapshot" in found:
            known = {entry["team_name"]: entry for entry in found["snapshot"]["rows"]}  # type: ignore[index]
        else:
            for name in found["removed"]:  # type: ignore[attr-defined]
                del known[name]
            known |= {entry["team_name"]: entry for entry in found["rows"]}  # type: ignore[attr-defined]
        assert known == {r.team_name: msgspec.to_builtins(r) for r in new.rows}
        old = new


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

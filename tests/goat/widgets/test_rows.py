"""What travels when a board changes."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from goat.records import Board
from goat.widgets.rows import Table, apply
from tests.goat.widgets.conftest import board


def shown(first: Board) -> Table:
    table = Table("task1", "Toys")
    assert table.show(first) is None, "the first board is sent whole"
    return table


def test_ten_changed_rows_of_five_hundred_take_less_than_300_bytes() -> None:
    # Given 500 teams on the screen
    table = shown(board(500))
    names = random.Random(1).sample(range(500), 10)
    # When ten of them improve, from anywhere to anywhere
    moved = {f"t{name}": 40.0 - at * 0.7 + 0.1234 for at, name in enumerate(names)}
    change = table.show(board(500, 2, **moved))
    # Then the message is small, although hundreds of ranks changed
    assert change is not None
    message = {"method": "custom", "content": {"b": 0, **change}}
    assert len(json.dumps(message, separators=(",", ":"))) <= 300


@pytest.mark.parametrize("seed", range(30))
def test_a_change_gives_the_browser_exactly_the_new_board(seed: int) -> None:
    # Given a board, some of whose teams have equal scores and share a rank
    draw = random.Random(seed)
    before = ties(board(40, t7=39.0, t8=39.0, t9=39.0))
    table = shown(before)
    rows = table.rows
    # When teams move, come and go
    moves = {f"t{draw.randrange(38)}": draw.choice([39.0, 39.5, 38.2]) for _ in range(draw.randint(0, 6))}
    scores = {"t7": 39.0, "t8": 39.0, "t9": 39.0} | moves
    after = ties(board(40 + draw.randint(-2, 2), 2, **scores))
    change = table.show(after)
    # Then what is applied is what is so; otherwise all is sent
    if change is not None:
        assert apply(rows, json.loads(json.dumps(change))) == table.rows
    assert [(row.rank, row.name) for row in table.rows] == [(row.rank, row.team_name) for row in after.rows]


def ties(found: Board) -> Board:
    ranked = []
    for at, row in enumerate(found.rows):
        shared = at and found.rows[at - 1].score == row.score
        ranked.append(replace(row, rank=ranked[-1].rank if shared else at + 1))
    return replace(found, rows=ranked)


def test_a_frozen_board_is_sent_whole() -> None:
    table = shown(board(3))
    assert table.show(replace(board(3, 2), frozen=True)) is None
    assert table.state()["frozen"] is True


def test_movement_counts_from_the_board_that_was_opened() -> None:
    table = shown(board(3))
    table.show(board(4, 2, t2=99.0))
    assert [(row.name, row.rank, row.was) for row in table.rows] == [
        ("t2", 1, 3),
        ("t0", 2, 1),
        ("t1", 3, 2),
        ("t3", 4, 0),
    ]

"""The board as DataFrame, figure and text; names of other teams are shown, never obeyed."""

from __future__ import annotations

import pytest

import goat
from goat.leaderboard import getLB_chall1
from tests.goat.fake_service import FakeService


def test_the_board_is_a_frame_and_a_figure(service: FakeService) -> None:
    board = goat.leaderboard("task1")
    frame = board.frame
    assert list(frame["rank"]) == [1, 2, 3]
    assert str(frame["submitted_at"].dtype).endswith("UTC]")
    assert len(board.figure.data[0].x) == 3


def test_an_empty_board_has_the_same_columns(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    empty = dataclasses.replace(service.board(), rows=[])
    monkeypatch.setattr(FakeService, "board", lambda self: empty)
    board = goat.leaderboard("task1")
    assert {"rank", "team_name", "score"} <= set(board.frame.columns)
    assert board.figure is not None
    assert "0 teams" in repr(board)


def test_get_lb_prints_the_board_and_returns_it(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    # When the documented call is made without a login
    frame = getLB_chall1(team_name="team_awesome")

    # Then the board is printed, without the control and bidi characters of somebody's name
    printed = capsys.readouterr().out
    assert "team_awesome" in printed
    assert "9.0000" in printed
    assert "\x1b[31m" not in printed
    assert "\u202e" not in printed
    assert len(frame) == 3
    assert frame.loc[frame["team_name"] == "team_awesome", "score"].item() == 7.25


def test_names_are_escaped_in_pages_and_figures(service: FakeService) -> None:
    board = goat.leaderboard("task1")
    for shown in (board._repr_html_(), board.figure.to_json()):
        assert "<b>" not in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\\u202e<" not in shown


def test_ones_own_row_is_shown_beyond_the_top(service: FakeService) -> None:
    board = goat.leaderboard("task1", team_name="team_awesome")
    assert [row.team_name for row in board.rows(top=1)][1:] == ["team_awesome"]
    assert len(board.rows(top=None)) == 3


def test_as_text_the_columns_stand_and_ones_own_row_is_marked(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a board of twelve teams with names of any length, one's own the last
    import dataclasses

    row = service.board().rows[0]
    names = [*("x" * (3 * number + 1) for number in range(11)), "team_awesome"]
    rows = [
        dataclasses.replace(row, rank=at, team_name=name, score=50.0 - at) for at, name in enumerate(names, 1)
    ]
    board = dataclasses.replace(service.board(), rows=rows)
    monkeypatch.setattr(FakeService, "board", lambda self: board)
    # When it is printed
    head, *lines = repr(goat.leaderboard("task1", team_name="team_awesome")).splitlines()
    # Then scores stand below each other, one's own row is marked, and what is left out is said
    assert len({line.index("points") for line in lines[:-1]}) == 1
    assert [line for line in lines if "(you)" in line] == [lines[10]]
    assert "team_awesome" in lines[10]
    assert "and 1 more" in lines[11]
    assert "12 teams" in head

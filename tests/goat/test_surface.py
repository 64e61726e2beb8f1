"""The score over accuracy and speed: the challenge's own formula, and the figures that are drawn from it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from goat.errors import Invalid
from goat.figures import speed_figure
from goat.kinds.base import parse_config
from goat.kinds.onnx_inference import KIND
from goat.leaderboard import Leaderboard, metric_names
from goat.records import Board, BoardRow
from goat.surface import across_axis, board_metrics, plane_of, surface_of, up_axis
from tests.goat.fake_service import NOW

SMALL: dict[str, Any] = {
    "input": {"shape": [3, 96, 96]},
    "output": {"shape": [1, 96, 96]},
    "samples": {"test": 3, "ranked": 96},
    "metric": "depth_rmse",
    "accuracy": "4/(4+(10*depth_rmse)**2)",
    "formula": "accuracy * (4-size_mb)/1.6 * (0.16+log10(7-latency_ms/5))",
    "domains": {"size_mb": {"from": 0, "to": 4}, "latency_ms": {"from": 0, "to": 31.5}},
}
BY_ERROR = SMALL | {
    "formula": "4/(4+(10*depth_rmse)**2) * (50-size_mb)/20 * (0.16+log10(7-0.37523*seconds))",
    "domains": {"size_mb": {"from": 0, "to": 50}, "seconds": {"from": 0, "to": 16.8}},
}


def row(name: str, score: float, accuracy: float, latency: float, size: float, rank: int = 1) -> BoardRow:
    metrics = {"accuracy": accuracy, "latency_ms": latency, "size_mb": size}
    return BoardRow(
        rank=rank,
        team_name=name,
        score=score,
        submission_id="s",
        submitted_at=NOW,
        entries=1,
        metrics=metrics,
    )


def board(*rows: BoardRow) -> Board:
    return Board(
        event="photographs",
        challenge="task2",
        split="public",
        version=1,
        frozen=False,
        higher_is_better=True,
        unit="",
        rows=list(rows),
    )


TWO = board(row("ours", 1.9, 0.8, 2.0, 0.5), row("<b>theirs", 1.2, 0.6, 8.0, 1.5, rank=2))


def test_a_surface_is_the_challenges_own_formula_at_ones_own_size() -> None:
    found = surface_of("onnx_inference", SMALL, TWO, "ours")
    assert found is not None
    assert (found.fixed, found.own) == ({"size_mb": 0.5}, True)
    assert found.said() == "score at your size of 0.500 MB"
    for i in (0, 7, 24):
        for j in (0, 11, 32):
            by_hand = found.y[i] * (4 - 0.5) / 1.6 * (0.16 + math.log10(7 - found.x[j] / 5))
            assert found.z[i][j] == pytest.approx(by_hand, abs=1e-4)


def test_a_formula_over_the_error_and_the_whole_time_is_told_from_accuracy_and_latency() -> None:
    # Given a formula that names neither accuracy nor latency
    predict = KIND.predictor(parse_config(KIND, BY_ERROR))
    # Then both are turned back into what it names: 4 ms for each of 96 samples, an error of 0.1
    accuracy = 4 / (4 + 1)
    by_hand = accuracy * (50 - 2) / 20 * (0.16 + math.log10(7 - 0.37523 * 0.384))
    assert predict({"accuracy": accuracy, "latency_ms": 4.0, "size_mb": 2.0}) == pytest.approx(by_hand)
    # And nothing is made up where a number is missing
    assert predict({"latency_ms": 4.0, "size_mb": 2.0}) is None


def test_what_the_formula_refuses_is_left_out_of_the_surface() -> None:
    domains = {"latency_ms": {"from": 0, "to": 5, "outside": "reject"}, "size_mb": {"from": 0, "to": 4}}
    found = surface_of("onnx_inference", SMALL | {"domains": domains}, TWO, None)
    assert found is not None
    assert [value is None for value in found.z[3]] == [latency > 5 for latency in found.x]


def test_who_is_not_on_the_board_sees_the_middle_size() -> None:
    found = surface_of("onnx_inference", SMALL, TWO, "nobody")
    assert found is not None
    assert (found.fixed["size_mb"], found.said()) == (1.0, "score at the middle size of 1.00 MB")


def test_a_board_that_moves_within_its_axes_keeps_its_surface() -> None:
    before = surface_of("onnx_inference", SMALL, TWO, "ours")
    moved = board(TWO.rows[0], row("theirs", 1.3, 0.61, 7.7, 1.4))
    assert surface_of("onnx_inference", SMALL, moved, "ours", before) is before
    smaller = board(row("ours", 1.9, 0.8, 2.0, 0.25), *TWO.rows[1:])
    assert surface_of("onnx_inference", SMALL, smaller, "ours", before) is not before


def test_there_is_no_surface_for_other_kinds_empty_boards_and_unknown_kinds() -> None:
    assert surface_of("image_reconstruction", {}, TWO, None) is None
    assert surface_of("onnx_inference", SMALL, board(), None) is None
    assert (plane_of("of tomorrow"), board_metrics("of tomorrow")) == (None, ())


@pytest.mark.parametrize("values", [[1.0], [0.3, 0.4], [0.0, 3.0], [0.2, 40.0], [1e-4, 2e3]])
def test_axes_hold_every_team(values: list[float]) -> None:
    x, logarithmic = across_axis(values)
    assert x[0] <= min(values)
    assert x[-1] >= max(values)
    assert all(a < b for a, b in itertools.pairwise(x))
    assert not logarithmic or x[0] > 0
    y = up_axis(values)
    assert y[0] <= min(values) < max(values) + 1e-12
    assert y[-1] >= max(values)


def test_accuracy_stays_between_nothing_and_everything() -> None:
    assert up_axis([0.97, 1.0])[-1] == 1.0
    assert up_axis([0.0, 0.02])[0] == 0.0


def test_the_figure_has_the_teams_the_own_one_and_the_lines() -> None:
    figure = Leaderboard(TWO, "ours", about=_about).speed_figure
    contour, others, own = figure.data
    assert (contour.type, contour.name) == ("contour", "score at your size of 0.500 MB")
    assert (list(others.x), list(others.y), list(own.x)) == ([8.0], [0.6], [2.0])
    assert "size (MB) 1.50" in others.customdata[0]
    assert "<b>theirs" not in others.customdata[0]
    assert figure.layout.xaxis.title.text == "latency (ms)"


def test_teams_without_the_numbers_are_left_out_of_the_figure() -> None:
    bare = BoardRow(rank=3, team_name="bare", score=1.0, submission_id="s", submitted_at=NOW, entries=1)
    found = Leaderboard(board(*TWO.rows, bare), None)
    figure = speed_figure(found.frame, None, across="latency_ms", up="accuracy")
    assert [len(part.x) for part in figure.data] == [2]


def test_a_board_of_pictures_has_no_speed_to_draw() -> None:
    with pytest.raises(Invalid, match="takes models"):
        _ = Leaderboard(TWO, None).speed_figure


def test_the_columns_of_a_combined_board_keep_the_order_of_its_parts() -> None:
    only = BoardRow(rank=1, team_name="one", score=1.0, submission_id="s", submitted_at=NOW, entries=1)
    parts = [{"task2": 0.3}, {"task1": 0.5, "task2": 0.1, "talk": 0.05}]
    rows = [BoardRow(**{**_fields(only), "metrics": metrics}) for metrics in parts]
    assert metric_names(board(*rows)) == ["task1", "task2", "talk"]


def _fields(found: BoardRow) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__slots__}


def _about() -> Any:
    import types

    return types.SimpleNamespace(kind="onnx_inference", config=SMALL)

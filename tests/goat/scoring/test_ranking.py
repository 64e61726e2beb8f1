"""Ranks, the ladder, the combined board and the published quantum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goat.scoring.ladder import beats, ladder
from goat.scoring.normalise import normalise
from goat.scoring.quantum import QUANTUM, is_ambiguous, publish
from goat.scoring.ranking import ranks

SCORES = st.floats(-1e3, 1e3).map(publish)


@given(st.lists(SCORES, max_size=30))
def test_a_shared_rank_is_one_more_than_the_number_of_better_scores(scores: list[float]) -> None:
    assert ranks(scores) == [1 + sum(other > score for other in scores) for score in scores]
    assert ranks(scores, higher_is_better=False) == [1 + sum(o < score for o in scores) for score in scores]


@given(st.lists(SCORES, min_size=1, max_size=30))
def test_with_distinct_moments_the_earliest_rule_leaves_no_ties(scores: list[float]) -> None:
    result = ranks(scores, ties="earliest", moments=list(range(len(scores))))
    assert sorted(result) == list(range(1, len(scores) + 1))


def test_the_earliest_rule_needs_moments() -> None:
    with pytest.raises(ValueError, match="moment"):
        ranks([1.0], ties="earliest")


@given(st.lists(SCORES, max_size=30), st.floats(0, 10))
def test_what_the_ladder_shows_is_a_score_and_never_falls(values: list[float], step: float) -> None:
    shown = ladder(values, step)
    assert all(score in values for score in shown)
    assert shown == sorted(shown)
    assert all(
        max(values[: i + 1]) - score < step + 1e-8 or score == max(values[: i + 1])
        for i, score in enumerate(shown)
    )


def test_probing_below_the_step_shows_nothing() -> None:
    probes = [30.0 + 0.0001 * i for i in range(90)]
    assert set(ladder(probes, 0.01)) == {30.0}


def test_the_ladder_goes_down_where_less_is_better() -> None:
    assert ladder([5.0, 4.995, 4.0, 6.0], 0.01, higher_is_better=False) == [5.0, 5.0, 4.0, 4.0]


def test_without_a_step_any_gain_shows_but_equality_does_not() -> None:
    assert beats(1.000001, 1.0, step=0.0)
    assert not beats(1.0, 1.0, step=0.0)


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_normalised_scores_stay_between_0_and_1(value: float, low: float, high: float) -> None:
    if low == high:
        with pytest.raises(ValueError, match="linear map"):
            normalise(value, low, high)
    else:
        assert 0.0 <= normalise(value, low, high) <= 1.0


@given(st.floats(-1e4, 1e4))
def test_published_scores_are_multiples_of_the_quantum(value: float) -> None:
    shown = publish(value)
    assert abs(shown - value) <= QUANTUM / 2 + 1e-11
    assert publish(shown) == shown
    assert math.copysign(1, shown) == 1 or shown < 0


@given(st.floats(-1e3, 1e3), st.floats(-1e-10, 1e-10))
def test_only_an_ambiguous_value_can_be_rounded_in_two_ways(value: float, error: float) -> None:
    if publish(value) != publish(value + error):
        assert is_ambiguous(value)


def test_few_values_are_ambiguous() -> None:
    values = [30 + i * 1.2345678e-4 for i in range(20_000)]
    assert sum(map(is_ambiguous, values)) < 200


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        publish(value)

"""The median of measurements and its interval."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from goat.scoring.median import median_interval


def test_the_median_is_the_librarys() -> None:
    for count in (1, 2, 7, 20, 1001):
        values = [random.Random(count).random() for _ in range(count)]
        assert median_interval(values)[0] == statistics.median(values)


@pytest.mark.parametrize("count", [6, 9, 20, 40, 101, 999, 1000, 3000])
def test_the_interval_covers_95_percent_and_hardly_more(count: int) -> None:
    # Given samples 0, 1, 2, …: the interval's ends tell how many samples are left out
    _, low, high = median_interval(list(range(count)))
    left_out = int(low)
    assert left_out == count - 1 - high

    def coverage(outside: int) -> float:
        return 1 - 2 * sum(math.comb(count, index) for index in range(outside + 1)) / 2**count

    # Then the binomial distribution says that it is the narrowest that covers 95 %
    assert coverage(left_out) >= 0.95
    if count < 1000:
        assert coverage(left_out + 1) < 0.95
    else:
        assert coverage(left_out) < 0.956


def test_few_samples_give_the_widest_interval() -> None:
    assert median_interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert median_interval([4.0]) == (4.0, 4.0, 4.0)


@pytest.mark.parametrize("samples", [[], [1.0, math.nan], [math.inf]])
def test_nothing_and_nonsense_are_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        median_interval(samples)

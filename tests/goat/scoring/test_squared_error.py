"""The NumPy path (a participant's install) and the OpenCV path (the server) are one number."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from goat.scoring import squared_error as module
from goat.scoring.psnr import exact_mean_psnr, mean_psnr
from goat.scoring.quantum import publish
from goat.scoring.squared_error import exact_squared_error, fastest, numpy_squared_error, squared_error


def shapes() -> Any:
    return arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=24)


def pairs(dtype: str) -> Any:
    elements = st.floats(0, 1, width=32) if dtype == "float32" else st.integers(0, 255)
    return shapes().flatmap(
        lambda shape: st.tuples(*[arrays.arrays(dtype, shape, elements=elements) for _ in range(2)])
    )


def definition(one: NDArray[Any], other: NDArray[Any]) -> float:
    difference = one.astype(np.float64) - other.astype(np.float64)
    return math.fsum((difference * difference).reshape(-1).tolist())


def test_the_server_uses_opencv() -> None:
    assert fastest().__name__ == "opencv_squared_error"


@given(pairs("uint8"))
def test_uint8_sums_are_exact_integers_on_both_paths(pair: tuple[Any, Any]) -> None:
    exact = sum((int(a) - int(b)) ** 2 for a, b in zip(*(x.reshape(-1) for x in pair), strict=True))
    assert squared_error(*pair) == exact
    assert numpy_squared_error(*(x.reshape(-1) for x in pair)) == exact
    assert exact_squared_error(*pair, largest=255) == exact


@pytest.mark.parametrize("size", [1, 7, 8191, 8193, 65_537, 1_000_003])
def test_the_largest_uint8_errors_do_not_overflow(size: int) -> None:
    black, white = np.zeros(size, np.uint8), np.full(size, 255, np.uint8)
    assert squared_error(black, white) == numpy_squared_error(black, white) == size * 65025


@given(pairs("float32"))
def test_float32_sums_follow_the_definition_on_both_paths(pair: tuple[Any, Any]) -> None:
    expected = definition(*pair)
    assert squared_error(*pair) == pytest.approx(expected, rel=1e-12, abs=0)
    assert numpy_squared_error(*(x.reshape(-1) for x in pair)) == pytest.approx(expected, rel=1e-12, abs=0)
    assert exact_squared_error(*pair, largest=1.0) == pytest.approx(expected, rel=1e-12, abs=1e-20)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32), st.sampled_from([1e-4, 0.01, 0.2]), st.sampled_from([(3, 64, 64), (29, 31, 17)])
)
def test_both_paths_publish_the_same_score(seed: int, noise: float, shape: tuple[int, ...]) -> None:
    # Given four images of float32 with full mantissas
    rng = np.random.default_rng(seed)
    truth = rng.random((4, *shape), dtype=np.float32)
    images = truth + rng.standard_normal(truth.shape, dtype=np.float32) * np.float32(noise)
    count = truth[0].size

    def score(error: Any) -> float:
        errors = [error(a.reshape(-1), b.reshape(-1)) for a, b in zip(images, truth, strict=True)]
        return mean_psnr(errors, count, data_range=1.0, cap=100.0)

    # Then OpenCV and NumPy differ in no published digit, and in nothing that could become one
    assert abs(score(fastest()) - score(numpy_squared_error)) < 1e-10
    assert publish(score(fastest())) == publish(score(numpy_squared_error))


@given(st.integers(0, 2**32))
def test_the_exact_sum_does_not_depend_on_the_order(seed: int) -> None:
    # Given the same pixels in two orders, spread over several blocks
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, 20_000), dtype=np.float32)
    order = rng.permutation(one.size)
    # Then not one bit differs
    assert exact_squared_error(one, other, largest=1.0) == exact_squared_error(
        one[order], other[order], largest=1.0
    )


def test_the_exact_sum_is_right_to_the_last_published_digit() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.random((2, 3, 128, 128), dtype=np.float32)
    exact = exact_mean_psnr([exact_squared_error(one, other, largest=1.0)], one.size, data_range=1.0)
    assert exact == pytest.approx(mean_psnr([definition(one, other)], one.size, data_range=1.0), abs=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_single_bad_pixel_shows_in_the_sum(bad: float) -> None:
    one, other = np.zeros((2, 3, 100, 100), np.float32)
    one[1, 2, 3] = bad
    assert not math.isfinite(squared_error(one, other))
    assert not math.isfinite(numpy_squared_error(one.reshape(-1), other.reshape(-1)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((3, 4), np.uint8), np.zeros((4,), np.uint8)),
        (np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.float32)),
        (np.zeros((3, 4), np.int32), np.zeros((3, 4), np.int32)),
        (np.zeros((3, 4), np.uint8).T, np.zeros((4, 3), np.uint8)),
    ],
    ids=["broadcastable", "two dtypes", "unknown dtype", "strided"],
)
def test_operands_are_never_broadcast_or_converted(one: NDArray[Any], other: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"operands|dtype"):
        squared_error(one, other)


def test_without_opencv_numpy_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a participant's install
    real_import = builtins.__import__

    def import_without_opencv(name: str, *rest: Any) -> Any:
        if name == "cv2":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", import_without_opencv)
    # Then
    assert fastest.__wrapped__() is numpy_squared_error


def test_an_opencv_that_subtracts_in_float32_is_not_used() -> None:
    # Given OpenCV 4's arithmetic
    def opencv4(one: NDArray[Any], other: NDArray[Any]) -> float:
        difference = (
            (one - other).astype(np.float64) if one.dtype == np.float32 else one.astype(float) - other
        )
        return float(np.dot(difference, difference))

    # Then it is recognised
    assert not module._is_as_defined(opencv4)
    assert module._is_as_defined(numpy_squared_error)


def test_unaligned_values_give_the_same_sum() -> None:
    rng = np.random.default_rng(9)
    other = rng.random(1000, dtype=np.float32)
    raw = np.zeros(4001, np.uint8)
    unaligned = raw[1:].view(np.float32)
    unaligned[:] = rng.random(1000, dtype=np.float32)
    assert not unaligned.flags.aligned
    assert squared_error(unaligned, other) == pytest.approx(squared_error(unaligned.copy(), other), rel=1e-12)

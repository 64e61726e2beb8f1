"""The sum of squared differences of two arrays: the one loop that has to run at memory speed.

What is defined here, whichever library computes it:

* uint8: the exact integer sum.
* float32 and float64: differences and squares in float64, summed in float64 in any order (relative
  error below 1e-12).

OpenCV does this in one pass and is used where it is installed (the server); NumPy needs several
passes over blocks that stay in the cache. OpenCV 4 takes float32 differences in float32 and OpenCV 5
in float64, so the library is asked once what it does, and only used if that is what is defined here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 13  # elements; buffers stay in the cache, and BLAS stays on one thread
_DIGIT_BITS = 26
_DIGITS = 3
_SUPPORTED = (np.dtype("uint8"), np.dtype("float32"), np.dtype("float64"))


def squared_error(prediction: NDArray[Any], target: NDArray[Any]) -> float:
    """Sum over all elements of ``(prediction - target)²``.

    Both arrays: C-contiguous, the same shape, dtype both uint8, float32 or float64. NaN or infinity
    in either gives NaN or infinity. Raises ValueError for anything else; never broadcasts.
    """
    return fastest()(*_flat(prediction, target))


def exact_squared_error(prediction: NDArray[Any], target: NDArray[Any], *, largest: float) -> float:
    """The same sum, independent of the order of additions and so equal on every machine.

    largest: an upper bound of the absolute difference of two elements (the data range and its
    tolerance). Each square is cut into three digits of 26 bits, and the sums of digits are exact.
    More than ten times slower than `squared_error`.
    """
    one, other = _flat(prediction, target)
    if one.dtype == np.uint8:
        return float(_integer_squared_error(one, other))
    exponent = 2 * int(np.frexp(largest)[1])
    total = 0
    for a, b in _blocks(one, other):
        difference = a.astype(np.float64) - b
        rest = np.ldexp(difference * difference, _DIGIT_BITS - exponent)
        for digit in reversed(range(_DIGITS)):
            # A sum of fewer than 2**26 integers below 2**26 is exact in a float64 in any order.
            whole = np.floor(rest)
            total += int(whole.sum()) << (digit * _DIGIT_BITS)
            rest = np.ldexp(rest - whole, _DIGIT_BITS)
    return float(np.ldexp(total / (1 << (_DIGITS * _DIGIT_BITS)), exponent))


def numpy_squared_error(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The sum with NumPy alone; flat arrays."""
    if one.dtype == np.uint8:
        return float(_integer_squared_error(one, other))
    size = min(_BLOCK, max(one.size, 1))
    first, second = np.empty(size), np.empty(size)
    total = 0.0
    for a, b in _blocks(one, other):
        difference, subtrahend = first[: a.size], second[: a.size]
        difference[...] = a
        subtrahend[...] = b
        np.subtract(difference, subtrahend, out=difference)
        total += float(np.dot(difference, difference))
    return total


@cache
def fastest() -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """OpenCV's loop if it is installed and computes what is defined above, else NumPy's."""
    try:
        import cv2
    except ImportError:
        return numpy_squared_error

    def opencv_squared_error(one: NDArray[Any], other: NDArray[Any]) -> float:
        if not (one.flags.aligned and other.flags.aligned and one.size):
            return numpy_squared_error(one, other)
        total = float(cv2.norm(one, other, cv2.NORM_L2SQR))
        # OpenCV 5 squares a root, so an integer sum may come back 1 ulp beside the integer.
        return float(round(total)) if one.dtype == np.uint8 else total

    return opencv_squared_error if _is_as_defined(opencv_squared_error) else numpy_squared_error


def _is_as_defined(candidate: Callable[[NDArray[Any], NDArray[Any]], float]) -> bool:
    """Ask with questions whose answers differ between float32 and float64 arithmetic."""
    ramp = np.arange(1, 1026, dtype=np.float64)
    floats = (np.sin(ramp).astype(np.float32), np.cos(ramp).astype(np.float32))
    integers = ((ramp % 256).astype(np.uint8), (ramp * 7 % 256).astype(np.uint8))
    doubles = (np.sin(ramp), np.cos(ramp))
    for one, other in (floats, doubles, integers):
        for size in (1, 7, 1025):
            expected = numpy_squared_error(one[:size], other[:size])
            if abs(candidate(one[:size], other[:size]) - expected) > 1e-13 * expected:
                return False
    return True


def _flat(prediction: NDArray[Any], target: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if prediction.shape != target.shape or prediction.dtype != target.dtype:
        raise ValueError(
            f"operands differ: {prediction.dtype}{prediction.shape} and {target.dtype}{target.shape}"
        )
    if prediction.dtype not in _SUPPORTED:
        raise ValueError(f"dtype {prediction.dtype} is not one of {', '.join(map(str, _SUPPORTED))}")
    if not (prediction.flags.c_contiguous and target.flags.c_contiguous):
        raise ValueError("operands are C-contiguous")
    return prediction.reshape(-1), target.reshape(-1)


def _blocks(one: NDArray[Any], other: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for start in range(0, one.size, _BLOCK):
        yield one[start : start + _BLOCK], other[start : start + _BLOCK]


def _integer_squared_error(one: NDArray[Any], other: NDArray[Any]) -> int:
    total = 0
    for a, b in _blocks(one, other):
        # |a - b| stays in uint8; its squares as float32 sum exactly in float64 blocks of BLAS' dot.
        difference = (np.maximum(a, b) - np.minimum(a, b)).astype(np.float64)
        total += int(np.dot(difference, difference))
    return total

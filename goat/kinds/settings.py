"""What the event files of several kinds declare in the same words."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Literal

import msgspec

MAX_ELEMENTS = 1 << 28
MAX_SAMPLES = 100_000

# No width or name that could make a format string expensive or a name unsafe.
_PATTERN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,40}\{:(0?\d)?d\}[A-Za-z0-9_.-]{0,40}")


class Samples(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many samples there are to answer in each mode."""

    test: int
    ranked: int


class DomainSetting(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"low": "from", "high": "to"}
):
    """Values that a metric may take in the formula; ``outside`` says what happens to others."""

    low: float
    high: float
    outside: Literal["clamp", "reject"] = "clamp"


def common_faults(samples: Samples, pattern: str, unit: str) -> list[str]:
    """What is wrong with the settings that every kind has, as sentences."""
    checks = [
        (1 <= samples.test <= MAX_SAMPLES, f"samples.test is between 1 and {MAX_SAMPLES}"),
        (2 <= samples.ranked <= MAX_SAMPLES, f"samples.ranked is between 2 and {MAX_SAMPLES}"),
        (
            _PATTERN.fullmatch(pattern) is not None and pattern.endswith(".pt"),
            "pattern is a plain file name with one number, like sample_{:04d}.pt",
        ),
        (len(unit) <= 16 and unit.isprintable(), "unit has at most 16 characters"),
    ]
    return [sentence for sound, sentence in checks if not sound]


def positive(value: float) -> bool:
    """Whether it is a number above zero, and finite."""
    return math.isfinite(value) and value > 0


@lru_cache(maxsize=64)
def file_names(pattern: str, count: int) -> tuple[str, ...]:
    """The names that a pattern gives, numbered from 0."""
    return tuple(pattern.format(index) for index in range(count))

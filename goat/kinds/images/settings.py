"""What an event file declares about an image challenge."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Literal

import msgspec

from goat.records import Mode

MAX_ELEMENTS = 1 << 28
MAX_SAMPLES = 100_000

# No width or name that could make a format string expensive or a name unsafe.
_PATTERN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,40}\{:(0?\d)?d\}[A-Za-z0-9_.-]{0,40}")


class Samples(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many images a submission answers in each mode."""

    test: int
    ranked: int


class DomainSetting(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"low": "from", "high": "to"}
):
    """Values that a metric may take in the formula; ``outside`` says what happens to others."""

    low: float
    high: float
    outside: Literal["clamp", "reject"] = "clamp"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of an image challenge; every field of the event file's ``config``."""

    shape: tuple[int, ...]
    """Of one image, bands first, e.g. ``[3, 96, 96]``."""
    dtype: Literal["float32", "uint8"] = "float32"
    data_range: float = 1.0
    """Values lie in ``[0, data_range]``: 1.0 for float32, 255 for uint8."""
    samples: Samples
    pattern: str = "sample_{:04d}.pt"
    """File names, numbered from 0."""
    range_tolerance: float = 0.01
    """Values beyond the range by more reject the submission; within it they are clamped."""
    psnr_cap: float = 50.0
    """dB that an image gets at most, and a perfect one exactly."""
    formula: str = "psnr"
    """The score, from the means over the images of ``psnr`` (dB), ``ssim`` and ``sam`` (degrees)."""
    domains: dict[str, DomainSetting] = {}
    """Narrower domains of the formula's metrics than psnr [0, cap], ssim [-1, 1], sam [0, 180]."""
    higher_is_better: bool = True
    unit: str = "dB"
    """Of the score; empty for a pure number."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def image_bytes(self) -> int:
        return self.elements * (4 if self.dtype == "float32" else 1)

    def count(self, mode: Mode) -> int:
        return self.samples.test if mode == "test" else self.samples.ranked

    def names(self, mode: Mode) -> tuple[str, ...]:
        """File names that a submission of that mode consists of."""
        return _names(self.pattern, self.count(mode))


def faults(config: Config) -> list[str]:
    """Everything wrong with the settings themselves, as sentences (the formula has its own)."""
    shape, samples = config.shape, config.samples
    checks = [
        (2 <= len(shape) <= 4 and all(size >= 1 for size in shape), "shape has 2 to 4 sizes of at least 1"),
        (config.elements <= MAX_ELEMENTS, f"shape has at most {MAX_ELEMENTS} elements"),
        (_positive(config.data_range), "data_range is a positive number"),
        (config.dtype != "uint8" or config.data_range <= 255, "data_range of uint8 is at most 255"),
        (
            math.isfinite(config.range_tolerance) and config.range_tolerance >= 0,
            "range_tolerance is 0 or a positive number",
        ),
        (_positive(config.psnr_cap) and config.psnr_cap <= 200, "psnr_cap is between 0 and 200 dB"),
        (1 <= samples.test <= MAX_SAMPLES, f"samples.test is between 1 and {MAX_SAMPLES}"),
        (2 <= samples.ranked <= MAX_SAMPLES, f"samples.ranked is between 2 and {MAX_SAMPLES}"),
        (
            _PATTERN.fullmatch(config.pattern) is not None and config.pattern.endswith(".pt"),
            "pattern is a plain file name with one number, like sample_{:04d}.pt",
        ),
        (len(config.unit) <= 16 and config.unit.isprintable(), "unit has at most 16 characters"),
    ]
    return [sentence for sound, sentence in checks if not sound]


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


@lru_cache(maxsize=64)
def _names(pattern: str, count: int) -> tuple[str, ...]:
    return tuple(pattern.format(index) for index in range(count))

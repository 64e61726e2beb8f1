"""What an event file declares about an image challenge."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from goat.kinds.settings import (
    MAX_ELEMENTS,
    DomainSetting,
    Samples,
    common_faults,
    file_names,
    positive,
)
from goat.records import Mode


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
        return file_names(self.pattern, self.count(mode))


def faults(config: Config) -> list[str]:
    """Everything wrong with the settings themselves, as sentences (the formula has its own)."""
    shape = config.shape
    checks = [
        (2 <= len(shape) <= 4 and all(size >= 1 for size in shape), "shape has 2 to 4 sizes of at least 1"),
        (config.elements <= MAX_ELEMENTS, f"shape has at most {MAX_ELEMENTS} elements"),
        (positive(config.data_range), "data_range is a positive number"),
        (config.dtype != "uint8" or config.data_range <= 255, "data_range of uint8 is at most 255"),
        (
            math.isfinite(config.range_tolerance) and config.range_tolerance >= 0,
            "range_tolerance is 0 or a positive number",
        ),
        (positive(config.psnr_cap) and config.psnr_cap <= 200, "psnr_cap is between 0 and 200 dB"),
    ]
    faults = [sentence for sound, sentence in checks if not sound]
    return faults + common_faults(config.samples, config.pattern, config.unit)

"""Values against truth: the problems that only values show, the metrics, the score.

Nothing of a single image leaves this module: per image numbers of a hidden split would tell what
the truth is, one image at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from goat.errors import Problem
from goat.kinds.base import Measure
from goat.kinds.formulas import narrowed
from goat.kinds.images.findings import Findings
from goat.kinds.images.opening import Image
from goat.kinds.images.settings import Config
from goat.kinds.truth import Truth
from goat.records import Split
from goat.scoring.extremes import extremes, surely_within
from goat.scoring.formula import Domain, Formula
from goat.scoring.psnr import exact_mean_psnr, mean_psnr
from goat.scoring.quantum import is_ambiguous, publish
from goat.scoring.sam import sam
from goat.scoring.squared_error import exact_squared_error, squared_error
from goat.scoring.ssim import ssim

Images = Iterable[tuple[str, Image]]


@dataclass(slots=True)
class Tally:
    """What was measured on each image of one split."""

    errors: list[float] = field(default_factory=list)
    ssims: list[float] = field(default_factory=list)
    sams: list[float] = field(default_factory=list)


def formula_of(config: Config) -> Formula:
    """The formula over the domains of the metrics. Raises ValueError if it is none."""
    domains = {
        "psnr": Domain(0.0, config.psnr_cap, "up"),
        "ssim": Domain(-1.0, 1.0, "up"),
        "sam": Domain(0.0, 180.0, "down"),
    }
    domains = narrowed(domains, config.domains)
    return Formula(config.formula, domains, higher_is_better=config.higher_is_better)


def find_value_problems(images: Images, config: Config) -> list[Problem]:
    """NaN, infinities and values out of range, in all images."""
    found: list[tuple[str, str, str, str]] = []
    order: list[str] = []
    for name, image in images:
        order.append(name)
        if problem := value_problem(image, config):
            found.append((name, *problem))
    if not found:
        return []
    findings = Findings(order)
    for name, code, message, detail in found:
        findings.add_file(name, code, message, detail)
    return findings.problems()


def value_problem(image: Image, config: Config) -> tuple[str, str, str] | None:
    """(code, message, detail) if the values of one image are not acceptable."""
    if image.dtype != np.uint8 and not np.isfinite(image).all():
        count = int(image.size - np.isfinite(image).sum())
        return "non_finite", "has values that are NaN or infinite", f"{count} of {image.size}"
    low, high = extremes(image)
    if low < -config.range_tolerance or high > config.data_range + config.range_tolerance:
        return (
            "out_of_range",
            f"has values outside [0, {config.data_range:g}] by more than {config.range_tolerance:g}",
            f"they reach from {low:.6g} to {high:.6g}",
        )
    return None


def tally(
    images: Images, truths: Mapping[Split, Truth], config: Config, names: Collection[str]
) -> dict[Split, Tally] | None:
    """Measure every image against the truth of the split that it is in.

    names: of the formula; only those metrics are computed, and PSNR always. None if an image has a
    value problem: `find_value_problems` then tells all of them.
    """
    tallies = {split: Tally() for split in truths}
    split_of = {name: split for split, truth in truths.items() for name in truth.rows}
    for name, raw in images:
        split = split_of[name]
        target = truths[split][name]
        image, error = raw, squared_error(raw, target)
        if not surely_within(raw, config.data_range):
            if value_problem(raw, config):
                return None
            image = clamp(raw, config)
            error = squared_error(image, target)
        tallies[split].errors.append(error)
        if "ssim" in names:
            tallies[split].ssims.append(ssim(image, target, data_range=config.data_range))
        if "sam" in names:
            tallies[split].sams.append(sam(image, target))
    return tallies


def clamp(image: Image, config: Config) -> Image:
    """Values within the tolerance count as the end of the range."""
    return np.clip(image, 0, config.data_range).astype(config.dtype, copy=False)


def exact_errors(images: Images, truth: Truth, config: Config) -> list[float]:
    """Squared errors of the split's images that every machine finds the same."""
    return [
        exact_squared_error(clamp(image, config), truth[name], largest=config.data_range)
        for name, image in images
        if name in truth.rows
    ]


def measures(
    measured: Tally, config: Config, formula: Formula, exact: Callable[[], list[float]]
) -> dict[str, Measure]:
    """The split's means and score, published; ``exact`` is asked only when a last digit is in doubt.

    Raises ValueError when the formula refuses a mean (``outside: reject``).
    """
    means = {
        name: math.fsum(values) / len(values)
        for name, values in (("ssim", measured.ssims), ("sam", measured.sams))
        if values
    }
    means["psnr"] = mean_psnr(
        measured.errors, config.elements, data_range=config.data_range, cap=config.psnr_cap
    )
    score = formula(means)
    if is_ambiguous(score) or is_ambiguous(means["psnr"]):
        means["psnr"] = exact_mean_psnr(
            exact(), config.elements, data_range=config.data_range, cap=config.psnr_cap
        )
        score = formula(means)
    return {name: Measure.exact(publish(value)) for name, value in (("score", score), *means.items())}

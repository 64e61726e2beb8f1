"""Answers and times against the truth: metrics and score.

Nothing of a single sample leaves this module: numbers per sample of a hidden split would tell what
the truth is, one sample at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from goat.errors import Rejection
from goat.kinds.base import Measure
from goat.kinds.formulas import narrowed
from goat.kinds.onnx.settings import Config
from goat.kinds.truth import Truth
from goat.records import Split
from goat.scoring.formula import Domain, Formula
from goat.scoring.median import median_interval
from goat.scoring.quantum import publish

OPEN_METRICS: Final = frozenset({"size_mb", "seconds", "latency_ms"})
"""These tell nothing of the hidden truth."""


def domains_of(config: Config) -> dict[str, Domain]:
    """Every name that a formula may use, over its domain.

    Raises ValueError, in a sentence, for a bad ``accuracy`` formula or an unknown name in ``domains``.
    """
    metric = config.measured_by
    known = {
        metric.name: metric.domain,
        "size_mb": Domain(0.0, config.max_size_mb, "down"),
        "seconds": Domain(0.0, config.time_limit_s, "down"),
        "latency_ms": Domain(0.0, 1000.0 * config.time_limit_s, "down"),
    }
    if config.accuracy:
        known["accuracy"] = Domain(0.0, 1.0, "up")
    domains = narrowed(known, config.domains)
    if config.accuracy and "accuracy" not in config.domains:
        accuracy = _accuracy(config, domains[metric.name])
        ends = [accuracy({metric.name: end}) for end in (domains[metric.name].low, domains[metric.name].high)]
        domains["accuracy"] = Domain(min(ends), max(ends), "up")
    return domains


def formula_of(config: Config) -> Formula:
    """The score's formula. Raises ValueError, in a sentence, if it is none."""
    return Formula(config.formula, domains_of(config), higher_is_better=config.higher_is_better)


def accuracy_of(config: Config) -> Formula | None:
    """The formula of the number shown as ``accuracy``, if one is declared; raises as `formula_of`."""
    return _accuracy(config, domains_of(config)[config.metric]) if config.accuracy else None


def _accuracy(config: Config, domain: Domain) -> Formula:
    try:
        return Formula(config.accuracy, {config.metric: domain})
    except ValueError as error:
        raise ValueError(f"accuracy: {error}") from error


def formula_faults(config: Config) -> list[str]:
    """Everything wrong with the formulas over their domains, as sentences."""
    try:
        accuracy, formula = accuracy_of(config), formula_of(config)
    except ValueError as error:
        return [str(error)]
    found = [f"accuracy: {fault}" for fault in accuracy.faults()] if accuracy else []
    return found or formula.faults()


def measures(
    answers: Mapping[str, NDArray[Any]],
    truth: Truth,
    split: Split,
    config: Config,
    *,
    size: int,
    seconds: Sequence[float],
) -> dict[str, Measure]:
    """The split's metrics and score.

    answers: by file name, each of the output's shape, finite. size: of the model, in bytes. seconds: per
    sample, of each timed call. The interval of what was measured is that of the median, and the score's
    follows from it. Raises `goat.errors.Rejection` (``out_of_domain``) when the formula refuses a metric.
    """
    metric = config.measured_by
    values = [metric.function(answers[name], truth[name]) for name in truth.rows]
    exact = {metric.name: math.fsum(values) / len(values), "size_mb": size / 1e6}
    formula, accuracy = formula_of(config), accuracy_of(config)
    if accuracy is not None:
        exact["accuracy"] = _evaluated(accuracy, exact, split)
    value, *ends = median_interval(seconds)
    found = {name: Measure.exact(publish(number)) for name, number in exact.items()}
    found["latency_ms"] = _measure(1e3 * value, [1e3 * end for end in ends])
    found["seconds"] = _measure(value * config.samples.ranked, [end * config.samples.ranked for end in ends])
    score = _evaluated(formula, exact | _times(value, config), split)
    found["score"] = _measure(score, [_at(formula, exact | _times(end, config), score) for end in ends])
    return found


def _times(per_sample: float, config: Config) -> dict[str, float]:
    return {"seconds": per_sample * config.samples.ranked, "latency_ms": 1e3 * per_sample}


def _measure(value: float, ends: Sequence[float]) -> Measure:
    return Measure(publish(value), publish(min(value, *ends)), publish(max(value, *ends)))


def _evaluated(formula: Formula, metrics: Mapping[str, float], split: Split) -> float:
    for name, domain in formula.domains.items():
        try:
            domain.admit(name, metrics[name])
        except ValueError as error:
            # Only the sample split, and what everybody can measure, may be told.
            told = split == "sample" or name in OPEN_METRICS
            why = str(error) if told else "a metric lies outside what the challenge accepts"
            raise Rejection.of("out_of_domain", f"its score is not defined: {why}") from error
    try:
        return formula(metrics)
    except ValueError as error:
        raise Rejection.of("out_of_domain", "its score is not defined") from error


def _at(formula: Formula, metrics: Mapping[str, float], otherwise: float) -> float:
    """The score at an end of the interval, where the formula may refuse what it takes in the middle."""
    try:
        return formula(metrics)
    except ValueError:
        return otherwise


def require_finite(answers: NDArray[np.float32]) -> None:
    """Raise `goat.errors.Rejection` (``non_finite``) for what the child said is not there."""
    if not np.isfinite(answers).all():
        raise Rejection.of("non_finite", "the model answered with values that are NaN or infinite")

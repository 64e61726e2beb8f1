"""The score that given numbers of a board would give: for figures, never for scoring."""

from __future__ import annotations

from collections.abc import Mapping

from goat.kinds.onnx.scoring import accuracy_of, formula_of
from goat.kinds.onnx.settings import Config
from goat.scoring.formula import Formula

_HALVINGS = 40


class Predictor:
    """The challenge's formula at an ``accuracy``, ``latency_ms`` and ``size_mb``.

    Answers None where the formula refuses the numbers, or needs one that is not given: a challenge that
    declares no ``accuracy`` shows none.
    """

    def __init__(self, config: Config) -> None:
        self._metric, self._ranked = config.metric, config.samples.ranked
        self._formula, self._accuracy = formula_of(config), accuracy_of(config)
        self._found: dict[float, float] = {}

    def __call__(self, metrics: Mapping[str, float]) -> float | None:
        known = dict(metrics)
        if "latency_ms" in known:
            known["seconds"] = known["latency_ms"] / 1e3 * self._ranked
        if self._metric in self._formula.names and self._accuracy is not None and "accuracy" in known:
            wanted = known["accuracy"]
            if wanted not in self._found:  # a surface asks for few heights, each many times
                self._found[wanted] = metric_at(self._accuracy, self._metric, wanted)
            known[self._metric] = self._found[wanted]
        try:
            return self._formula(known)
        except (KeyError, ValueError):
            return None


def metric_at(accuracy: Formula, metric: str, wanted: float) -> float:
    """The metric whose accuracy is the wanted one (its nearest end where there is none).

    The event was accepted because its accuracy only ever rises as the metric gets better.
    """
    domain = accuracy.domains[metric]
    worst, best = (domain.low, domain.high) if domain.better == "up" else (domain.high, domain.low)
    for _ in range(_HALVINGS):
        middle = (worst + best) / 2
        if accuracy({metric: middle}) < wanted:
            worst = middle
        else:
            best = middle
    return (worst + best) / 2

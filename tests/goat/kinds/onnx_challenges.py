"""A small ONNX challenge with its data: the truth is the mean over the channels, which `good` answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from goat.errors import Rejection
from goat.kinds.base import Outcome, Runner, parse_config, parse_options
from goat.kinds.local import LocalRunner
from goat.kinds.onnx.settings import Config
from goat.kinds.onnx_inference import KIND
from goat.readers import write_pt
from goat.records import Mode
from tests.goat import onnx_models as models

SETTINGS: dict[str, Any] = {
    "input": {"shape": list(models.SHAPE)},
    "output": {"shape": list(models.ANSWER)},
    "samples": {"test": 3, "ranked": 8},
    "metric": "depth_rmse",
    "accuracy": "4/(4+(10*depth_rmse)**2)",
    "formula": "accuracy * (50-size_mb)/20 * (0.16+log10(7-0.37523*seconds))",
    "domains": {"size_mb": {"from": 0, "to": 50}, "seconds": {"from": 0, "to": 16.8}},
    "memory_mb": 1500,
    "time_limit_s": 60,
}


@dataclass
class Challenge:
    """Settings and truth on disk."""

    root: Path
    config: Config

    def part(self, name: str) -> Path:
        return self.root / name

    def evaluate(
        self,
        model: ModelProto | bytes | Path,
        mode: Mode = "test",
        *,
        runner: Runner | None = None,
        **options: Any,
    ) -> Outcome:
        path = model if isinstance(model, Path) else models.save(model, self.root / "model.onnx")
        chosen = parse_options(KIND, options)
        return KIND.evaluate(path, self.config, mode, self, runner or LocalRunner(), options=chosen)

    def verdict(self, model: ModelProto | bytes | Path, mode: Mode = "test", **options: Any) -> Rejection:
        """The rejection that the model must meet."""
        try:
            outcome = self.evaluate(model, mode, **options)
        except Rejection as rejection:
            return rejection
        raise AssertionError(f"it was scored: {outcome.scores}")


def make_challenge(
    root: Path, *, truth: Callable[[np.ndarray], np.ndarray] | None = None, **settings: Any
) -> Challenge:
    """Three sample images, eight hidden ones: three public, five private."""
    challenge = Challenge(root, parse_config(KIND, SETTINGS | settings))
    config = challenge.config
    rng = np.random.default_rng(5)
    answer = truth or (lambda image: image.mean(axis=0, keepdims=True, dtype=np.float32))
    for mode, part in (("test", "sample"), ("ranked", "eval")):
        for index, name in enumerate(config.names(mode)):
            image = rng.random(config.input.shape, dtype=np.float32)
            split = part if mode == "test" else "public" if index % 3 == 0 else "private"
            for place in (root / part / "inputs", root / split / "truth"):
                place.mkdir(parents=True, exist_ok=True)
            if config.input.dtype == "uint8":
                stored = np.round(image * 255).astype(np.uint8)
                image = stored.astype(np.float32) / 255
            else:
                stored = image
            write_pt(root / part / "inputs" / name, stored)
            write_pt(root / split / "truth" / name, answer(image))
    return challenge

"""A small image challenge with its data and submissions, for any dtype."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from goat.kinds.base import Limits, parse_config
from goat.kinds.image_reconstruction import KIND
from goat.kinds.images.settings import Config
from goat.readers import write_pt
from goat.records import Mode

T = TypeVar("T")
SHAPE = (3, 16, 20)
WEIGHTED = "0.7*psnr/50 + 0.15*ssim + 0.15*(1 - sam/90)"


class ChildRunner:
    """Runs the hostile part in a real process, as a worker does (without its sandbox)."""

    gpu_memory_bytes = 0

    def call(self, function: Callable[..., T], *args: Any, limits: Limits) -> T:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(function, *args).result(limits.wall_s)


@dataclass
class Challenge:
    """Settings, truth on disk, and good images to submit."""

    root: Path
    config: Config
    truth: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    """Split → file name → image."""

    def part(self, name: str) -> Path:
        return self.root / name

    def good_images(self, mode: Mode, noise: float = 0.05) -> dict[str, NDArray[Any]]:
        """Noisy truth, in range."""
        rng = np.random.default_rng(11)
        splits = ("sample",) if mode == "test" else ("public", "private")
        truth = {name: image for split in splits for name, image in self.truth[split].items()}
        return {
            name: self.valid(truth[name] + self.peak * noise * rng.normal(size=SHAPE))
            for name in sorted(truth)
        }

    def valid(self, image: NDArray[Any]) -> NDArray[Any]:
        return np.clip(image, 0, self.peak).astype(self.config.dtype)

    @property
    def peak(self) -> float:
        return self.config.data_range


def make_challenge(root: Path, dtype: str = "float32", **settings: Any) -> Challenge:
    """Three sample images, eight hidden ones: three public, five private."""
    raw = {
        "shape": SHAPE,
        "dtype": dtype,
        "data_range": 255.0 if dtype == "uint8" else 1.0,
        "samples": {"test": 3, "ranked": 8},
        **settings,
    }
    challenge = Challenge(root, parse_config(KIND, raw))
    rng = np.random.default_rng(2)
    ranked = challenge.config.names("ranked")
    splits = {
        "sample": challenge.config.names("test"),
        "public": ranked[::3],
        "private": ranked[1::3] + ranked[2::3],
    }
    for split, names in splits.items():
        challenge.truth[split] = {name: challenge.valid(rng.random(SHAPE) * challenge.peak) for name in names}
        write_folder(root / split / "truth", challenge.truth[split])
    for part, names in (("sample", splits["sample"]), ("eval", ranked)):
        write_folder(root / part / "inputs", {name: challenge.valid(rng.random(SHAPE)) for name in names})
    return challenge


def write_folder(folder: Path, images: dict[str, NDArray[Any]]) -> Path:
    folder.mkdir(parents=True)
    for name, image in images.items():
        write_pt(folder / name, image)
    return folder

"""The kind ``image_reconstruction``: N images of one shape, scored by PSNR, SSIM and spectral angle.

A submission is a folder of `.pt` files, a zip of them, or one `.pt` that stacks them all; the three
give the same score. How it is scored, step by step, is in `goat.kinds.images`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from goat.errors import Problem, Rejection
from goat.kinds.base import NO_OPTIONS, Data, Kind, Limits, Measure, Outcome, Runner, Upload
from goat.kinds.images import settings
from goat.kinds.images.dataset import dataset_faults
from goat.kinds.images.inspection import Inspection, inspect
from goat.kinds.images.measuring import (
    Images,
    exact_errors,
    find_value_problems,
    formula_of,
    measures,
    tally,
)
from goat.kinds.images.opening import open_images
from goat.kinds.images.settings import Config
from goat.kinds.truth import CACHE, Truth
from goat.readers.archive import list_collection
from goat.readers.faults import Fault
from goat.readers.pt_writer import open_entry
from goat.records import SPLITS_OF_MODE, Mode, Split

INSPECTION_LIMITS = Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=1 << 30)


class ImageReconstruction(Kind):
    """See the module."""

    name = "image_reconstruction"
    config_type = Config
    sources: ClassVar[tuple[str, ...]] = (
        "goat.kinds.formulas",
        "goat.kinds.image_reconstruction",
        "goat.kinds.images.measuring",
        "goat.kinds.images.settings",
        "goat.kinds.settings",
        "goat.scoring.extremes",
        "goat.scoring.formula",
        "goat.scoring.psnr",
        "goat.scoring.quantum",
        "goat.scoring.sam",
        "goat.scoring.squared_error",
        "goat.scoring.ssim",
    )

    def validate(self, config: Config) -> list[str]:
        faults = settings.faults(config)
        if faults:
            return faults
        try:
            formula = formula_of(config)
        except ValueError as error:
            return [str(error)]
        if formula.names & {"ssim", "sam"} and len(config.shape) != 3:
            faults.append("ssim and sam need a shape of (bands, height, width)")
        return faults + formula.faults()

    def higher_is_better(self, config: Config) -> bool:
        return config.higher_is_better

    def unit(self, config: Config) -> str:
        return config.unit

    def validate_data(self, folder: Path, config: Config) -> list[str]:
        return dataset_faults(folder, config)

    def check(self, path: Path, config: Config, mode: Mode, *, options: Any = NO_OPTIONS) -> list[Problem]:
        inspection = inspect(path, config, mode)
        return inspection.problems + _value_problems(path, inspection, config, mode)

    @contextlib.contextmanager
    def pack(self, path: Path, config: Config, mode: Mode, *, options: Any = NO_OPTIONS) -> Iterator[Upload]:
        """A folder becomes a stored zip whose bytes depend on names and contents only; a file is
        sent as it is. Raises `goat.errors.Rejection` for a folder that cannot be packed."""
        if not path.is_dir():
            yield Upload(path, path.name, path.stat().st_size)
            return
        with tempfile.TemporaryDirectory(prefix="goat-") as folder:
            packed = Path(folder) / f"{path.resolve().name or 'submission'}.zip"
            _pack_folder(path, packed)
            yield Upload(packed, packed.name, packed.stat().st_size)

    def evaluate(
        self,
        artifact: Path,
        config: Config,
        mode: Mode,
        data: Data,
        runner: Runner,
        *,
        options: Any = NO_OPTIONS,
    ) -> Outcome:
        start = time.perf_counter()
        inspection = runner.call(inspect, artifact, config, mode, limits=INSPECTION_LIMITS)
        inspected = time.perf_counter()
        truths = {split: _truth(data, split, config) for split in SPLITS_OF_MODE[mode]}
        _require_whole_truth(truths, config, mode)
        loaded = time.perf_counter()
        scores = _score(artifact, inspection, config, mode, truths)
        timings = {
            "inspect": inspected - start,
            "truth": loaded - inspected,
            "score": time.perf_counter() - loaded,
        }
        return Outcome(scores=scores, timings=timings)


def _score(
    artifact: Path, inspection: Inspection, config: Config, mode: Mode, truths: dict[Split, Truth]
) -> dict[Split, dict[str, Measure]]:
    def images() -> Images:
        return open_images(artifact, inspection, config, config.names(mode))

    formula = formula_of(config)
    tallies = None
    if not inspection.problems:
        tallies = tally(images(), truths, config, formula.names)
    if tallies is None:
        raise Rejection(inspection.problems + _value_problems(artifact, inspection, config, mode))
    if any(len(tallies[split].errors) != len(truth.rows) for split, truth in truths.items()):
        # The child said that all is well and left images out; an honest one cannot.
        raise Rejection.of("missing_files", "not every image could be read")
    scores: dict[Split, dict[str, Measure]] = {}
    for split, truth in truths.items():
        exact = partial(_exact_errors, images, truth, config)
        try:
            scores[split] = measures(tallies[split], config, formula, exact)
        except ValueError as error:
            # The sentence names the metric's value, which only the sample split may tell.
            why = str(error) if split == "sample" else "a metric lies outside what the challenge accepts"
            raise Rejection.of("out_of_domain", f"its score is not defined: {why}") from error
    return scores


def _exact_errors(images: Callable[[], Images], truth: Truth, config: Config) -> list[float]:
    return exact_errors(images(), truth, config)


def _truth(data: Data, split: Split, config: Config) -> Truth:
    return CACHE.get(data.part(split) / "truth", shape=config.shape, dtype=config.dtype)


def _require_whole_truth(truths: dict[Split, Truth], config: Config, mode: Mode) -> None:
    """Each expected image is in exactly one split, or the data version is broken (not the
    participant's fault, so no verdict)."""
    names = [name for truth in truths.values() for name in truth.rows]
    if sorted(names) != sorted(config.names(mode)):
        raise RuntimeError(f"the truth of mode {mode} does not cover the images that the settings name")


def _value_problems(path: Path, inspection: Inspection, config: Config, mode: Mode) -> list[Problem]:
    images = open_images(path, inspection, config, config.names(mode))
    return find_value_problems(images, config)


def _pack_folder(folder: Path, target: Path) -> None:
    try:
        members = list_collection(folder, max_bytes=0).members
    except Fault as fault:
        raise Rejection.of(fault.code, fault.message) from fault
    with open(target, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            with open(member.path, "rb") as source:
                size = os.fstat(source.fileno()).st_size
                with open_entry(archive, raw, member.name, size) as entry:
                    shutil.copyfileobj(source, entry, 1 << 20)


KIND = ImageReconstruction()

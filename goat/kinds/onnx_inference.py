"""The kind ``onnx_inference``: a model in one `.onnx` file, scored by its answers, speed and size.

The service runs it; a participant sends no answers. How that is done, step by step, is in
`goat.kinds.onnx`.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from goat.errors import Problem, Rejection
from goat.kinds.base import Data, Kind, Limits, Measure, Outcome, Runner, Upload
from goat.kinds.dataset import dataset_faults
from goat.kinds.local import LocalRunner
from goat.kinds.onnx import scoring, settings
from goat.kinds.onnx.prediction import Predictor
from goat.kinds.onnx.refusals import in_words_for_models
from goat.kinds.onnx.runtime import PROVIDERS, require_runtime
from goat.kinds.onnx.session import STAGES, Job, Ran, run_model
from goat.kinds.onnx.settings import Config, Options
from goat.kinds.truth import CACHE, Truth
from goat.readers.onnx_gate import inspect_model
from goat.readers.onnx_rules import MAX_BATCH
from goat.records import SPLITS_OF_MODE, Mode, Split

NO_CHOICE = Options()
_NONSENSE = Rejection.of("crashed", "the child told what makes no sense")


class OnnxInference(Kind):
    """See the module."""

    name = "onnx_inference"
    config_type = Config
    options_type = Options
    measured = True
    open_metrics = scoring.OPEN_METRICS
    board_metrics = ("accuracy", "latency_ms", "size_mb")
    plane = ("latency_ms", "accuracy")
    suffixes = (".onnx",)
    sources: ClassVar[tuple[str, ...]] = (
        "goat.kinds.formulas",
        "goat.kinds.onnx.calls",
        "goat.kinds.onnx.latency",
        "goat.kinds.onnx.runtime",
        "goat.kinds.onnx.scoring",
        "goat.kinds.onnx.session",
        "goat.kinds.onnx.settings",
        "goat.kinds.onnx_inference",
        "goat.kinds.settings",
        "goat.readers.onnx_gate",
        "goat.readers.onnx_rules",
        "goat.readers.onnx_signature",
        "goat.readers.onnx_tensors",
        "goat.readers.onnx_walk",
        "goat.scoring.formula",
        "goat.scoring.median",
        "goat.scoring.outputs",
        "goat.scoring.quantum",
    )

    def lane(self, config: Config) -> str:
        return config.device

    def local_runner(self) -> Runner:
        """A model that crashes must not take the notebook's kernel with it."""
        return LocalRunner()

    def validate(self, config: Config) -> list[str]:
        return settings.faults(config) or scoring.formula_faults(config)

    def higher_is_better(self, config: Config) -> bool:
        return config.higher_is_better

    def unit(self, config: Config) -> str:
        return config.unit

    def predictor(self, config: Config) -> Callable[[Mapping[str, float]], float | None]:
        return Predictor(config)

    def validate_data(self, folder: Path, config: Config) -> list[str]:
        return dataset_faults(
            folder,
            set(config.names("test")),
            set(config.names("ranked")),
            truth=lambda array: _truth_fault(array, config),
            inputs=lambda array: _input_fault(array, config),
        )

    def check(self, path: Path, config: Config, mode: Mode, *, options: Any = NO_CHOICE) -> list[Problem]:
        """The gate alone: the model is not loaded. Needs the package `onnx`."""
        return inspect_model(path, config.rules(_chosen(options))).problems

    @contextlib.contextmanager
    def pack(self, path: Path, config: Config, mode: Mode, *, options: Any = NO_CHOICE) -> Iterator[Upload]:
        yield Upload(path, path.name, path.stat().st_size)

    def evaluate(
        self,
        artifact: Path,
        config: Config,
        mode: Mode,
        data: Data,
        runner: Runner,
        *,
        options: Any = NO_CHOICE,
    ) -> Outcome:
        started = time.perf_counter()
        truths = {split: _truth(data, split, config) for split in SPLITS_OF_MODE[mode]}
        _require_whole_truth(truths, config, mode)
        loaded = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="goat-model-", ignore_cleanup_errors=True) as folder:
            job = _job(artifact, config, mode, data, runner, Path(folder), _chosen(options))
            with open(job.answers, "rb") as reserved:
                ran = _run(runner, job, config)
                came_back = time.perf_counter()
                answers = _read_answers(reserved, job, config)
            scoring.require_finite(answers)
            rows = dict(zip(job.names, answers, strict=True))
            seconds = [call / ran.batch for call in ran.seconds]
            size = artifact.stat().st_size
            scores: dict[Split, dict[str, Measure]] = {
                split: scoring.measures(rows, truth, split, config, size=size, seconds=seconds)
                for split, truth in truths.items()
            }
            del answers, rows  # they lie in the folder
        timings = {
            "truth": loaded - started,
            "child": came_back - loaded,
            **{f"child_{stage}": float(took) for stage, took in ran.stages.items()},
            "score": time.perf_counter() - came_back,
        }
        return Outcome(scores, timings, samples={"latency_s": seconds}, machine=_machine(job, ran))


def _chosen(options: Any) -> Options:
    return options if isinstance(options, Options) else NO_CHOICE


def _job(
    artifact: Path, config: Config, mode: Mode, data: Data, runner: Runner, folder: Path, options: Options
) -> Job:
    device = runner.device(config.device) if isinstance(runner, LocalRunner) else config.device
    require_runtime(device)
    empty = folder / "empty"
    empty.mkdir()
    names = config.names(mode)
    answers = folder / "answers"
    _reserve(answers, len(names) * math.prod(config.output.shape) * 4)
    return Job(
        model=str(artifact.absolute()),
        rules=config.rules(options),
        inputs=str((data.part("sample" if mode == "test" else "eval") / "inputs").absolute()),
        names=names,
        stored=config.input.dtype,
        answers=str(answers),
        empty=str(empty),
        batch=config.batch_size,
        warm_up=config.warm_up,
        passes=config.passes,
        seed=secrets.randbits(64),
        metric=config.metric,
        device=device,
        threads=config.threads,
        gpu_memory_bytes=runner.gpu_memory_bytes,
    )


def _run(runner: Runner, job: Job, config: Config) -> Ran:
    limits = Limits(
        wall_s=config.time_limit_s,
        cpu_s=config.time_limit_s * job.threads + 5,
        memory_bytes=int(config.memory_mb * 1e6),
        device=job.device,
        threads=job.threads,
    )
    started = time.perf_counter()
    try:
        ran = runner.call(run_model, job, limits=limits)
        if not _is_credible(ran, job, took=time.perf_counter() - started):
            raise _NONSENSE
    except Rejection as rejection:
        raise in_words_for_models(
            rejection, memory_mb=config.memory_mb, time_limit_s=config.time_limit_s
        ) from rejection
    return ran


def _is_credible(ran: Ran, job: Job, *, took: float) -> bool:
    """Whether it can be what an honest child tells: it is stored, and a child may have been taken over.

    took: seconds that the whole call lasted by our own clock.
    """
    times = [*ran.seconds, *ran.stages.values()]
    return (
        1 <= ran.batch <= MAX_BATCH
        and len(ran.seconds) == job.passes
        and all(math.isfinite(value) and value >= 0 for value in times)
        and min(ran.seconds) > 0
        and math.fsum(ran.seconds) <= took
        and ran.provider == PROVIDERS[job.device]
        and re.fullmatch(r"[\w.+-]{1,40}", ran.runtime) is not None
        and ran.stages.keys() <= set(STAGES)
    )


def _reserve(path: Path, size: int) -> None:
    """A file whose bytes are really there: a disk that is full must hit us here, not the child later."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


def _read_answers(file: BinaryIO, job: Job, config: Config) -> NDArray[np.float32]:
    """(samples, *output shape), mapped read-only; the child is gone and changes nothing any more.

    file: opened before the child ran, so it is ours whatever lies under its name by now.
    """
    shape = (len(job.names), *config.output.shape)
    if os.fstat(file.fileno()).st_size != 4 * math.prod(shape):
        raise in_words_for_models(_NONSENSE, memory_mb=config.memory_mb, time_limit_s=config.time_limit_s)
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, np.float32).reshape(shape)


def _machine(job: Job, ran: Ran) -> dict[str, str | int | float]:
    return {
        "provider": ran.provider,
        "device": job.device,
        "onnxruntime": ran.runtime,
        "threads": job.threads,
        "batch_size": ran.batch,
        "warm_up": job.warm_up,
        "passes": job.passes,
    }


def _truth(data: Data, split: Split, config: Config) -> Truth:
    folder = data.part(split) / "truth"
    return CACHE.get(folder, shape=config.truth_shape, dtype=config.measured_by.truth)


def _require_whole_truth(truths: dict[Split, Truth], config: Config, mode: Mode) -> None:
    """Each expected sample is in exactly one split, or the data version is broken (not the
    participant's fault, so no verdict)."""
    names = [name for truth in truths.values() for name in truth.rows]
    if sorted(names) != sorted(config.names(mode)):
        raise RuntimeError(f"the truth of mode {mode} does not cover the samples that the settings name")


def _truth_fault(array: NDArray[Any], config: Config) -> str | None:
    dtype = config.measured_by.truth
    if array.shape != config.truth_shape or array.dtype.name != dtype:
        return f"is {array.dtype} {array.shape}, the settings say {dtype} {config.truth_shape}"
    if dtype == "int64" and not 0 <= int(array) < config.output.shape[0]:
        return f"is the label {int(array)} of {config.output.shape[0]} classes"
    return None if np.isfinite(array).all() else "has values that are not finite"


def _input_fault(array: NDArray[Any], config: Config) -> str | None:
    wanted = config.input
    if array.shape != wanted.shape or array.dtype.name != wanted.dtype:
        return f"is {array.dtype} {array.shape}, the settings say {wanted.dtype} {wanted.shape}"
    if not np.isfinite(array).all():
        return "has values that are not finite"
    if wanted.dtype == "float32" and (array.min() < 0 or array.max() > 1):
        return "has values outside [0, 1]"
    return None


KIND = OnnxInference()

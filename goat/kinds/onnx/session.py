"""Loads a hostile model and runs it: the part of the kind that works in the child.

It sees the model and the inputs. The truth stays with the parent, which reads the outputs from a file
that it made beforehand; the child may not write any other. The runtime gets the model as bytes, in an
empty folder, so there is nothing beside it that it could open.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from goat.errors import Rejection
from goat.kinds.base import Device
from goat.kinds.onnx.calls import Array, Call, prepare_call
from goat.kinds.onnx.latency import measure
from goat.kinds.onnx.refusals import is_out_of_memory, load_refusal, run_refusal
from goat.kinds.onnx.runtime import canary, load_runtime, open_session, require_provider
from goat.readers.onnx_gate import ModelFacts, open_model
from goat.readers.onnx_rules import Rules
from goat.readers.onnx_signature import same_answer, shape_text
from goat.readers.pt import read_pt
from goat.scoring.outputs import METRICS, SAME

STAGES: Final = ("gate", "load", "answer", "measure")
"""What it takes its time for, in this order."""


class Job(NamedTuple):
    """All that the child needs to know; plain values."""

    model: str
    rules: Rules
    inputs: str
    """Folder of the inputs."""
    names: tuple[str, ...]
    """Its files, in the order of the rows of ``answers``."""
    stored: Literal["float32", "uint8"]
    answers: str
    """File of ``len(names)`` answers, float32; made by the parent."""
    empty: str
    """A folder with nothing in it."""
    batch: int
    """Samples per call where the model leaves it open."""
    warm_up: int
    passes: int
    seed: int
    metric: str
    """Decides when two answers to one sample are the same."""
    device: Device
    threads: int
    gpu_memory_bytes: int


class Ran(NamedTuple):
    """What came of it, beside the answers."""

    batch: int
    seconds: list[float]
    """Of every timed call, which is one batch."""
    provider: str
    runtime: str
    stages: dict[str, float]
    """Seconds of wall time for each of `STAGES`."""


def run_model(job: Job) -> Ran:
    """Gate, load, answer every input, then time calls whose answers must be the same again.

    Raises `goat.errors.Rejection` with every problem that the gate finds, or with the first one that
    running shows.
    """
    with contextlib.chdir(job.empty):
        return _run(job)


def _run(job: Job) -> Ran:
    clock = _Stages()
    facts, content = open_model(Path(job.model), job.rules)
    if facts.problems:
        raise Rejection(facts.problems)
    clock.lap("gate")
    batch = facts.batch or job.rules.batch or job.batch
    session = _load(content, facts, batch, job)
    del content
    clock.lap("load")
    work = _Work(session, facts, batch, job)
    work.answer_all()
    clock.lap("answer")
    seconds = measure(work, warm_up=job.warm_up, passes=job.passes)
    clock.lap("measure")
    return Ran(batch, seconds, session.get_providers()[0], load_runtime().__version__, clock.seconds)


def _load(content: bytes, facts: ModelFacts, batch: int, job: Job) -> Any:
    def load(what: bytes) -> Any:
        return open_session(
            what,
            job.device,
            threads=job.threads,
            gpu_memory_bytes=job.gpu_memory_bytes,
            # It never changes here, and with a known batch shapes are computed once, while loading.
            sizes={facts.batch_name: batch} if facts.batch_name else {},
        )

    require_provider(job.device)
    try:
        return load(content)
    except Exception as error:  # whatever the runtime raises
        refusal = load_refusal(error, job.device)
        if refusal.verdict != "memory_limit":
            _require_sound_machine(load)
        raise refusal from error


def _require_sound_machine(load: Callable[[bytes], Any]) -> None:
    """Raise where the smallest model does not load either: that must be nobody's verdict.

    What the refused model still holds of the memory is the model's affair, though.
    """
    try:
        load(canary())
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise


class _Work:
    """The calls over a model's inputs: once through all of them, then again as a `Workload`."""

    def __init__(self, session: Any, facts: ModelFacts, batch: int, job: Job) -> None:
        self._session = session
        self._names = (facts.input, facts.output)
        self._job = job
        self._shape = (batch, *job.rules.input_shape)
        self._groups = _groups(len(job.names), batch)
        self._order = random.Random(job.seed).sample(range(len(self._groups)), len(self._groups))
        self._answers = _answers(job)
        self._call: Call | None = None

    def answer_all(self) -> None:
        """Fill the file of answers. The last batch is padded with copies of its last input."""
        self._call = call = self._first_call()
        for rows in self._groups:
            self._fill(call.input, rows)
            with self._blaming_the_model():
                call.send()
                call.run()
                call.fetch()
            first, end = int(rows[0]), int(rows[-1]) + 1
            answer = call.output.reshape(len(rows), -1)[: end - first]
            if not np.isfinite(answer).all():
                count = int(answer.size - np.isfinite(answer).sum())
                raise Rejection.of(
                    "non_finite",
                    f"the model answered with values that are NaN or infinite ({count} of {answer.size} in "
                    "one batch); look for a division by zero, a logarithm of zero, or an overflow of float16",
                )
            self._answers[first:end] = answer

    def prepare(self, index: int) -> None:
        assert self._call is not None
        self._fill(self._call.input, self._rows(index))
        with self._blaming_the_model():
            self._call.send()

    def run(self) -> None:
        assert self._call is not None
        try:
            self._call.run()
        except Exception as error:  # as below, without the price of a context while the clock runs
            raise run_refusal(error, self._shape[0]) from error

    def collect(self, index: int) -> None:
        """Compare: who is fast with other answers than those that are scored is not fast."""
        assert self._call is not None
        with self._blaming_the_model():
            self._call.fetch()
        expected = self._answers[self._rows(index)]
        found = self._call.output.reshape(expected.shape)
        if any(map(self._differ, found, expected)):
            raise Rejection.of(
                "non_deterministic",
                "the model answers the same inputs differently from call to call; remove random operators "
                "(RandomNormal, Dropout in training mode, …): call .eval() before the export",
            )

    def _differ(self, found: Array, expected: Array) -> bool:
        if np.array_equal(found, expected):
            return False
        return METRICS[self._job.metric].deviation(found, expected) > SAME or not np.isfinite(found).all()

    def _rows(self, index: int) -> NDArray[np.intp]:
        return self._groups[self._order[index % len(self._order)]]

    def _first_call(self) -> Call:
        """Call once without bound buffers, to see what the answer really looks like."""
        inputs: Array = np.zeros(self._shape, np.float32)
        self._fill(inputs, self._groups[0])
        with self._blaming_the_model():
            (answer,) = self._session.run([self._names[1]], {self._names[0]: inputs})
        batch, wanted = self._shape[0], self._job.rules.output_shape
        if (
            not isinstance(answer, np.ndarray)
            or answer.dtype != np.float32
            or answer.shape[:1] != (batch,)
            or not same_answer(answer.shape[1:], wanted)
        ):
            is_array = isinstance(answer, np.ndarray)
            found = f"{shape_text(answer.shape, batch=False)} {answer.dtype}" if is_array else "no tensor"
            raise Rejection.of(
                "signature_mismatch",
                f"to a batch of {batch} the model answers {found}, "
                f"expected {shape_text((batch, *wanted), batch=False)} float32",
            )
        with self._blaming_the_model():
            return prepare_call(self._job.device, self._session, self._names, self._shape, answer.shape)

    @contextlib.contextmanager
    def _blaming_the_model(self) -> Iterator[None]:
        """Whatever the runtime raises inside is a verdict; outside, it would be a fault of ours."""
        try:
            yield
        except Exception as error:
            raise run_refusal(error, self._shape[0]) from error

    def _fill(self, target: Array, rows: NDArray[np.intp]) -> None:
        for place, row in enumerate(rows):
            stored = _input(Path(self._job.inputs, self._job.names[row]))
            if self._job.stored == "uint8":
                np.divide(stored, 255, out=target[place], dtype=np.float32)
            else:
                target[place] = stored


def _input(path: Path) -> NDArray[Any]:
    try:
        return read_pt(path)
    except Rejection as error:  # the organiser's file: it must not become the verdict on a model
        raise ValueError(f"input {path.name} cannot be read: {error}") from error


def _groups(count: int, batch: int) -> list[NDArray[np.intp]]:
    """Rows of each batch; the last one is filled up with copies of the last row.

    >>> [rows.tolist() for rows in _groups(3, 2)]
    [[0, 1], [2, 2]]
    """
    rows = np.minimum(np.arange(-(-count // batch) * batch), count - 1)
    return list(rows.reshape(-1, batch))


def _answers(job: Job) -> Array:
    """The file of answers, mapped: (samples, elements)."""
    descriptor = os.open(job.answers, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        mapping = mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)
    return np.frombuffer(mapping, np.float32).reshape(len(job.names), -1)


class _Stages:
    """Seconds between one lap and the next, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now

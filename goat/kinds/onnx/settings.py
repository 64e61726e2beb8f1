"""What an event file declares about an ONNX challenge, and what a participant may choose."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

from goat.kinds.base import Device
from goat.kinds.settings import (
    MAX_ELEMENTS,
    DomainSetting,
    Samples,
    common_faults,
    file_names,
    positive,
)
from goat.readers.onnx_rules import MAX_BATCH, OPSET_MAX, Rules
from goat.records import Mode
from goat.scoring.outputs import METRICS, Metric

MIN_PASSES = 20
_KNOWN_DOMAINS = {"ai.onnx", "ai.onnx.ml", "com.microsoft"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a participant may choose for one submission."""

    batch_size: Annotated[int, msgspec.Meta(ge=1, le=MAX_BATCH)] | None = None
    """Samples per call, for a model whose batch dimension is dynamic; None: the challenge's default."""


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input sample. The model gets batches of them as float32, NCHW, in [0, 1]."""

    shape: tuple[int, int, int]
    """(channels, height, width)."""
    dtype: Literal["float32", "uint8"] = "float32"
    """As stored; uint8 values are divided by 255."""


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to one sample; a model may leave axes of size one out, or have more of them."""

    shape: tuple[int, ...]
    dtype: Literal["float32"] = "float32"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of an ONNX challenge; every field of the event file's ``config``."""

    input: Input
    output: Output
    samples: Samples
    pattern: str = "sample_{:04d}.pt"
    """File names of inputs and truth, numbered from 0."""
    metric: str
    """One of `goat.scoring.outputs.METRICS`: depth_rmse, rmse, mae, psnr, top1."""
    accuracy: str = ""
    """A formula over the metric alone, shown on the board as ``accuracy``; higher is better."""
    formula: str
    """The score, over the metric's name, ``accuracy`` (if declared), ``size_mb`` (1e6 bytes),
    ``seconds`` (for all ranked samples: median per sample times ``samples.ranked``) and ``latency_ms``
    (median per sample)."""
    domains: dict[str, DomainSetting] = {}
    """Domains of the formula's names where those of `goat.kinds.onnx.scoring` do not fit."""
    higher_is_better: bool = True
    unit: str = ""
    """Of the score; empty for a pure number."""
    device: Device = "cpu"
    """Where models run; also the queue that submissions wait in."""
    threads: int = 1
    """Threads of the runtime on the CPU."""
    batch_size: int = 1
    """Samples per call for models with a dynamic batch, unless the participant chooses."""
    warm_up: int = 3
    """Calls before the timed ones."""
    passes: int = MIN_PASSES
    """Timed calls, each over one batch."""
    opset_max: int = OPSET_MAX
    operator_domains: tuple[str, ...] = ("ai.onnx", "ai.onnx.ml")
    """Operators that models may use; ``com.microsoft`` can be added."""
    forbidden_ops: tuple[str, ...] = ()
    """Operators of these domains that they may not, e.g. ``[Loop, If]``."""
    max_nodes: int = 20_000
    max_size_mb: float = 100.0
    memory_mb: float = 4096.0
    """Main memory that loading and running a model may take, in 1e6 bytes."""
    time_limit_s: float = 300.0
    """Wall time for loading, the accuracy pass and all timed calls together."""

    def count(self, mode: Mode) -> int:
        return self.samples.test if mode == "test" else self.samples.ranked

    def names(self, mode: Mode) -> tuple[str, ...]:
        """File names of the inputs of that mode, in the order of the outputs' rows."""
        return file_names(self.pattern, self.count(mode))

    def rules(self, options: Options) -> Rules:
        """What the gate asks of a model."""
        return Rules(
            input_shape=self.input.shape,
            output_shape=self.output.shape,
            max_bytes=int(self.max_size_mb * 1e6),
            max_nodes=self.max_nodes,
            opset_max=self.opset_max,
            domains=self.operator_domains,
            forbidden_ops=self.forbidden_ops,
            batch=options.batch_size,
        )

    @property
    def measured_by(self) -> Metric:
        return METRICS[self.metric]

    @property
    def truth_shape(self) -> tuple[int, ...]:
        return () if self.measured_by.truth == "int64" else self.output.shape


def faults(config: Config) -> list[str]:
    """Everything wrong with the settings themselves, as sentences (the formulas have their own)."""
    inputs, outputs = config.input.shape, config.output.shape
    checks = [
        (all(size >= 1 for size in inputs), "input.shape has three sizes of at least 1"),
        (1 <= len(outputs) <= 4 and min(outputs) >= 1, "output.shape has 1 to 4 sizes of at least 1"),
        (
            max(math.prod(inputs), math.prod(outputs)) * MAX_BATCH <= MAX_ELEMENTS,
            f"a batch of {MAX_BATCH} has at most {MAX_ELEMENTS} elements",
        ),
        (config.metric in METRICS, f"metric is one of {', '.join(METRICS)}"),
        (config.metric != "top1" or len(outputs) == 1, "top1 needs an output.shape of one size (classes)"),
        (1 <= config.threads <= 256, "threads is between 1 and 256"),
        (1 <= config.batch_size <= MAX_BATCH, f"batch_size is between 1 and {MAX_BATCH}"),
        (0 <= config.warm_up <= 1000, "warm_up is between 0 and 1000"),
        (MIN_PASSES <= config.passes <= 10_000, f"passes is between {MIN_PASSES} and 10000"),
        (7 <= config.opset_max <= OPSET_MAX, f"opset_max is between 7 and {OPSET_MAX}"),
        (
            bool(config.operator_domains) and set(config.operator_domains) <= _KNOWN_DOMAINS,
            f"operator_domains are some of {', '.join(sorted(_KNOWN_DOMAINS))}",
        ),
        (1 <= config.max_nodes <= 1_000_000, "max_nodes is between 1 and 1000000"),
        (positive(config.max_size_mb) and config.max_size_mb <= 2000, "max_size_mb is between 0 and 2000"),
        (positive(config.memory_mb), "memory_mb is a positive number"),
        (positive(config.time_limit_s), "time_limit_s is a positive number"),
    ]
    return [sentence for sound, sentence in checks if not sound] + common_faults(
        config.samples, config.pattern, config.unit
    )

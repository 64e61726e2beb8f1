"""What a challenge asks of an ONNX model, as far as its file can tell. Imports nothing heavy."""

from __future__ import annotations

from typing import Final, NamedTuple

IR_MAX: Final = 13
"""Newest version of the file format that the pinned runtime reads."""
OPSET_MAX: Final = 26
"""Newest set of standard operators that it knows."""

MAX_BATCH: Final = 32
"""Samples that one call may take."""


class Rules(NamedTuple):
    """What a challenge asks of a model."""

    input_shape: tuple[int, ...]
    """Of one sample: (channels, height, width)."""
    output_shape: tuple[int, ...]
    max_bytes: int = 100_000_000
    max_nodes: int = 20_000
    opset_max: int = OPSET_MAX
    domains: tuple[str, ...] = ("ai.onnx", "ai.onnx.ml")
    forbidden_ops: tuple[str, ...] = ()
    batch: int | None = None
    """The batch size that the participant asked for, if one was."""

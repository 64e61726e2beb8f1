"""Writes the data folder of a challenge with one truth per input, as `goat.kinds.base` describes it::

    sample/inputs  sample/truth    published, numbered in the order given
    eval/inputs                    published: public and private shuffled into one numbering
    public/truth   private/truth   never leave the server; together they answer eval

Names, times and order of the published files say nothing about the split.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goat.errors import Invalid
from goat.readers import write_pt
from goat.records import Split

PATTERN = "sample_{:04d}.pt"

_WRITTEN = 1767225600  # 2026-01-01 UTC, the time that every published file carries

Pair = tuple[NDArray[Any], NDArray[np.float32]]
"""An input and its truth, such as a damaged image and the original."""


def write_dataset(
    folder: Path, pairs: Mapping[Split, Iterable[Pair]], counts: Mapping[Split, int], *, seed: int
) -> None:
    """Write all pairs of the three splits into ``folder``, which must be new or empty.

    pairs: per split its (input, truth) arrays; may be generators, one pair is held at a time.
    counts: how many pairs each split has. seed: decides which eval number is in which split.
    Raises `goat.errors.Invalid` if the folder is not empty, ValueError if a count is wrong.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty; data is only ever written into a new folder")
    hidden = np.random.default_rng(seed).permutation(counts["public"] + counts["private"]).tolist()
    _write(folder, "sample", "sample", range(counts["sample"]), pairs["sample"])
    _write(folder, "eval", "public", hidden[: counts["public"]], pairs["public"])
    _write(folder, "eval", "private", hidden[counts["public"] :], pairs["private"])


def _write(folder: Path, inputs: str, truth: str, numbers: Iterable[int], pairs: Iterable[Pair]) -> None:
    """Inputs into part ``inputs``, their truth into part ``truth``, under the same names."""
    (folder / inputs / "inputs").mkdir(parents=True, exist_ok=True)
    (folder / truth / "truth").mkdir(parents=True)
    for number, (image, original) in zip(numbers, pairs, strict=True):
        name = PATTERN.format(number)
        write_pt(folder / inputs / "inputs" / name, image)
        write_pt(folder / truth / "truth" / name, original)
        # The order of writing would tell the splits of eval apart.
        os.utime(folder / inputs / "inputs" / name, (_WRITTEN, _WRITTEN))

"""The data of the depth challenges: rendered rooms, and a real scene in tiles.

`build` makes the full size (96 ranked pictures of 448 × 448), `build_small` the sample event's (48 of
96 × 96, in about two seconds). A rendered scene has seeds of its own and belongs to one split.

The motorcycle is in none of the photographs event's other challenges (`photographs.data`): its pictures
are published here as inputs, and would there be the hidden truth.

Anybody can run this code, so this data shows and rehearses. For prizes, copy the folder and change
`SEED`: the scenes are then known to you alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from goat.records import Split
from scoring_service.events.library.dataset import Pair, write_dataset
from scoring_service.events.library.depth import motorcycle
from scoring_service.events.library.depth.render import render
from scoring_service.events.library.depth.scene import random_scene

SEED = 2026


def build(folder: Path, *, sample: int = 24, public: int = 48, private: int = 48, size: int = 448) -> None:
    """Write the dataset into ``folder`` (new or empty); the counts are pictures, two of them real.

    Inputs are uint8 (3, size, size), truth is float32 (1, size, size) in metres. The same versions of
    the wheels give the same bytes on every machine. The full size takes 170 MB and a minute or two.
    Raises `goat.errors.Invalid` if the wheel of scikit-image is missing.
    """
    counts: dict[Split, int] = {"sample": sample, "public": public, "private": private}
    pairs = {split: _pairs(split, count, size) for split, count in counts.items()}
    write_dataset(folder, pairs, counts, seed=SEED)


def build_small(folder: Path) -> None:
    """As `build`, with pictures of 96 × 96, 64 of them to learn from: 7 MB in about three seconds."""
    build(folder, sample=64, public=24, private=24, size=96)


def _pairs(split: Split, count: int, size: int) -> Iterator[Pair]:
    real = motorcycle.tiles(split, size)
    yield from real
    for number in range(count - len(real)):
        yield render(random_scene(SEED, *split.encode(), number), size)

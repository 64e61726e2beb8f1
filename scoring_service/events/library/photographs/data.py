"""The data of the sample event: nineteen photographs and textures, cut into tiles and damaged.

NOTICE. The images ship inside the wheels of scikit-image and scikit-learn and are not redistributed
by us; see `scoring_service.events.library.wheel_images`. Since anyone can find the originals there,
this event shows and rehearses; for prizes, bring images that nobody has.

Each photograph is scaled to a grid of 96 × 96 tiles and belongs to one split with all its tiles, so
no split gives away another. Every photograph gets all levels of damage in turn, and colour, grey,
texture and science are dealt out so that public and private are alike in difficulty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from goat.records import Split
from scoring_service.events.library import wheel_images
from scoring_service.events.library.dataset import Pair, write_dataset
from scoring_service.events.library.photographs.damage import LEVELS, damaged

TILE = 96
SEED = 2026


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image of the wheels, the split that it belongs to, and its grid of tiles."""

    file: str
    split: Split
    columns: int = 3
    rows: int = 2

    @property
    def tiles(self) -> int:
        return self.columns * self.rows

    def rng(self, purpose: int) -> np.random.Generator:
        """A generator of its own per photograph and purpose: adding one leaves the others as they are."""
        return np.random.default_rng([SEED, crc32(self.file.encode()), purpose])


# The motorcycle pair is an input of the event's depth challenge, hence published, and must not be hidden
# truth here. Drawings and computed images (logo, colour wheel, phantom, chessboards) are no photographs.
PHOTOGRAPHS: tuple[Photograph, ...] = (
    Photograph("skimage/chelsea.png", "sample"),
    Photograph("skimage/camera.png", "sample"),
    Photograph("skimage/brick.png", "sample"),
    Photograph("skimage/ihc.png", "sample"),
    Photograph("skimage/astronaut.png", "public"),
    Photograph("sklearn/china.jpg", "public"),
    Photograph("sklearn/flower.jpg", "public"),
    Photograph("skimage/clock_motion.png", "public"),
    Photograph("skimage/coins.png", "public"),
    Photograph("skimage/moon.png", "public"),
    Photograph("skimage/gravel.png", "public"),
    Photograph("skimage/hubble_deep_field.jpg", "public"),
    Photograph("skimage/coffee.png", "private", columns=4, rows=3),
    Photograph("skimage/rocket.jpg", "private"),
    Photograph("skimage/cell.png", "private"),
    Photograph("skimage/page.png", "private", columns=4, rows=2),
    Photograph("skimage/text.png", "private", columns=4, rows=1),
    Photograph("skimage/grass.png", "private"),
    Photograph("skimage/retina.jpg", "private"),
)


def build(folder: Path) -> None:
    """Write the dataset into ``folder`` (new or empty): 24 sample, 48 public and 48 private tiles.

    Every tile is float32 of shape (3, 96, 96) in [0, 1]. The same versions of the wheels give the
    same bytes. About 27 MB. Raises `goat.errors.Invalid` if a wheel is missing.
    """
    splits: tuple[Split, ...] = ("sample", "public", "private")
    counts: dict[Split, int] = {s: sum(p.tiles for p in PHOTOGRAPHS if p.split == s) for s in splits}
    write_dataset(folder, {split: _pairs(split) for split in splits}, counts, seed=SEED)


def tiles(photograph: Photograph) -> list[NDArray[np.float32]]:
    """The tiles of one photograph, row by row: float32 of shape (3, 96, 96) in [0, 1]."""
    image = wheel_images.load(photograph.file, photograph.columns * TILE, photograph.rows * TILE)
    channels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255.0)
    return [
        np.ascontiguousarray(channels[:, y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE])
        for y in range(photograph.rows)
        for x in range(photograph.columns)
    ]


def _pairs(split: Split) -> Iterator[Pair]:
    for photograph in PHOTOGRAPHS:
        if photograph.split != split:
            continue
        order = photograph.rng(0).permutation(photograph.tiles)
        for index, truth in enumerate(tiles(photograph)):
            level = LEVELS[order[index] % len(LEVELS)]
            yield damaged(truth, level, photograph.rng(1 + index)), truth

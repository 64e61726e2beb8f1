"""The truth to compare with: read once, kept in memory, shared by all evaluations of a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goat.errors import Rejection
from goat.readers.pt import read_pt

CACHE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of one split."""

    values: NDArray[Any]
    """(count, *shape), read-only; whatever a sample's truth is: an image, a map, a label."""
    rows: dict[str, int]
    """File name → row."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        image: NDArray[Any] = self.values[self.rows[name]]
        return image


class TruthCache:
    """Truth by folder, the least recently used dropped when more than ``max_bytes`` are held."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[tuple[Path, str, tuple[int, ...]], Truth] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: Path, *, shape: tuple[int, ...], dtype: str) -> Truth:
        """Truth of a folder of `.pt` files; read at the first call (content never changes, see
        `goat.kinds.base.Data.part`)."""
        key = (folder, dtype, shape)
        with self._lock:
            truth = self._held.get(key)
            if truth is None:
                truth = self._held[key] = read_truth(folder, shape=shape, dtype=dtype)
            self._held.move_to_end(key)
            while len(self._held) > 1 and self._bytes() > self._max_bytes:
                self._held.popitem(last=False)
        return truth

    def _bytes(self) -> int:
        return sum(truth.values.nbytes for truth in self._held.values())


def read_truth(folder: Path, *, shape: tuple[int, ...], dtype: str) -> Truth:
    """Read a folder of truth, one `.pt` file of that shape and dtype per sample.

    Raises ValueError if one is not as declared, OSError if unreadable: the organiser's fault, never
    the participant's.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix == ".pt")
    images = np.empty((len(files), *shape), dtype)
    for row, path in enumerate(files):
        try:
            image = read_pt(path)
        except Rejection as error:  # must not become the verdict on a participant's submission
            raise ValueError(f"truth {path.name} cannot be read: {error}") from error
        if image.shape != shape or image.dtype != dtype:
            raise ValueError(f"truth {path.name} is {image.dtype}{image.shape}")
        images[row] = image
    if images.dtype == np.float32 and not np.isfinite(images).all():
        raise ValueError(f"truth in {folder.name} has values that are not finite")
    images.flags.writeable = False
    return Truth(images, {path.name: row for row, path in enumerate(files)})


CACHE = TruthCache(CACHE_BYTES)

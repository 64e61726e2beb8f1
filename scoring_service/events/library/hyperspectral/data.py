"""The data of the full-size event: cubes of 29 spectral bands, as a line scanner would see them.

NOTICE. The scenes are photographs that ship inside the wheels of scikit-image and scikit-learn and
are not redistributed by us; see `scoring_service.events.library.wheel_images`.

The spectra are synthetic. Each pixel's red, green and blue become a smooth reflectance over 420 to
700 nm; two absorption features, different for every photograph, are mixed in by smooth maps of the
scene. A scene belongs to the split of its photograph, so no split gives away another.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goat.records import Split
from scoring_service.events.library import wheel_images
from scoring_service.events.library.dataset import Pair, write_dataset
from scoring_service.events.library.photographs.data import PHOTOGRAPHS, TILE, Photograph

BANDS = 29
WAVELENGTHS = np.linspace(420.0, 700.0, BANDS)
"""Centre of each band in nm."""

SEED = 29
_SCENE = (480, 320)  # width and height that a photograph is scaled to before scenes are cut from it
_STORED_LEVELS = 4095  # the scanner stores 12 bits

Cube = NDArray[np.float32]


def build(folder: Path, *, sample: int = 24, public: int = 150, private: int = 150) -> None:
    """Write the dataset into ``folder`` (new or empty); the counts say how many cubes a split has.

    Every cube is float32 of shape (29, 96, 96) in [0, 1], 1.02 MiB; the full event takes 700 MB.
    The same versions of the wheels give the same bytes. Raises `goat.errors.Invalid` if a wheel is
    missing.
    """
    counts: dict[Split, int] = {"sample": sample, "public": public, "private": private}
    pairs = {split: _pairs(split, count) for split, count in counts.items()}
    write_dataset(folder, pairs, counts, seed=SEED)


def spectra(scene: NDArray[np.float32], rng: np.random.Generator) -> Cube:
    """The spectra of a scene. scene: (3, height, width) in [0, 1]; returns (29, height, width), likewise."""
    reflectance = np.tensordot(_primaries(), scene, axes=1)
    for _ in range(2):
        centre, width, depth = rng.uniform(450, 680), rng.uniform(15, 40), rng.uniform(0.2, 0.5)
        feature = depth * np.exp(-0.5 * np.square((WAVELENGTHS - centre) / width))
        reflectance *= 1.0 - feature[:, None, None] * _smooth(scene[rng.integers(3)])
    return _stored(reflectance)


def scanned(truth: Cube, rng: np.random.Generator) -> Cube:
    """What the line scanner delivers of a cube, same shape and range.

    Every column of every band has a detector of its own: each has a slightly different gain (which
    makes stripes), a few are dead, and those at the ends of the spectrum are noisier. Whole pixels
    get lost on the way. A lost value is 0, a measured one never.
    """
    bands, height, width = truth.shape
    gain = rng.normal(1.0, 0.02, (bands, 1, width))
    edge = np.square(np.linspace(-1.0, 1.0, bands))[:, None, None]
    strength = rng.uniform(0.5, 1.5)
    deviation = strength * np.sqrt(np.square(0.015 + 0.035 * edge) + 0.03**2 * truth)
    values = gain * truth + deviation * rng.standard_normal(truth.shape, dtype=np.float32)
    stored = np.clip(values, 1.0 / _STORED_LEVELS, 1.0)
    stored[np.broadcast_to(rng.random((bands, 1, width)) < 0.03, truth.shape)] = 0.0
    stored[:, rng.random((height, width)) < 0.02] = 0.0
    return _stored(stored)


def _pairs(split: Split, count: int) -> Iterator[Pair]:
    photographs = [photograph for photograph in PHOTOGRAPHS if photograph.split == split]
    images = [_image(photograph) for photograph in photographs]
    for index in range(count):
        which = index % len(photographs)
        rng = np.random.default_rng([SEED, *split.encode(), index])
        scene = _scene(images[which], rng)
        # The absorption features are the photograph's, the cut of the scene is the cube's.
        truth = spectra(scene, photographs[which].rng(29))
        yield scanned(truth, rng), truth


def _image(photograph: Photograph) -> NDArray[np.float32]:
    pixels = np.asarray(wheel_images.load(photograph.file, *_SCENE), dtype=np.float32)
    return pixels.transpose(2, 0, 1) / np.float32(255.0)


def _scene(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random cut of 96 × 96 pixels, turned and mirrored at random."""
    y = rng.integers(image.shape[1] - TILE + 1)
    x = rng.integers(image.shape[2] - TILE + 1)
    cut = np.rot90(image[:, y : y + TILE, x : x + TILE], k=int(rng.integers(4)), axes=(1, 2))
    return cut[:, :, ::-1] if rng.random() < 0.5 else cut


def _primaries() -> NDArray[np.float64]:
    """(29, 3): how much of red, green and blue each band sees; rows sum to 1, so grey stays grey."""
    centres = np.array([630.0, 540.0, 460.0])
    weights = np.exp(-0.5 * np.square((WAVELENGTHS[:, None] - centres) / 35.0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _smooth(channel: NDArray[np.float32]) -> NDArray[np.float64]:
    """A slowly varying map of a channel: its low frequencies, clipped to [0, 1]."""
    spectrum = np.fft.rfft2(channel)
    spectrum[4:-3] = 0
    spectrum[:, 4:] = 0
    return np.clip(np.fft.irfft2(spectrum, s=channel.shape), 0.0, 1.0)


def _stored(values: NDArray[np.floating]) -> Cube:
    cube: Cube = (np.rint(values * _STORED_LEVELS) / _STORED_LEVELS).astype(np.float32)
    return cube

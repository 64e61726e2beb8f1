"""Colours over a surface: patterns and a noise made of integer hashes, exact on every machine.

A texture takes points (3, N) in metres, in the frame of its solid, or (across, along, 0) on a wall or
floor, and gives linear colours (3, N) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring_service.events.library.depth.shapes import Floats, Vectors

Colour = tuple[float, float, float]

_PRIMES = (0x8DA6B343, 0xD8163841, 0xCB1AB31F)


@dataclass(frozen=True, slots=True)
class Texture:
    """Two colours and a pattern that says where there is how much of the second."""

    pattern: str
    """A name in `PATTERNS`."""
    first: Colour
    second: Colour
    scale: float
    """Size of the pattern's period, in metres."""
    seed: int

    def __call__(self, point: Vectors) -> Vectors:
        share = PATTERNS[self.pattern](point / np.float32(self.scale), self.seed)
        first, second = (np.array(c, np.float32)[:, None] for c in (self.first, self.second))
        colours: Vectors = first + share * (second - first)
        return colours


def scatter(cells: NDArray[np.int32], seed: int) -> Floats:
    """A number in [0, 1) per cell (3, N) of a grid, the same for the same cell and seed."""
    key = np.full(cells.shape[1], seed & 0xFFFFFFFF, np.uint32)
    for row, prime in zip(cells.view(np.uint32), _PRIMES, strict=True):
        key ^= row * np.uint32(prime)
    key ^= key >> np.uint32(15)
    key *= np.uint32(0x2C1B3C6D)
    key ^= key >> np.uint32(12)
    key *= np.uint32(0x297A2D39)
    key ^= key >> np.uint32(15)
    return (key >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def noise(point: Vectors, seed: int) -> Floats:
    """Smooth noise in [0, 1): random values on a grid of edge 1, blended between."""
    cell = np.floor(point)
    x, y, z = point - cell
    x, y, z = (w * w * (np.float32(3.0) - np.float32(2.0) * w) for w in (x, y, z))
    corner = cell.astype(np.int32)

    def at(i: int, j: int, k: int) -> Floats:
        return scatter(corner + np.array([[i], [j], [k]], np.int32), seed)

    def blend(a: Floats, b: Floats, w: Floats) -> Floats:
        mixed: Floats = a + w * (b - a)
        return mixed

    near, far = (
        blend(blend(at(0, 0, k), at(1, 0, k), x), blend(at(0, 1, k), at(1, 1, k), x), y) for k in (0, 1)
    )
    return blend(near, far, z)


def _plain(point: Vectors, seed: int) -> Floats:
    cloudy: Floats = np.float32(0.35) * noise(point, seed)
    return cloudy


def _stone(point: Vectors, seed: int) -> Floats:
    rough: Floats = np.float32(0.6) * noise(point, seed) + np.float32(0.4) * noise(point * 4, seed + 1)
    return rough


def _checks(point: Vectors, seed: int) -> Floats:
    # A little off the grid: the faces of a box would lie exactly on a border.
    cell = np.floor(point + np.float32(0.013)).astype(np.int32)
    return np.asarray((cell[0] + cell[1] + cell[2]) & 1, np.float32)


def _stripes(point: Vectors, seed: int) -> Floats:
    return np.asarray(np.floor(point[seed % 2] * 2).astype(np.int32) & 1, np.float32)


def _wood(point: Vectors, seed: int) -> Floats:
    bent = point[0] + np.float32(0.4), point[2] + np.float32(0.2)
    rings = np.sqrt(bent[0] * bent[0] + bent[1] * bent[1]) * 4 + np.float32(1.5) * noise(point, seed)
    return np.asarray(np.abs(rings - np.floor(rings) - np.float32(0.5)) * 2, np.float32)


def _planks(point: Vectors, seed: int) -> Floats:
    across = np.floor(point[0])
    shift = scatter(_cells(across), seed)
    along = np.floor(point[1] / 6 + shift)
    shade = scatter(_cells(across, along), seed + 1)
    grain = noise(np.stack([point[0] * 6, point[1] / 2, across]), seed + 2)
    joint = (point[0] - across < 0.05).astype(np.float32)
    return np.asarray(np.maximum(np.float32(0.55) * shade + np.float32(0.3) * grain, joint), np.float32)


def _bricks(point: Vectors, seed: int) -> Floats:
    row = np.floor(point[1] * 2)
    shifted = point[0] + np.where(row.astype(np.int32) & 1, np.float32(0.5), np.float32(0))
    column = np.floor(shifted)
    mortar = (point[1] * 2 - row < 0.12) | (shifted - column < 0.06)
    shade = np.float32(0.5) * scatter(_cells(column, row), seed)
    return np.asarray(np.maximum(shade, mortar), np.float32)


def _cells(*axes: Floats) -> NDArray[np.int32]:
    rows = [axis.astype(np.int32) for axis in axes]
    return np.stack([*rows, *[np.zeros_like(rows[0])] * (3 - len(rows))])


PATTERNS: dict[str, Callable[[Vectors, int], Floats]] = {
    "plain": _plain,
    "stone": _stone,
    "checks": _checks,
    "stripes": _stripes,
    "wood": _wood,
    "planks": _planks,
    "bricks": _bricks,
}
"""How much of the second colour, from points in periods and a seed."""

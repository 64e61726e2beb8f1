"""Solids in their own frame, and where a ray meets them: closed forms, and one distance field.

Everything here and in `textures` and `render` is made of +, −, ×, ÷, √, comparisons and integer
arithmetic, element by element. Those are exact to the last bit by IEEE 754, so every machine renders the
same bytes. Sums over arrays, matrix products, sines and powers are not, and are left out for that reason.

Vectors are float32 arrays of shape (3, N): x to the right, y up, z into the room, in metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Vectors = NDArray[np.float32]

EPSILON = 1e-3
"""A ray that starts on a surface does not meet it again within a millimetre."""

_TINY = np.float32(1e-9)


class Shape(Protocol):
    """A solid around the origin of its own frame."""

    @property
    def reach(self) -> float:
        """Radius of a ball around the origin that holds it."""
        ...

    @property
    def bottom(self) -> float:
        """How far below the origin it stands on the floor."""
        ...

    def hit(self, origin: Vectors, direction: Vectors) -> Floats:
        """How many directions away each ray enters it (N,); infinite where it does not."""
        ...

    def normal(self, point: Vectors) -> Vectors:
        """Outward unit normals at points of its surface."""
        ...


def dot(a: Vectors, b: Vectors) -> Floats:
    products: Floats = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return products


def unit(vectors: Vectors) -> Vectors:
    """The same directions with length 1."""
    return np.asarray(vectors / np.sqrt(dot(vectors, vectors)), np.float32)


def meets_ball(origin: Vectors, direction: Vectors, reach: float) -> NDArray[np.bool_]:
    """Which rays may meet a ball around the origin: never False where one does."""
    along, far = dot(origin, direction), dot(origin, origin) - reach * reach
    inside_or_ahead = (far <= 0) | (along < 0)
    return np.asarray(inside_or_ahead & (along * along >= dot(direction, direction) * far))


@dataclass(frozen=True, slots=True)
class Sphere:
    radius: float

    @property
    def reach(self) -> float:
        return self.radius

    @property
    def bottom(self) -> float:
        return self.radius

    def hit(self, origin: Vectors, direction: Vectors) -> Floats:
        a, b = dot(direction, direction), dot(origin, direction)
        first, _ = _roots(a, b, dot(origin, origin) - self.radius * self.radius)
        return _ahead(first)

    def normal(self, point: Vectors) -> Vectors:
        return unit(point)


@dataclass(frozen=True, slots=True)
class Box:
    half: tuple[float, float, float]
    """Half of its width, height and depth."""

    @property
    def reach(self) -> float:
        x, y, z = self.half
        return float(np.sqrt(x * x + y * y + z * z))

    @property
    def bottom(self) -> float:
        return self.half[1]

    def hit(self, origin: Vectors, direction: Vectors) -> Floats:
        half = self._half()
        slope = np.where(np.abs(direction) < _TINY, _TINY, direction)
        one, other = (-half - origin) / slope, (half - origin) / slope
        enter = np.minimum(one, other).max(axis=0)
        leave = np.maximum(one, other).min(axis=0)
        return np.where(enter <= leave, _ahead(enter), np.float32(np.inf))

    def normal(self, point: Vectors) -> Vectors:
        relative = point / self._half()
        size = np.abs(relative)
        return np.where(size == size.max(axis=0), np.sign(relative), np.float32(0.0))

    def _half(self) -> Floats:
        return np.array(self.half, np.float32)[:, None]


@dataclass(frozen=True, slots=True)
class Cylinder:
    radius: float
    half: float
    """Half of its height; it stands upright."""

    @property
    def reach(self) -> float:
        return float(np.sqrt(self.radius * self.radius + self.half * self.half))

    @property
    def bottom(self) -> float:
        return self.half

    def hit(self, origin: Vectors, direction: Vectors) -> Floats:
        a = direction[0] * direction[0] + direction[2] * direction[2]
        b = origin[0] * direction[0] + origin[2] * direction[2]
        c = origin[0] * origin[0] + origin[2] * origin[2] - self.radius * self.radius
        first, _ = _roots(np.maximum(a, _TINY), b, c)
        side = np.where(np.abs(origin[1] + first * direction[1]) <= self.half, first, np.float32(np.inf))
        top = _disc(origin, direction, self.half, self.radius)
        base = _disc(origin, direction, -self.half, self.radius)
        return np.minimum(np.minimum(_ahead(side), top), base)

    def normal(self, point: Vectors) -> Vectors:
        flat = np.abs(point[1]) > self.half - EPSILON
        nothing = np.zeros_like(point[1])
        side = np.stack([point[0], nothing, point[2]]) / np.float32(self.radius)
        return np.where(flat, np.stack([nothing, np.sign(point[1]), nothing]), side)


@dataclass(frozen=True, slots=True)
class Cone:
    radius: float
    """Of its base, which is below."""
    half: float
    """Half of its height."""

    @property
    def reach(self) -> float:
        return float(np.sqrt(self.radius * self.radius + self.half * self.half))

    @property
    def bottom(self) -> float:
        return self.half

    def hit(self, origin: Vectors, direction: Vectors) -> Floats:
        slope = self.radius / (2 * self.half)
        slope = slope * slope
        below = origin[1] - self.half  # the tip is at 0 of this axis
        a = direction[0] * direction[0] + direction[2] * direction[2] - slope * direction[1] * direction[1]
        b = origin[0] * direction[0] + origin[2] * direction[2] - slope * below * direction[1]
        c = origin[0] * origin[0] + origin[2] * origin[2] - slope * below * below
        nearest = _disc(origin, direction, -self.half, self.radius)
        for root in _roots(np.where(np.abs(a) < _TINY, _TINY, a), b, c):
            height = origin[1] + root * direction[1]
            side = np.where(np.abs(height) <= self.half, _ahead(root), np.float32(np.inf))
            nearest = np.minimum(nearest, side)
        return nearest

    def normal(self, point: Vectors) -> Vectors:
        across = np.sqrt(point[0] * point[0] + point[2] * point[2])
        rise = np.maximum(across, EPSILON) * np.float32(self.radius / (2 * self.half))
        side = unit(np.stack([point[0], rise, point[2]]))
        down = np.stack([np.zeros_like(rise), -np.ones_like(rise), np.zeros_like(rise)])
        return np.where(point[1] < EPSILON - self.half, down, side)


@dataclass(frozen=True, slots=True)
class Torus:
    ring: float
    """From the middle of the hole to the middle of the tube."""
    tube: float
    standing: bool = False
    """Like a wheel; else it lies flat."""

    @property
    def reach(self) -> float:
        return self.ring + self.tube

    @property
    def bottom(self) -> float:
        return self.ring + self.tube if self.standing else self.tube

    def hit(self, origin: Vectors, direction: Vectors) -> Floats:
        """By walking as far as its distance field allows, which meets any smooth solid."""
        a, b = dot(direction, direction), dot(origin, direction)
        enter, leave = _roots(a, b, dot(origin, origin) - self.reach * self.reach)
        length, origin = np.sqrt(a), np.broadcast_to(origin, direction.shape)
        leave = np.where(leave < np.inf, leave, np.float32(0))
        way = np.minimum(np.maximum(enter, np.float32(10 * EPSILON)), leave)
        walking = np.nonzero(way < leave)[0]
        close = np.zeros(len(way), np.bool_)
        for _ in range(200):  # rays that graze it take short steps, and are few
            point = origin[:, walking] + way[walking] * direction[:, walking]
            distance = self._distance(np.asarray(point, np.float32))
            way[walking] += distance / length[walking]
            close[walking] = distance < EPSILON / 2
            walking = walking[~close[walking] & (way[walking] < leave[walking])]
            if not len(walking):
                break
        return np.where(close & (way < leave), way, np.float32(np.inf))

    def normal(self, point: Vectors) -> Vectors:
        x, y, z = self._lying(point)
        away = np.float32(1.0) - np.float32(self.ring) / np.sqrt(x * x + z * z)
        normal = np.stack([x * away, y, z * away])
        return unit(self._lying(normal))

    def _distance(self, point: Vectors) -> Floats:
        x, y, z = self._lying(point)
        across = np.sqrt(x * x + z * z) - self.ring
        distance: Floats = np.sqrt(across * across + y * y) - np.float32(self.tube)
        return distance

    def _lying(self, point: Vectors) -> Vectors:
        """Its axis along y; the same function turns back."""
        return point[[0, 2, 1]] if self.standing else point


def _roots(a: Floats, b: Floats, c: Floats) -> tuple[Floats, Floats]:
    """Both solutions of a·t² + 2·b·t + c = 0, the smaller first; infinite where there are none."""
    under = b * b - a * c
    root = np.sqrt(np.maximum(under, np.float32(0.0)))
    one, other = (-b - root) / a, (-b + root) / a
    none = under < 0
    infinite = np.float32(np.inf)
    return (
        np.where(none, infinite, np.minimum(one, other)),
        np.where(none, infinite, np.maximum(one, other)),
    )


def _disc(origin: Vectors, direction: Vectors, height: float, radius: float) -> Floats:
    """Where rays meet a horizontal disc."""
    slope = np.where(np.abs(direction[1]) < _TINY, _TINY, direction[1])
    way = (height - origin[1]) / slope
    x, z = origin[0] + way * direction[0], origin[2] + way * direction[2]
    return np.where(x * x + z * z <= radius * radius, _ahead(way), np.float32(np.inf))


def _ahead(way: Floats) -> Floats:
    return np.where(way > EPSILON, way, np.float32(np.inf))

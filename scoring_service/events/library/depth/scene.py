"""What is in a scene: a room, solids that stand in it, a sun and a camera; and scenes by chance.

    scene = random_scene(2026, 7)      # the same seeds give the same scene

The room has its floor at y = 0 and the camera near z = 0, looking along z. Rooms differ in size, colour
and pattern, cameras in height, tilt and angle of view, so that no single row of the picture tells the
depth: perspective, contact with the floor, texture, known shapes and shadows have to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from scoring_service.events.library.depth.shapes import Box, Cone, Cylinder, Shape, Sphere, Torus
from scoring_service.events.library.depth.textures import Colour, Texture

T = TypeVar("T")

Vector = tuple[float, float, float]

COLOURS: tuple[Colour, ...] = (
    (0.80, 0.78, 0.72), (0.62, 0.55, 0.44), (0.36, 0.24, 0.15), (0.55, 0.12, 0.09), (0.78, 0.38, 0.10),
    (0.82, 0.66, 0.20), (0.34, 0.45, 0.16), (0.12, 0.32, 0.20), (0.14, 0.42, 0.48), (0.16, 0.26, 0.52),
    (0.30, 0.18, 0.42), (0.66, 0.36, 0.42), (0.20, 0.20, 0.22), (0.45, 0.47, 0.50), (0.88, 0.86, 0.82),
)  # fmt: skip
"""Linear colours of paint, wood and cloth."""


class Dice:
    """Chance from seeds. Its arithmetic is Python's own: a compiler that fuses × and + changes nothing."""

    def __init__(self, *seeds: int) -> None:
        self._random = np.random.default_rng(seeds)

    def between(self, low: float, high: float) -> float:
        share = self._random.random()
        return low + (high - low) * share

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.integers(len(choices)))]

    def seed(self) -> int:
        return int(self._random.integers(1 << 31))


@dataclass(frozen=True, slots=True)
class Turn:
    """A rotation by its cosine and sine."""

    cos: float = 1.0
    sin: float = 0.0

    @classmethod
    def by(cls, half_tangent: float) -> Turn:
        """From the tangent of half the angle, which needs no sine: ±1 is a quarter turn."""
        square = half_tangent * half_tangent
        return cls((1 - square) / (1 + square), 2 * half_tangent / (1 + square))


@dataclass(frozen=True, slots=True)
class Solid:
    shape: Shape
    texture: Texture
    place: Vector
    turn: Turn = Turn()
    """Around its upright axis."""


@dataclass(frozen=True, slots=True)
class Room:
    width: float
    """Both side walls are half of it away from x = 0."""
    height: float
    depth: float
    """Where the back wall is."""
    floor: Texture
    walls: Texture
    ceiling: Texture


@dataclass(frozen=True, slots=True)
class Camera:
    height: float
    pan: Turn
    tilt: Turn
    """Downwards."""
    roll: Turn
    view: float
    """Tangent of half its angle of view."""
    noise: float
    """Standard deviation of the sensor's noise, in its range [0, 1]."""


@dataclass(frozen=True, slots=True)
class Light:
    towards: Vector
    """From a surface to the sun, which shines through walls: only solids cast shadows."""
    spread: float
    """Width of the sun: 0 makes hard shadows."""
    sun: float
    ambient: float


@dataclass(frozen=True, slots=True)
class Scene:
    room: Room
    solids: tuple[Solid, ...]
    light: Light
    camera: Camera
    seed: int
    """Of the sensor's noise and the sun's spread."""
    haze: float = 0.0
    """Share of the light lost in the first metre of fog; off unless asked for."""


def random_scene(*seeds: int) -> Scene:
    """A scene by chance: a furnished room with some solids on the floor, on each other, on the wall."""
    dice = Dice(*seeds)
    room = _room(dice)
    camera = Camera(
        height=dice.between(1.0, 1.7),
        pan=Turn.by(dice.between(-0.1, 0.1)),
        tilt=Turn.by(dice.between(0.02, 0.14)),
        roll=Turn.by(dice.between(-0.02, 0.02)),
        view=dice.between(0.55, 0.72),
        noise=dice.between(0.006, 0.02),
    )
    light = Light(
        towards=(dice.between(-1.0, 1.0), dice.between(0.9, 1.8), dice.between(-1.0, 0.3)),
        spread=dice.between(0.03, 0.15),
        sun=dice.between(0.6, 1.1),
        ambient=dice.between(0.3, 0.5),
    )
    solids = (*_standing(dice, room, camera.view), *_hanging(dice, room))
    return Scene(room, solids, light, camera, dice.seed())


def _room(dice: Dice) -> Room:
    light_colours = (COLOURS[0], COLOURS[1], COLOURS[13], COLOURS[14])
    return Room(
        width=dice.between(4.0, 7.0),
        height=dice.between(2.4, 3.6),
        depth=dice.between(4.5, 8.5),
        floor=_texture(dice, ("planks", "planks", "checks", "stone", "plain"), dice.between(0.25, 0.7)),
        walls=_texture(dice, ("bricks", "plain", "stone", "stripes"), dice.between(0.3, 0.8)),
        ceiling=Texture("plain", dice.pick(light_colours), dice.pick(light_colours), 0.5, dice.seed()),
    )


def _standing(dice: Dice, room: Room, view: float) -> list[Solid]:
    """Solids on the floor that do not run into each other, some with a smaller one on top."""
    solids: list[Solid] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(6 + int(dice.between(0, 6))):
        shape = _shape(dice, dice.between(0.18, 0.6))
        z = dice.between(1.3 + shape.reach, room.depth - shape.reach)
        side = min(0.9 * view * z, room.width / 2 - shape.reach)
        x = dice.between(-side, side)
        if any((x - a) * (x - a) + (z - b) * (z - b) < (shape.reach + r) ** 2 for a, b, r in taken):
            continue
        taken.append((x, z, shape.reach))
        solids.append(Solid(shape, _paint(dice), (x, shape.bottom, z), Turn.by(dice.between(-1, 1))))
        if isinstance(shape, Box | Cylinder) and dice.chance(0.4):
            upper = _shape(dice, dice.between(0.1, 0.2))
            above = 2 * shape.bottom + upper.bottom
            solids.append(Solid(upper, _paint(dice), (x, above, z), Turn.by(dice.between(-1, 1))))
    return solids


def _hanging(dice: Dice, room: Room) -> list[Solid]:
    """Up to two pictures on the back wall: seen, but hardly in front of it."""
    pictures = []
    for _ in range(int(dice.between(0, 3))):
        half = (dice.between(0.2, 0.7), dice.between(0.2, 0.5), 0.02)
        x = dice.between(half[0] - room.width / 2, room.width / 2 - half[0])
        pictures.append(Solid(Box(half), _paint(dice), (x, dice.between(1.2, 1.8), room.depth - 0.02)))
    return pictures


def _shape(dice: Dice, size: float) -> Shape:
    kind = dice.pick(("sphere", "box", "box", "cylinder", "cylinder", "cone", "torus"))
    if kind == "sphere":
        return Sphere(size)
    if kind == "box":
        return Box((size * dice.between(0.5, 1), size * dice.between(0.4, 1.6), size * dice.between(0.5, 1)))
    if kind == "cylinder":
        return Cylinder(size * dice.between(0.3, 0.8), size * dice.between(0.5, 1.6))
    if kind == "cone":
        return Cone(size * dice.between(0.5, 1), size * dice.between(0.7, 1.3))
    return Torus(0.7 * size, size * dice.between(0.15, 0.3), standing=dice.chance(0.5))


def _paint(dice: Dice) -> Texture:
    return _texture(
        dice, ("plain", "plain", "checks", "stripes", "wood", "stone", "bricks"), dice.between(0.1, 0.35)
    )


def _texture(dice: Dice, patterns: Sequence[str], scale: float) -> Texture:
    shade = dice.between(0.5, 1.1)
    first, second = dice.pick(COLOURS), dice.pick(COLOURS)
    pattern = dice.pick(patterns)
    # Two colours of a room or a thing are seldom far apart.
    red, green, blue = (shade * (0.45 * a + 0.55 * b) for a, b in zip(first, second, strict=True))
    return Texture(pattern, first, (min(red, 1.0), min(green, 1.0), min(blue, 1.0)), scale, dice.seed())

"""The renderer: what it says is how far away, is; and every machine renders the same bytes."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring_service.events.library.depth.render import render
from scoring_service.events.library.depth.scene import (
    Camera,
    Light,
    Room,
    Scene,
    Solid,
    Turn,
    random_scene,
)
from scoring_service.events.library.depth.shapes import Box, Cone, Cylinder, Shape, Sphere, Torus, dot, unit
from scoring_service.events.library.depth.textures import PATTERNS, Texture

GREY = Texture("plain", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 1.0, 0)
ROOM = Room(width=6.0, height=3.0, depth=5.0, floor=GREY, walls=GREY, ceiling=GREY)
STRAIGHT = Camera(height=1.5, pan=Turn(), tilt=Turn(), roll=Turn(), view=0.5, noise=0.0)
SHAPES: tuple[Shape, ...] = (
    Sphere(0.5),
    Box((0.4, 0.3, 0.5)),
    Cylinder(0.4, 0.5),
    Cone(0.5, 0.4),
    Torus(0.4, 0.15),
    Torus(0.4, 0.15, standing=True),
)


def scene(*solids: Solid, light: float = 1.0) -> Scene:
    return Scene(ROOM, solids, Light((0.0, 1.0, 0.0), 0.0, light, 0.4), STRAIGHT, seed=1)


def rays(count: int = 4000) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rays from all sides that pass near the origin."""
    rng = np.random.default_rng(0)
    origin = 3 * unit(rng.normal(size=(3, count)).astype(np.float32))
    target = rng.uniform(-0.6, 0.6, (3, count)).astype(np.float32)
    return origin, (target - origin) * np.float32(0.3)


def inside(shape: Shape, point: NDArray[np.float32], margin: float) -> NDArray[np.bool_]:
    """Which points are deeper in a solid than ``margin``, from its definition."""
    x, y, z = point.astype(np.float64)
    across = np.hypot(x, z)
    if isinstance(shape, Sphere):
        return np.hypot(across, y) < shape.radius - margin
    if isinstance(shape, Box):
        a, b, c = (half - margin for half in shape.half)
        return (np.abs(x) < a) & (np.abs(y) < b) & (np.abs(z) < c)
    if isinstance(shape, Cylinder):
        return (across < shape.radius - margin) & (np.abs(y) < shape.half - margin)
    if isinstance(shape, Cone):
        edge = shape.radius * (shape.half - y) / (2 * shape.half)
        return (across < edge - 2 * margin) & (np.abs(y) < shape.half - margin)
    assert isinstance(shape, Torus)
    if shape.standing:
        across, y = np.hypot(x, y), z
    return np.hypot(across - shape.ring, y) < shape.tube - margin


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_ray_stops_where_it_enters_a_solid_and_nowhere_else(shape: Shape) -> None:
    origin, direction = rays()
    way = shape.hit(origin, direction)
    met = np.isfinite(way)
    assert 0.1 < met.mean() < 0.95
    # Just behind the surface is inside, nothing before it is, and who misses is never inside
    behind = (
        origin[:, met]
        + direction[:, met] * way[met]
        - np.float32(0.003) * shape.normal(origin[:, met] + direction[:, met] * way[met])
    )
    assert inside(shape, behind, 0.0).mean() > 0.99  # thin edges excepted
    until = np.where(met, way, np.float32(5))
    for share in np.linspace(0, 0.999, 60, dtype=np.float32):
        assert not inside(shape, origin + direction * (until * share), 5e-3).any()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normals_have_length_one_and_face_the_viewer(shape: Shape) -> None:
    origin, direction = rays()
    way = shape.hit(origin, direction)
    met = np.isfinite(way)
    normal = shape.normal(origin[:, met] + direction[:, met] * way[met])
    assert np.abs(np.sqrt(dot(normal, normal)) - 1).max() < 2e-3 or isinstance(shape, Box)
    assert (dot(normal, direction[:, met]) < 0.02).mean() > 0.995


def test_depth_is_measured_along_the_axis_of_the_camera() -> None:
    # Given a box whose front is 2 m away, a little left of the middle, before a wall at 5 m
    box = Solid(Box((0.3, 0.3, 0.5)), GREY, (-0.3, 1.5, 2.5))
    _, depth = render(scene(box), 64)
    # Then the whole front is at 2 m, not only its middle, and the wall at 5 m
    assert depth.dtype == np.float32
    assert depth[0, 32, 30] == depth[0, 24, 14] == pytest.approx(2.0)
    assert depth[0, 32, 60] == pytest.approx(5.0)
    assert depth[0, 63, 32] == pytest.approx(1.5 / 0.5, rel=0.02)  # the floor, 1.5 m below


def test_a_scene_is_the_same_at_every_size() -> None:
    small, large = (render(random_scene(5, 5), size)[1][0] for size in (48, 192))
    blocks = large.reshape(48, 4, 48, 4).min(axis=(1, 3))
    assert np.median(np.abs(blocks - small) / small) < 0.03


def test_solids_cast_shadows_and_the_sun_can_be_turned_off() -> None:
    ball = Solid(Sphere(0.3), GREY, (0.0, 1.0, 3.0))
    below = (slice(None), 63, 32)  # on the floor, right under the ball, 3 m away
    lit, shaded, dark = (render(s, 64)[0][below].mean() for s in (scene(), scene(ball), scene(light=0.0)))
    assert shaded < 0.8 * lit
    assert shaded == pytest.approx(dark, abs=2)


def test_haze_is_off_unless_asked_for_and_hides_what_is_far() -> None:
    clear = random_scene(4, 2)
    assert clear.haze == 0
    hazy = dataclasses.replace(clear, haze=5.0)
    assert np.ptp(render(hazy, 32)[0].astype(int)) < np.ptp(render(clear, 32)[0].astype(int))
    assert (render(hazy, 32)[1] == render(clear, 32)[1]).all()


def test_scenes_by_chance_differ_and_use_all_that_there_is() -> None:
    scenes = [random_scene(9, number) for number in range(60)]
    solids = [solid for one in scenes for solid in one.solids]
    assert {type(solid.shape) for solid in solids} == {Sphere, Box, Cylinder, Cone, Torus}
    textures = {solid.texture.pattern for solid in solids}
    textures |= {texture.pattern for one in scenes for texture in (one.room.floor, one.room.walls)}
    assert textures == set(PATTERNS)
    assert all(len(one.solids) >= 3 for one in scenes)
    assert len({render(one, 8)[0].tobytes() for one in scenes[:20]}) == 20


def test_every_machine_renders_the_same_bytes() -> None:
    """Pinned: the arithmetic is exact, so another digest here is another picture there, and a new data
    version for everybody. Change it only together with the pictures."""
    digest = hashlib.sha256()
    for number in range(4):
        image, depth = render(random_scene(2026, number), 48)
        assert image.dtype == np.uint8
        digest.update(image.tobytes() + depth.tobytes())
    assert digest.hexdigest() == "63ebbd1697083aabb72dd76610af0cfae03ae1a3d231e008629491fc70be6a28"

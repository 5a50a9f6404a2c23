"""
Draw a scene of CSS3D-R: a ray caster in NumPy, with soft shadows, no noise and no other library.

Every array of points or directions is float32 [3, N], one column per ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crosslens.sample.css3d_scenes import SIDE, Scene
from crosslens.values import Floats

COLOURS = {
    "gray": (87, 87, 87), "red": (173, 35, 35), "blue": (42, 75, 215), "green": (29, 105, 20),
    "brown": (129, 74, 25), "purple": (129, 38, 192), "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}  # fmt: skip
RADII = {"large": 0.72, "small": 0.38}
SPACING = 2.1
JITTER = 0.25
EYE, AIM = (0.0, -9.4, 6.3), (0.0, 0.05, 0.1)
HALF_HEIGHT = 0.315  # of the picture, at distance 1
GROUND = (0.46, 0.47, 0.50)
GAMMA = 0.8
SHINE, HARDNESS = 0.29, 32
NEAR, FAR = 1e-3, np.float32(60.0)
CORNER = 1.74  # how far a corner of a cube of radius 1 is from its middle

Rays: TypeAlias = Floats
Rng: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Lamp:
    """A round light: where, how strong, how wide; wide ones throw soft shadows."""

    place: tuple[float, float, float]
    strength: float
    width: float


LAMPS = (Lamp((-4.5, -4.0, 7.5), 0.78, 0.45), Lamp((6.0, -2.0, 5.0), 0.28, 0.3))


@dataclass(frozen=True, slots=True)
class Body:
    """A thing where it stands: middle, radius, turn about the upright axis, colour in 0..1."""

    shape: str
    middle: Floats
    radius: float
    turn: float
    colour: Floats

    @property
    def reach(self) -> float:
        """The radius of a ball around it."""
        return self.radius if self.shape == "sphere" else CORNER * self.radius


def draw(scene: Scene, rng: Rng, *, width: int, height: int, samples: int = 2) -> NDArray[np.uint8]:
    """
    Draw a scene: uint8 [height, width, 3].

    Args:
        rng: moves things, camera and lamps a little, so that no two pictures are equal.
        samples: rays per pixel and side; each sees its own point of the lamps.
    """
    bodies = _placed(scene, rng)
    eye, directions = _camera(rng, width, height, samples)
    distance, who = _seen(bodies, eye, directions)
    points = eye[:, None] + distance * directions
    normals, colours, light = _surface(bodies, points, who)
    shade = colours * light
    spread = np.tile(_spread(samples), width * height)
    for lamp in LAMPS:
        place = np.array(lamp.place, np.float32) + rng.uniform(-0.6, 0.6, 3).astype(np.float32)
        spots = place[:, None] + lamp.width * spread
        shade += _lit(bodies, points, normals, colours, who, directions, spots, lamp.strength)
    return _developed(shade, width, height, samples)


def _placed(scene: Scene, rng: Rng) -> list[Body]:
    bodies = []
    for thing in scene:
        row, column = divmod(thing.cell, SIDE)
        shift = rng.uniform(-JITTER, JITTER, 2)
        radius = RADII[thing.size]
        middle = ((column - 1) * SPACING + shift[0], (1 - row) * SPACING + shift[1], radius)
        colour = np.array(COLOURS[thing.colour], np.float32) / 255
        turn = float(rng.uniform(0, np.pi / 2))
        standing = np.array(middle, np.float32)
        bodies.append(Body(thing.shape, standing, radius, turn, colour.astype(np.float32)))
    return bodies


def _camera(rng: Rng, width: int, height: int, samples: int) -> tuple[Floats, Rays]:
    """Return where the camera is, and its rays: pixel by pixel, the samples of one together."""
    eye = np.array(EYE) + rng.uniform(-0.22, 0.22, 3)
    ahead = np.array(AIM) + rng.uniform(-0.05, 0.05, 3) - eye
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    across = (np.arange(width * samples) + 0.5) / (width * samples) * 2 - 1
    down = 1 - (np.arange(height * samples) + 0.5) / (height * samples) * 2
    x, y = np.meshgrid(across * HALF_HEIGHT * width / height, down * HALF_HEIGHT)
    grid = np.stack([x, y]).reshape(2, height, samples, width, samples)
    x, y = grid.transpose(0, 1, 3, 2, 4).reshape(2, -1)
    rays = ahead[:, None] + right[:, None] * x + up[:, None] * y
    rays /= np.sqrt((rays * rays).sum(0))
    return eye.astype(np.float32), rays.astype(np.float32)


def _seen(
    bodies: Sequence[Body], eye: Floats, directions: Rays
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distance to what each ray meets, and which body that is: -1 is the ground."""
    # The camera looks down so far that every ray meets the ground.
    distance = np.minimum(FAR, -eye[2] / directions[2])
    who = np.full(directions.shape[1], -1, np.int64)
    origin = eye[:, None]
    for number, body in enumerate(bodies):
        rays = _towards(body, origin, directions)
        found = _met(body, np.broadcast_to(origin, (3, len(rays))), directions[:, rays])
        nearer = found < distance[rays]
        distance[rays[nearer]] = found[nearer]
        who[rays[nearer]] = number
    return distance, who


def _towards(body: Body, origins: Rays, directions: Rays) -> NDArray[np.int64]:
    """Return which rays pass within the reach of a body, ahead of where they start."""
    to = body.middle[:, None] - origins
    along = np.einsum("cn,cn->n", np.broadcast_to(to, directions.shape), directions)
    off = (to * to).sum(0) - along * along
    return np.flatnonzero((off < body.reach**2) & (along > 0))


def _met(body: Body, origins: Rays, directions: Rays) -> Floats:
    """Return the distance at which rays enter a body; infinite where they miss it."""
    start = _turned(body, origins - body.middle[:, None])
    way = _turned(body, directions)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _ENTERED[body.shape](start, way, np.float32(body.radius))
    return np.where(found > NEAR, found, np.float32(np.inf))


def _sphere(start: Rays, way: Rays, radius: np.float32) -> Floats:
    half = (start * way).sum(0)
    inside = half * half - (start * start).sum(0) + radius * radius
    return np.where(inside > 0, -half - np.sqrt(np.maximum(inside, 0)), np.inf).astype(np.float32)


def _cube(start: Rays, way: Rays, radius: np.float32) -> Floats:
    near, far = _slabs(start, way, radius)
    return np.where(near < far, near, np.inf).astype(np.float32)


def _slabs(start: Rays, way: Rays, radius: np.float32) -> tuple[Floats, Floats]:
    one, other = (-radius - start) / way, (radius - start) / way
    return np.minimum(one, other).max(0), np.maximum(one, other).min(0)


def _cylinder(start: Rays, way: Rays, radius: np.float32) -> Floats:
    """Enter through the mantle or through an end, whichever comes last; both must be crossed."""
    a = (way[:2] ** 2).sum(0)
    half = (start[:2] * way[:2]).sum(0)
    inside = half * half - a * ((start[:2] ** 2).sum(0) - radius * radius)
    root = np.sqrt(np.maximum(inside, 0))
    low, high = _slabs(start[2:], way[2:], radius)
    near, far = np.maximum((-half - root) / a, low), np.minimum((-half + root) / a, high)
    return np.where((inside > 0) & (near < far), near, np.inf).astype(np.float32)


_ENTERED = {"sphere": _sphere, "cube": _cube, "cylinder": _cylinder}


def _turned(body: Body, vectors: Rays, *, back: bool = False) -> Rays:
    """Turn vectors into the axes of a body, or back."""
    cos, sin = np.float32(np.cos(body.turn)), np.float32(np.sin(body.turn))
    sin = -sin if back else sin
    x, y, z = vectors
    return np.stack([cos * x + sin * y, -sin * x + cos * y, z])


def _surface(
    bodies: Sequence[Body], points: Rays, who: NDArray[np.int64]
) -> tuple[Rays, Rays, Floats]:
    """Return normals, colours and the light from all around [N] of what was met."""
    normals = np.zeros_like(points)
    normals[2] = 1
    x, y = points[:2]
    fall = np.clip(1.06 - 0.01 * ((x + 1.5) ** 2 + (y + 1) ** 2), 0.55, 1.1)
    colours = np.array(GROUND, np.float32)[:, None] * fall
    light = np.full(points.shape[1], 0.44, np.float32)
    for body in bodies:  # dark where a thing stands on the ground
        off = ((points[:2] - body.middle[:2, None]) ** 2).sum(0) / body.radius**2
        near = np.flatnonzero(off < 8)
        light[near] *= 1 - 0.45 * np.exp(-0.9 * off[near])
    for number, body in enumerate(bodies):
        own = np.flatnonzero(who == number)
        local = _turned(body, points[:, own] - body.middle[:, None])
        normals[:, own] = _turned(body, _outward(body, local), back=True)
        colours[:, own] = body.colour[:, None]
        low = np.minimum(1, points[2, own] / body.radius)
        light[own] = (0.34 + 0.1 * normals[2, own]) * (0.7 + 0.3 * low)
    return normals, colours, light


def _outward(body: Body, local: Rays) -> Rays:
    """Return the normals of a body's surface, in its own axes."""
    if body.shape == "sphere":
        return np.asarray(local / np.float32(body.radius))
    top = local[2] > body.radius * 0.999
    if body.shape == "cube":
        largest = np.abs(local).argmax(0)
        faces = np.zeros_like(local)
        columns = np.arange(local.shape[1])
        faces[largest, columns] = np.sign(local[largest, columns])
        return faces
    mantle = local / np.maximum(np.sqrt((local[:2] ** 2).sum(0)), NEAR)
    mantle[2] = 0
    return np.where(top, np.array([[0], [0], [1]], np.float32), mantle)


def _spread(samples: int) -> Floats:
    """Return a point of a lamp for each sample of a pixel: [3, samples²], the same in all."""
    rng = np.random.default_rng(samples)
    points = rng.normal(size=(3, samples * samples))
    return np.asarray(points - points.mean(1, keepdims=True), np.float32)


def _lit(  # noqa: PLR0913 - what light falls on, from where, and who looks
    bodies: Sequence[Body],
    points: Rays,
    normals: Rays,
    colours: Rays,
    who: NDArray[np.int64],
    directions: Rays,
    spots: Rays,
    strength: float,
) -> Rays:
    """Return what a lamp adds: matte and shiny light, where nothing stands before it."""
    to = spots - points
    to /= np.sqrt((to * to).sum(0))
    facing = (normals * to).sum(0)
    starts = points + normals * np.float32(2e-3)
    bright = facing > 0
    for body in bodies:
        rays = _towards(body, starts, to)
        rays = rays[bright[rays]]
        bright[rays] = ~np.isfinite(_met(body, starts[:, rays], to[:, rays]))
    power = np.where(bright, strength * facing, 0).astype(np.float32)
    added = colours * power
    shiny = np.flatnonzero(bright & (who >= 0))
    between = to[:, shiny] - directions[:, shiny]
    between /= np.sqrt((between * between).sum(0))
    glance = np.maximum(0, (between * normals[:, shiny]).sum(0)) ** HARDNESS
    added[:, shiny] += np.float32(SHINE * strength) * glance
    return added


def _developed(shade: Rays, width: int, height: int, samples: int) -> NDArray[np.uint8]:
    pixels = np.minimum(shade, 1).reshape(3, height, width, samples * samples).mean(3)
    return np.asarray(np.moveaxis(pixels, 0, -1) ** GAMMA * 255 + 0.5, np.uint8)

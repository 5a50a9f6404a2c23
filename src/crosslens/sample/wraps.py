"""How flat cloth lies on a form: meshes that carry patterns and textures around bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import asin, cos, hypot, pi, sin
from typing import Any

from crosslens.sample.canvas import Point, skia


@dataclass(frozen=True)
class Wrap:
    """A grid of places on the drawing, and the place of the cloth that each one shows."""

    places: tuple[Point, ...]
    cloth: tuple[Point, ...]
    columns: int

    def vertices(self) -> Any:
        """Return the mesh that the canvas draws."""
        module = skia()
        rows = len(self.places) // self.columns
        return module.Vertices(
            module.Vertices.kTriangles_VertexMode,
            [module.Point(x, y) for x, y in self.places],
            [module.Point(x, y) for x, y in self.cloth],
            None,
            _triangles(self.columns, rows),
        )


def _triangles(columns: int, rows: int) -> list[int]:
    corners: list[int] = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            a = row * columns + column
            b = a + columns
            corners += [a, a + 1, b, a + 1, b + 1, b]
    return corners


def _mesh(columns: int, rows: int, place: Callable[[float, float], tuple[Point, Point]]) -> Wrap:
    pairs = [
        place(column / (columns - 1), row / (rows - 1))
        for row in range(rows)
        for column in range(columns)
    ]
    return Wrap(tuple(p for p, _ in pairs), tuple(c for _, c in pairs), columns)


def flat(angle: float = 0.0, centre: Point = (50, 50), reach: float = 90) -> Wrap:
    """Lay the cloth flat, turned clockwise by an angle in degrees."""
    turn = angle * pi / 180
    c, s = cos(turn), sin(turn)

    def place(u: float, v: float) -> tuple[Point, Point]:
        x, y = (u - 0.5) * 2 * reach, (v - 0.5) * 2 * reach
        return (centre[0] + x * c - y * s, centre[1] + x * s + y * c), (x, y)

    return _mesh(2, 2, place)


def drape(wave: float = 1.4, folds: float = 2.0, sag: float = 2.0) -> Wrap:
    """Let the cloth hang: soft vertical folds, and rows that sag in the middle."""

    def place(u: float, v: float) -> tuple[Point, Point]:
        x, y = u * 120 - 10, v * 120 - 10
        swing = sin(u * folds * 2 * pi + 0.7)
        return (x, y), (x - 50 + wave * swing * (0.3 + v), y - sag * sin(u * pi) + 0.6 * swing)

    return _mesh(13, 5, place)


def tube(
    profile: Sequence[Point], *, axis: float = 50.0, bend: float = 0.16, turn: float = 0.0
) -> Wrap:
    """Wrap the cloth around an upright turned body given by its profile of (y, radius)."""
    top, bottom = profile[0][0] - 1, profile[-1][0] + profile[-1][1] * bend + 1

    def place(u: float, v: float) -> tuple[Point, Point]:
        angle = (u - 0.5) * pi * 1.02
        y = top + (bottom - top) * v
        radius = radius_at(profile, y) + 0.4
        middle = max(r for _, r in profile)
        around = (angle + turn) * (0.35 * radius + 0.65 * middle)
        return (axis + radius * sin(angle), y), (around, y - radius * bend * cos(angle))

    return _mesh(13, 11, place)


def radius_at(profile: Sequence[Point], y: float) -> float:
    """Return the radius of a profile at a height, between its nearest two entries."""
    for (y0, r0), (y1, r1) in pairwise(profile):
        if y <= y1:
            share = min(1.0, max(0.0, (y - y0) / max(1e-6, y1 - y0)))
            return r0 + (r1 - r0) * share
    return profile[-1][1]


def band(spine: Sequence[Point], width: float | Sequence[float]) -> Wrap:
    """Wrap the cloth along a limb: its rows cross the spine, its columns follow it."""
    widths = [width] * len(spine) if isinstance(width, int | float) else list(width)
    lengths = [0.0]
    for a, b in pairwise(spine):
        lengths.append(lengths[-1] + hypot(b[0] - a[0], b[1] - a[1]))
    places: list[Point] = []
    cloth: list[Point] = []
    for i, (x, y) in enumerate(spine):
        nx, ny = _normal(spine, i)
        half = widths[i] * 0.5 + 1.0
        for side in (-1.0, -0.5, 0.0, 0.5, 1.0):
            places.append((x + nx * half * side, y + ny * half * side))
            cloth.append((asin(0.9 * side) * half * 0.95, lengths[i] - 1.2 * side * side))
    return Wrap(tuple(places), tuple(cloth), 5)


def _normal(spine: Sequence[Point], i: int) -> Point:
    before, after = spine[max(0, i - 1)], spine[min(len(spine) - 1, i + 1)]
    dx, dy = after[0] - before[0], after[1] - before[1]
    length = hypot(dx, dy) or 1.0
    return dy / length * -1.0, dx / length


def quad(corners: Sequence[Point], width: float, height: float) -> Wrap:
    """Stretch a cloth of the given size over four corners, clockwise from the left top."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners

    def place(u: float, v: float) -> tuple[Point, Point]:
        x = (ax * (1 - u) + bx * u) * (1 - v) + (dx * (1 - u) + cx * u) * v
        y = (ay * (1 - u) + by * u) * (1 - v) + (dy * (1 - u) + cy * u) * v
        return (x, y), ((u - 0.5) * width, (v - 0.5) * height)

    return _mesh(6, 6, place)


def ball(x: float, y: float, rx: float, ry: float | None = None, *, turn: float = 0.0) -> Wrap:
    """Wrap the cloth around a ball, wider in the middle and closer at the rim."""
    ry = rx if ry is None else ry

    def place(u: float, v: float) -> tuple[Point, Point]:
        around, up = (u - 0.5) * pi, (v - 0.5) * pi
        px = x + (rx + 0.6) * sin(around) * cos(up) ** 0.6
        return (px, y + (ry + 0.6) * sin(up)), ((around + turn) * rx * 0.85, up * ry * 0.85)

    return _mesh(13, 13, place)

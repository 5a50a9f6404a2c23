"""Outlines in a 100 × 100 drawing: x grows to the right, y downwards."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, pi, sin
from typing import Any

from crosslens.sample.canvas import Point, paint, skia

# A knot is (x, y), passed through smoothly, or (x, y, 1), a sharp corner.
Knot = tuple[float, ...]


def outline(knots: Sequence[Knot], *, closed: bool = True, tension: float = 0.34) -> Any:
    """Draw a curve through the knots, with a corner at each sharp one."""
    path = skia().Path()
    path.moveTo(knots[0][0], knots[0][1])
    count = len(knots)
    slopes = [_slope(knots, i, closed) for i in range(count)]
    for i in range(count if closed else count - 1):
        a, b = knots[i], knots[(i + 1) % count]
        (ax, ay), (bx, by) = slopes[i], slopes[(i + 1) % count]
        # As long as the chord allows: longer handles would loop at close knots.
        reach = tension * hypot(b[0] - a[0], b[1] - a[1])
        path.cubicTo(
            a[0] + ax * reach, a[1] + ay * reach,
            b[0] - bx * reach, b[1] - by * reach, b[0], b[1],
        )  # fmt: skip
    if closed:
        path.close()
    return path


def _slope(knots: Sequence[Knot], i: int, closed: bool) -> Point:
    """Return the direction in which the curve passes a knot; none at corners and open ends."""
    knot = knots[i]
    at_an_end = not closed and i in (0, len(knots) - 1)
    if len(knot) > 2 or at_an_end:
        return 0.0, 0.0
    before, after = knots[i - 1], knots[(i + 1) % len(knots)]
    dx, dy = after[0] - before[0], after[1] - before[1]
    length = hypot(dx, dy) or 1.0
    return dx / length, dy / length


def symmetric(right: Sequence[Knot], axis: float = 50.0) -> Any:
    """Draw the right half, from top to bottom, and its mirror image."""
    left = [(2 * axis - k[0], *k[1:]) for k in reversed(right) if abs(k[0] - axis) > 1e-6]
    return outline([*right, *left])


def reflect(knots: Sequence[Knot], axis: float = 50.0) -> list[Knot]:
    """Mirror knots at a vertical axis."""
    return [(2 * axis - k[0], *k[1:]) for k in knots]


def oval(x: float, y: float, rx: float, ry: float | None = None) -> Any:
    """Draw an ellipse around a centre; a circle when one radius is given."""
    ry = rx if ry is None else ry
    path = skia().Path()
    path.addOval(skia().Rect.MakeXYWH(x - rx, y - ry, 2 * rx, 2 * ry))
    return path


def box(x: float, y: float, width: float, height: float, radius: float = 0.0) -> Any:
    """Draw a rectangle with rounded corners from its left top corner."""
    path = skia().Path()
    path.addRoundRect(skia().Rect.MakeXYWH(x, y, width, height), radius, radius)
    return path


def ribbon(knots: Sequence[Knot], width: float) -> Any:
    """Draw a band of even width along a curve, as an area."""
    path = skia().Path()
    paint((0, 0, 0), width=width).getFillPath(outline(knots, closed=False), path)
    return path


def ring(x: float, y: float, rx: float, ry: float, width: float) -> Any:
    """Draw a hollow ellipse of the given line width, as an area."""
    path = skia().Path()
    paint((0, 0, 0), width=width).getFillPath(oval(x, y, rx, ry), path)
    return path


def arc(  # noqa: PLR0913 - an arc is what it is
    x: float, y: float, rx: float, ry: float, start: float, sweep: float, count: int = 9
) -> list[Knot]:
    """Return knots along an ellipse, from an angle (degrees, clockwise from the right) on."""
    angles = [(start + sweep * i / (count - 1)) * pi / 180 for i in range(count)]
    return [(x + rx * cos(a), y + ry * sin(a)) for a in angles]


def star(x: float, y: float, radius: float, tips: int = 5, inner: float = 0.42) -> Any:
    """Draw a star with its first tip upwards."""
    knots: list[Knot] = []
    for i in range(2 * tips):
        reach = radius if i % 2 == 0 else radius * inner
        angle = pi * i / tips - pi / 2
        knots.append((x + reach * cos(angle), y + reach * sin(angle), 1))
    return outline(knots)


def lathe(profile: Sequence[Point], *, bend: float = 0.16, axis: float = 50.0) -> Any:
    """Draw a turned body from its profile of (y, radius), with a rounded lower rim."""
    right: list[Knot] = [(axis + r, y) for y, r in profile]
    right[0] = (*right[0], 1)
    right[-1] = (*right[-1], 1)
    foot_y, foot = profile[-1]
    right += [(axis + foot * 0.6, foot_y + foot * bend * 0.8), (axis, foot_y + foot * bend)]
    return symmetric(right, axis)

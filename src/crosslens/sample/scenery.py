"""Where products are photographed: studio sweeps, painted walls, table tops and sunlit rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crosslens.sample.canvas import (
    BLACK,
    RGB,
    WHITE,
    darker,
    glow,
    gradient,
    lighter,
    mix,
    paint,
    shaded,
    skia,
)  # fmt: skip
from crosslens.sample.shapes import box, outline, oval
from crosslens.sample.tiles import SIDE, grain_tile

PASTELS: tuple[RGB, ...] = (
    (244, 222, 214), (240, 230, 205), (222, 234, 218), (212, 230, 236), (222, 222, 240),
    (238, 220, 234), (232, 226, 218), (205, 222, 216), (246, 226, 190), (214, 218, 226),
)  # fmt: skip
TIMBERS: tuple[RGB, ...] = ((196, 154, 108), (150, 108, 72), (222, 196, 160), (118, 86, 62))
Rng = np.random.Generator
Scenery = Callable[[Any, Rng, float | None], None]


def _pastel(rng: Rng) -> RGB:
    return PASTELS[int(rng.integers(len(PASTELS)))]


def _cover(canvas: Any, shader: Any, top: float = -10, bottom: float = 110) -> None:
    canvas.drawRect(skia().Rect.MakeLTRB(-10, top, 110, bottom), shaded(shader))


def _sweep(canvas: Any, tone: RGB, floor: float | None, bright: float = 0.5) -> None:
    """Paint a wall that runs into its floor without a line."""
    low = darker(tone, 0.12)
    _cover(canvas, glow((44, 36), 92, [(0, lighter(tone, bright), 1), (0.6, tone, 1), (1, low, 1)]))
    if floor is not None:
        edge = floor - 14
        stops = [(0.0, BLACK, 0.0), (0.3, BLACK, 0.055), (1.0, WHITE, 0.14)]
        _cover(canvas, gradient((0, edge), (0, 106), stops), edge)


def studio(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a pale grey photo studio."""
    level = int(rng.uniform(226, 246))
    _sweep(canvas, (level, level, min(255, level + int(rng.uniform(-2, 4)))), floor, 0.7)


def neutral(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint the plain studio that is the same for every product."""
    _sweep(canvas, (236, 237, 239), floor, 0.7)


def painted(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a seamless sweep in a soft colour."""
    _sweep(canvas, mix(_pastel(rng), _saturated(rng), float(rng.uniform(0, 0.22))), floor)


def _saturated(rng: Rng) -> RGB:
    red, green, blue = (int(value) for value in rng.integers(60, 240, 3))
    return red, green, blue


def two_tone(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a wall in one colour above a floor in another."""
    wall, ground = _pastel(rng), mix(_pastel(rng), _saturated(rng), 0.15)
    _sweep(canvas, wall, None)
    edge = (floor if floor is not None else 92) - float(rng.uniform(9, 18))
    stops = [(0.0, darker(ground, 0.14), 1.0), (0.5, ground, 1.0), (1.0, lighter(ground, 0.2), 1.0)]
    _cover(canvas, gradient((0, edge), (0, 108), stops), edge)
    shade = gradient((0, edge), (0, edge + 3), [(0, BLACK, 0.12), (1, BLACK, 0.0)])
    _cover(canvas, shade, edge, edge + 3)


def disc(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a large round of colour behind the product."""
    tone = _pastel(rng)
    _sweep(canvas, lighter(tone, 0.45), floor)
    radius = float(rng.uniform(34, 42))
    x, y = 50 + float(rng.uniform(-6, 6)), 48 + float(rng.uniform(-5, 4))
    canvas.drawPath(oval(x, y, radius), paint(mix(tone, _saturated(rng), 0.25)))


def sunlit(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a wall with window light falling across it."""
    _sweep(canvas, darker(_pastel(rng), 0.07), floor, 0.2)
    x, lean = float(rng.uniform(-10, 30)), float(rng.uniform(14, 34))
    width, height = float(rng.uniform(20, 30)), float(rng.uniform(26, 40))
    for column in range(3):
        for row in range(2):
            left, top = x + column * (width + 4) - row * 3, -8 + row * (height + 4)
            knots = [
                (left + lean * 0.0, top, 1), (left + width, top + lean * 0.3, 1),
                (left + width, top + height + lean * 0.3, 1), (left, top + height, 1),
            ]  # fmt: skip
            canvas.drawPath(outline(knots), paint(WHITE, 0.34, blur=1.3))


def table_top(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a wooden table before an unfocused wall."""
    wood = TIMBERS[int(rng.integers(len(TIMBERS)))]
    _sweep(canvas, _pastel(rng), None, 0.3)
    edge = (floor if floor is not None else 92) - float(rng.uniform(10, 20))
    _planks(canvas, wood, edge)
    shade = gradient((0, edge), (0, 110), [(0, BLACK, 0.2), (0.4, BLACK, 0.0), (1, WHITE, 0.12)])
    _cover(canvas, shade, edge)


def _planks(canvas: Any, wood: RGB, top: float) -> None:
    canvas.save()
    canvas.clipRect(skia().Rect.MakeLTRB(-10, top, 110, 110))
    canvas.drawColor(0xFF000000 | (wood[0] << 16) | (wood[1] << 8) | wood[2])
    _grained(canvas, "timber", 60)
    for x in range(-60, 180, 24):
        canvas.drawPath(
            outline([(50 + (x - 50) * 0.6, top, 1), (x, 112, 1)], closed=False),
            paint(darker(wood, 0.5), 0.5, width=0.5),
        )
    canvas.restore()


def _grained(canvas: Any, grain: str, period: float) -> None:
    module = skia()
    repeat = module.TileMode.kRepeat
    sampling = module.SamplingOptions(module.FilterMode.kLinear, module.MipmapMode.kLinear)
    matrix = module.Matrix.Scale(period / SIDE, period / SIDE)
    shader = grain_tile(grain).makeShader(repeat, repeat, sampling, matrix)
    canvas.drawRect(module.Rect.MakeLTRB(-10, -10, 110, 110), shaded(shader))


def spread(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a surface seen from above: linen, boards or a woollen blanket."""
    kind = int(rng.integers(3))
    tone = TIMBERS[int(rng.integers(len(TIMBERS)))] if kind == 1 else darker(_pastel(rng), 0.05)
    _sweep(canvas, tone, None, 0.2)
    _grained(canvas, ("weave", "timber", "knit")[kind], (44.0, 70.0, 36.0)[kind])
    if kind == 1:
        for x in range(-4, 110, 21):
            seam = outline([(x, -5, 1), (x, 105, 1)], closed=False)
            canvas.drawPath(seam, paint(darker(tone, 0.5), 0.6, width=0.6))


def room(canvas: Any, rng: Rng, floor: float | None) -> None:
    """Paint a corner of a home: a wall with a picture, a plant, a wooden floor."""
    wall = darker(_pastel(rng), float(rng.uniform(0, 0.1)))
    _sweep(canvas, wall, None, 0.25)
    edge = (floor if floor is not None else 96) - float(rng.uniform(12, 18))
    _picture_frame(canvas, rng)
    _planks(canvas, TIMBERS[int(rng.integers(len(TIMBERS)))], edge)
    canvas.drawPath(box(-10, edge - 3, 120, 3), paint(lighter(wall, 0.6)))
    _plant(canvas, rng, edge + 6)


def _picture_frame(canvas: Any, rng: Rng) -> None:
    x, y = float(rng.uniform(4, 66)), float(rng.uniform(2, 12))
    canvas.drawPath(box(x + 1, y + 1.5, 24, 30), paint(BLACK, 0.18, blur=1.5))
    canvas.drawPath(box(x, y, 24, 30), paint(WHITE))
    canvas.drawPath(box(x + 2.5, y + 2.5, 19, 25), paint(_pastel(rng)))
    canvas.drawPath(oval(x + 12, y + 14, 6, 7), paint(_saturated(rng), 0.5))


def _plant(canvas: Any, rng: Rng, base: float) -> None:
    x = float(rng.choice((4.0, 96.0)))
    for i in range(9):
        lean = (i - 4) * 4.5 + float(rng.uniform(-1.5, 1.5))
        top = base - 34 - float(rng.uniform(0, 14)) + abs(i - 4) * 4
        knots = [(x, base - 10, 1), (x + lean * 0.4 - 2, top + 16), (x + lean, top, 1),
                 (x + lean * 0.6 + 2, top + 18)]  # fmt: skip
        canvas.drawPath(outline(knots), paint((84, 128 + 6 * (i % 4), 92), 0.92, blur=0.5))
    pot = outline(
        [(x - 8, base - 12, 1), (x + 8, base - 12, 1), (x + 6, base, 1), (x - 6, base, 1)]
    )
    canvas.drawPath(pot, paint((206, 142, 112), blur=0.5))


STANDING: tuple[Scenery, ...] = (
    studio, studio, painted, painted, two_tone, disc, sunlit, table_top, room,
)  # fmt: skip
HANGING: tuple[Scenery, ...] = (studio, studio, painted, painted, disc, sunlit, spread)
AT_HOME_STANDING: tuple[Scenery, ...] = (room, table_top, sunlit)
AT_HOME_HANGING: tuple[Scenery, ...] = (spread, sunlit)

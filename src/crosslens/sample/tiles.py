"""Small repeating pictures: the patterns of the shop, and the grain of its materials."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import cos, pi, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosslens.sample.canvas import RGB, darker, paint, skia
from crosslens.sample.shapes import outline, oval, star

SIDE = 128
GOLD_DUST: RGB = (248, 212, 88)

# How much of the 100-unit drawing one repeat of each pattern covers.
PERIOD = {
    "striped": 9.5, "diagonal": 10.0, "dotted": 10.5, "checked": 12.0,
    "floral": 19.0, "zigzag": 11.0, "starred": 16.0, "leopard": 19.0,
}  # fmt: skip


@lru_cache(maxsize=400)
def pattern_tile(pattern: str, accent: RGB, ground: RGB) -> Any:
    """Return one repeat of a pattern in the accent colour, clear between its figures."""
    surface = skia().Surface(SIDE, SIDE)
    canvas = surface.getCanvas()
    canvas.clear(0)
    canvas.scale(SIDE, SIDE)
    _FIGURES[pattern](canvas, accent, ground)
    return surface.makeImageSnapshot()


def _rectangle(canvas: Any, x: float, y: float, width: float, height: float, brush: Any) -> None:
    canvas.drawRect(skia().Rect.MakeXYWH(x, y, width, height), brush)


def _striped(canvas: Any, accent: RGB, ground: RGB) -> None:
    _rectangle(canvas, 0, 0.25, 1, 0.48, paint(accent))


def _diagonal(canvas: Any, accent: RGB, ground: RGB) -> None:
    for x in (-1.0, 0.0, 1.0):
        knots = [(x, 1, 1), (x + 0.46, 1, 1), (x + 1.46, 0, 1), (x + 1, 0, 1)]
        canvas.drawPath(outline(knots), paint(accent))


def _dotted(canvas: Any, accent: RGB, ground: RGB) -> None:
    for x, y in ((0.25, 0.25), (0.75, 0.75)):
        canvas.drawCircle(x, y, 0.175, paint(accent))


def _checked(canvas: Any, accent: RGB, ground: RGB) -> None:
    half = paint(accent, 0.55)
    _rectangle(canvas, 0, 0.0, 1, 0.5, half)
    _rectangle(canvas, 0.0, 0, 0.5, 1, half)
    _rectangle(canvas, 0.0, 0.0, 0.5, 0.5, paint(accent, 0.7))
    thin = paint(darker(accent, 0.25), 0.55)
    _rectangle(canvas, 0, 0.73, 1, 0.035, thin)
    _rectangle(canvas, 0.73, 0, 0.035, 1, thin)


def _flower(canvas: Any, x: float, y: float, size: float, turn: float, accent: RGB) -> None:
    for petal in range(5):
        angle = turn + petal * 2 * pi / 5
        px, py = x + size * cos(angle), y + size * sin(angle)
        canvas.drawCircle(px, py, size * 0.72, paint(accent))
    canvas.drawCircle(x, y, size * 0.52, paint(GOLD_DUST))


def _leaf(canvas: Any, x: float, y: float, turn: float, green: RGB) -> None:
    dx, dy = cos(turn) * 0.11, sin(turn) * 0.11
    knots = [
        (x - dx, y - dy, 1), (x - dy * 0.45, y + dx * 0.45),
        (x + dx, y + dy, 1), (x + dy * 0.45, y - dx * 0.45),
    ]  # fmt: skip
    canvas.drawPath(outline(knots), paint(green))


def _floral(canvas: Any, accent: RGB, ground: RGB) -> None:
    green = (108, 152, 92) if ground[1] < 120 or ground[0] > 150 else (206, 226, 170)
    for x, y, turn in ((0.5, 0.23, 0.6), (0.23, 0.53, 2.4), (0.77, 0.5, 5.2), (0.5, 0.77, 3.9)):
        _leaf(canvas, x, y, turn, green)
    _flower(canvas, 0.26, 0.25, 0.118, 0.3, accent)
    _flower(canvas, 0.75, 0.75, 0.118, 1.1, accent)
    _flower(canvas, 0.76, 0.22, 0.06, 0.0, accent)
    _flower(canvas, 0.24, 0.78, 0.06, 0.9, accent)


def _zigzag(canvas: Any, accent: RGB, ground: RGB) -> None:
    for y in (-0.5, 0.5):
        knots = [(-0.5, y + 0.45, 1), (0, y, 1), (0.5, y + 0.45, 1), (1, y, 1), (1.5, y + 0.45, 1)]
        canvas.drawPath(outline(knots, closed=False), paint(accent, width=0.2))
    knots = [(-0.5, 1.95, 1), (0, 1.5, 1), (0.5, 1.95, 1), (1, 1.5, 1), (1.5, 1.95, 1)]
    canvas.drawPath(outline(knots, closed=False), paint(accent, width=0.2))


def _starred(canvas: Any, accent: RGB, ground: RGB) -> None:
    for x, y, size in (
        (0.27, 0.27, 0.23),
        (0.76, 0.77, 0.23),
        (0.76, 0.27, 0.08),
        (0.27, 0.77, 0.08),
    ):
        canvas.drawPath(star(x, y, size), paint(accent))


_SPOTS = (
    (0.2, 0.18, 0.14, 0.2), (0.62, 0.14, 0.12, 1.4), (0.42, 0.46, 0.14, 2.6),
    (0.84, 0.46, 0.13, 4.0), (0.16, 0.7, 0.13, 5.2), (0.6, 0.78, 0.14, 0.9),
)  # fmt: skip


def _leopard(canvas: Any, accent: RGB, ground: RGB) -> None:
    module = skia()
    for x, y, size, turn in _SPOTS:
        frame = module.Rect.MakeXYWH(x - size, y - size * 0.8, 2 * size, 1.6 * size)
        for start in (0, 130, 235):
            degrees = turn * 57 + start
            canvas.drawArc(frame, degrees, 78, False, paint(accent, width=0.095))
        canvas.drawPath(oval(x, y, size * 0.5, size * 0.4), paint(accent, 0.35))
    for x, y in ((0.88, 0.84), (0.42, 0.97), (0.4, 0.03), (0.92, 0.2), (0.08, 0.43)):
        canvas.drawCircle(x, y, 0.045, paint(accent))


_FIGURES: dict[str, Callable[[Any, RGB, RGB], None]] = {
    "striped": _striped, "diagonal": _diagonal, "dotted": _dotted, "checked": _checked,
    "floral": _floral, "zigzag": _zigzag, "starred": _starred, "leopard": _leopard,
}  # fmt: skip


@lru_cache(maxsize=32)
def grain_tile(grain: str) -> Any:
    """Return one repeat of a material's grain: dark and light specks, clear between them."""
    height = _GRAINS[grain](np.random.default_rng(7))
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., :3] = np.where(height[..., None] > 0, 255, 10)
    pixels[..., 3] = np.clip(np.abs(height) * 255, 0, 255)
    module = skia()
    return module.Image.fromarray(pixels, colorType=module.kRGBA_8888_ColorType)


Heights = NDArray[np.float64]


def _soft_noise(rng: np.random.Generator, x: float, y: float) -> Heights:
    """Make smooth noise that repeats; x and y say how far it is smeared."""
    waves = np.fft.fft2(rng.normal(size=(SIDE, SIDE)))
    fx, fy = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE))
    smooth = np.fft.ifft2(waves * np.exp(-2 * (pi * x * fx) ** 2 - 2 * (pi * y * fy) ** 2)).real
    return np.asarray(smooth / smooth.std(), np.float64)


def _weave(rng: np.random.Generator) -> Heights:
    return 0.02 * _soft_noise(rng, 5, 0.7) + 0.02 * _soft_noise(rng, 0.7, 5)


def _hide(rng: np.random.Generator) -> Heights:
    cells = np.abs(_soft_noise(rng, 3.4, 3.4))
    return np.asarray(0.07 - 0.3 * np.exp(-7 * cells), np.float64)


def _timber(rng: np.random.Generator) -> Heights:
    rings = np.sin(3.2 * _soft_noise(rng, 60, 5))
    return 0.17 * rings + 0.06 * _soft_noise(rng, 30, 1.2) - 0.03


def _knit(rng: np.random.Generator) -> Heights:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    slant = np.abs(((x * 8) % 1) - 0.5) * 1.3
    loops = np.cos(2 * pi * (y * 8 + slant))
    gaps = np.exp(-((((x * 8) % 1) - 0.5) ** 2) * 90) + np.exp(
        -((((x * 8 + 0.5) % 1) - 0.5) ** 2) * 90
    )
    return np.asarray(0.17 * loops - 0.2 * gaps + 0.03, np.float64)


def _brushed(rng: np.random.Generator) -> Heights:
    return 0.1 * _soft_noise(rng, 60, 1.4)


def _nap(rng: np.random.Generator) -> Heights:
    return 0.09 * _soft_noise(rng, 2.2, 3.6) + 0.06 * _soft_noise(rng, 9, 9)


def _twill(rng: np.random.Generator) -> Heights:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    return np.asarray(
        0.17 * np.sin(2 * pi * (x + y) * 10) + 0.06 * _soft_noise(rng, 2, 5), np.float64
    )


def _basket(rng: np.random.Generator) -> Heights:
    """Cross two threads over and under, as thick ones show."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE * 9
    over = (np.floor(x) + np.floor(y)) % 2 == 0
    thread = np.where(over, np.sin(pi * (y % 1)), np.sin(pi * (x % 1)))
    return np.asarray(0.2 * (thread - 0.6) + 0.04 * _soft_noise(rng, 5, 2), np.float64)


def _pebble(rng: np.random.Generator) -> Heights:
    """Stud a surface with small bumps, each lit from the upper left."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE * 7
    rows = np.floor(y) % 2 * 0.5
    right, down = (x + rows) % 1 - 0.5, y % 1 - 0.5
    bump = np.exp(-(right**2 + down**2) * 22)
    return np.asarray(-0.75 * (right + down) * bump, np.float64)


_GRAINS: dict[str, Callable[[np.random.Generator], Heights]] = {
    "weave": _weave, "hide": _hide, "timber": _timber, "knit": _knit,
    "brushed": _brushed, "nap": _nap, "twill": _twill, "basket": _basket, "pebble": _pebble,
}  # fmt: skip

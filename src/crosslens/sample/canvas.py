"""The one door to the drawing library: loaded when first needed, and a clear error without it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

RGB = tuple[int, int, int]
Point = tuple[float, float]

BLACK: RGB = (12, 12, 22)
WHITE: RGB = (255, 255, 255)


@cache
def skia() -> Any:
    """Return the skia module, or say which extra installs it."""
    try:
        return importlib.import_module("skia")
    except ImportError as error:
        from crosslens.errors import MissingExtra

        raise MissingExtra(
            "the renderer is not installed", hint="pip install 'crosslens[sample]'"
        ) from error


def ink(rgb: RGB, alpha: float = 1.0) -> int:
    """Pack a colour and an opacity between 0 and 1 into the number that the canvas takes."""
    opacity = round(255 * min(1.0, max(0.0, alpha)))
    return (opacity << 24) | (rgb[0] << 16) | (rgb[1] << 8) | rgb[2]


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Return the colour that lies `share` of the way from the first to the second."""
    red, green, blue = (
        round(min(255.0, max(0.0, a * (1 - share) + b * share)))
        for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def darker(rgb: RGB, share: float = 0.3) -> RGB:
    """Return the colour with some black in it."""
    return mix(rgb, BLACK, share)


def lighter(rgb: RGB, share: float = 0.3) -> RGB:
    """Return the colour with some white in it."""
    return mix(rgb, WHITE, share)


def brightness(rgb: RGB) -> float:
    """Return how bright the colour looks, from 0 to 255."""
    return 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2]


def points(pairs: Sequence[Point]) -> list[Any]:
    """Turn pairs of numbers into the canvas's points."""
    make = skia().Point
    return [make(x, y) for x, y in pairs]


def paint(rgb: RGB, alpha: float = 1.0, *, width: float = 0.0, blur: float = 0.0) -> Any:
    """Return a smooth-edged paint: a fill, or a round-capped line when a width is given."""
    module = skia()
    brush = module.Paint(AntiAlias=True, Color=ink(rgb, alpha))
    if width:
        brush.setStyle(module.Paint.kStroke_Style)
        brush.setStrokeWidth(width)
        brush.setStrokeCap(module.Paint.kRound_Cap)
        brush.setStrokeJoin(module.Paint.kRound_Join)
    if blur:
        brush.setMaskFilter(module.MaskFilter.MakeBlur(module.kNormal_BlurStyle, blur))
    return brush


def shaded(shader: Any) -> Any:
    """Return a smooth-edged paint that takes its colour from a shader."""
    return skia().Paint(AntiAlias=True, Shader=shader)


def gradient(start: Point, end: Point, stops: Sequence[tuple[float, RGB, float]]) -> Any:
    """Return a linear gradient through stops of (position, colour, opacity)."""
    colours = [ink(rgb, alpha) for _, rgb, alpha in stops]
    places = [place for place, _, _ in stops]
    return skia().GradientShader.MakeLinear(points([start, end]), colours, places)


def glow(centre: Point, radius: float, stops: Sequence[tuple[float, RGB, float]]) -> Any:
    """Return a radial gradient through stops of (position, colour, opacity)."""
    colours = [ink(rgb, alpha) for _, rgb, alpha in stops]
    places = [place for place, _, _ in stops]
    middle = skia().Point(*centre)
    return skia().GradientShader.MakeRadial(middle, radius, colours, places)

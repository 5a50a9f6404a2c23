"""The stage a product is drawn on: bodies with colour, pattern, material, light and shade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crosslens.sample.canvas import (
    BLACK,
    RGB,
    WHITE,
    brightness,
    darker,
    glow,
    gradient,
    lighter,
    mix,
    paint,
    shaded,
    skia,
)  # fmt: skip
from crosslens.sample.design import COLOURS, MATERIALS, Design, Material
from crosslens.sample.shapes import Knot, outline
from crosslens.sample.tiles import PERIOD, SIDE, grain_tile, pattern_tile
from crosslens.sample.wraps import Wrap, flat

OAK: RGB = (172, 124, 78)
BRASS: RGB = (214, 176, 92)
STEEL: RGB = (196, 201, 208)
GRAPHITE: RGB = (62, 65, 72)
RUBBER: RGB = (44, 46, 52)
CHALK: RGB = (246, 245, 241)
GRAIN_PERIOD = 34.0


class Stage:
    """A thin layer over the canvas that knows the product's design."""

    def __init__(self, canvas: Any, design: Design, rng: np.random.Generator) -> None:
        self.canvas = canvas
        self.design = design
        self.material: Material = MATERIALS[design.material]
        self.colour: RGB = COLOURS[design.colour].rgb
        self.patterned = design.pattern != "solid"
        self.accent: RGB = COLOURS[design.accent].rgb if self.patterned else self.shadow_tone()
        self._rng = rng

    def shadow_tone(self, share: float = 0.28) -> RGB:
        """Return a tone for trims: darker than the colour, or lighter when that is near black."""
        if brightness(self.colour) < 60:
            return lighter(self.colour, share * 0.75)
        return darker(self.colour, share)

    def vary(self, low: float, high: float) -> float:
        """Draw one of the small proportions in which products of the same design differ."""
        return float(self._rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """Draw one of the small choices in which products of the same design differ."""
        return bool(self._rng.random() < share)

    def fill(  # noqa: PLR0913 - the one call that every form is made of
        self,
        path: Any,
        tone: RGB | None = None,
        *,
        wrap: Wrap | None = None,
        volume: str = "soft",
        material: str | None = None,
        scale: float = 1.0,
        edge: float = 0.5,
    ) -> None:
        """Fill a body: in the product's colour and pattern, or plainly in the tone given."""
        base = self.colour if tone is None else tone
        finish = MATERIALS[material] if material else self.material
        clear = finish.clear if tone is None or material == "glass" else 0.0
        canvas = self.canvas
        canvas.drawPath(path, paint(base, 1 - clear))
        canvas.save()
        canvas.clipPath(path, True)
        cloth = wrap or flat()
        if tone is None and self.patterned:
            self._pattern(cloth, scale)
        if finish.grain and (tone is None or material):
            self._grain(cloth, finish.grain)
        self._light(path, volume, finish, brightness(base))
        canvas.restore()
        if edge:
            self._edge(path, base, edge, clear)

    def _edge(self, path: Any, base: RGB, width: float, clear: float) -> None:
        line = darker(base, 0.5) if brightness(base) > 60 else mix(base, (120, 120, 130), 0.3)
        self.canvas.drawPath(path, paint(line, 0.85 if clear else 0.6, width=width))

    def _pattern(self, cloth: Wrap, scale: float) -> None:
        name = self.design.pattern
        tile = pattern_tile(name, self.accent, self.colour)
        self._draw_cloth(cloth, tile, PERIOD[name] * scale)

    def _grain(self, cloth: Wrap, grain: str) -> None:
        self._draw_cloth(cloth, grain_tile(grain), GRAIN_PERIOD)

    def _draw_cloth(self, cloth: Wrap, tile: Any, period: float) -> None:
        module = skia()
        repeat = module.TileMode.kRepeat
        sampling = module.SamplingOptions(module.FilterMode.kLinear, module.MipmapMode.kLinear)
        matrix = module.Matrix.Scale(period / SIDE, period / SIDE)
        brush = shaded(tile.makeShader(repeat, repeat, sampling, matrix))
        self.canvas.drawVertices(cloth.vertices(), brush)

    def _light(self, path: Any, volume: str, finish: Material, bright: float) -> None:
        bounds = path.getBounds()
        # Highlights on dark bodies and shade on pale ones are what shows their form.
        gloss = finish.gloss * (0.55 if bright < 70 else 1.0)
        depth = finish.depth * (1.0 if bright < 225 else 0.72)
        shader = _VOLUMES[volume](bounds, depth, gloss)
        if shader is not None:
            self.canvas.drawRect(bounds, shaded(shader))
        if volume in ("soft", "ball"):
            self._rim(path, bounds, depth, gloss)

    def _rim(self, path: Any, bounds: Any, depth: float, gloss: float) -> None:
        """Darken the edge away from the light and brighten the one towards it."""
        size = min(bounds.width(), bounds.height())
        width = max(1.2, size * 0.16)
        shade = paint(BLACK, 0.19 * depth, width=width, blur=width * 0.42)
        shift = width * 0.32
        self.canvas.translate(-shift, -shift)
        self.canvas.drawPath(path, shade)
        self.canvas.translate(2.2 * shift, 2.2 * shift)
        light = paint(WHITE, 0.2 + 0.35 * gloss, width=width * 0.55, blur=width * 0.26)
        self.canvas.drawPath(path, light)
        self.canvas.translate(-1.2 * shift, -1.2 * shift)

    def line(
        self, knots: Sequence[Knot], width: float = 0.6, tone: RGB | None = None, alpha: float = 0.6
    ) -> None:
        """Draw a seam, a crease or a cord along a curve."""
        colour = tone or self.shadow_tone(0.5)
        self.canvas.drawPath(outline(knots, closed=False), paint(colour, alpha, width=width))

    def stitch(self, knots: Sequence[Knot], tone: RGB | None = None, width: float = 0.45) -> None:
        """Draw a dashed seam along a curve."""
        colour = tone or (
            lighter(self.colour, 0.5) if brightness(self.colour) < 140 else darker(self.colour, 0.4)
        )
        brush = paint(colour, 0.85, width=width)
        brush.setPathEffect(skia().DashPathEffect.Make([1.2, 1.0], 0))
        self.canvas.drawPath(outline(knots, closed=False), brush)

    def stroke(self, path: Any, tone: RGB, width: float = 0.6, alpha: float = 1.0) -> None:
        """Draw the outline of a shape."""
        self.canvas.drawPath(path, paint(tone, alpha, width=width))

    def spot(self, path: Any, tone: RGB, alpha: float = 1.0, blur: float = 0.0) -> None:
        """Fill a shape evenly, without light or edge; softly when a blur is given."""
        self.canvas.drawPath(path, paint(tone, alpha, blur=blur))

    def shade(self, path: Any, alpha: float = 0.3, blur: float = 1.6) -> None:
        """Lay a soft shadow over a shape."""
        self.spot(path, BLACK, alpha, blur)

    def shade_inside(self, body: Any, path: Any, alpha: float = 0.3, blur: float = 1.6) -> None:
        """Lay a soft shadow over the part of a body that a shape covers."""
        self.canvas.save()
        self.canvas.clipPath(body, True)
        self.shade(path, alpha, blur)
        self.canvas.restore()

    def metal(self, path: Any, tone: RGB = STEEL, volume: str = "tall") -> None:
        """Fill a small fitting of bare metal."""
        self.fill(path, tone, volume=volume, material="metal", edge=0.35)

    def gene(self, name: str) -> str:
        """Return the product's named form for a gene."""
        return dict(self.design.variant)[name]


def _round(bounds: Any, depth: float, gloss: float) -> Any:
    """Light an upright cylinder: a highlight left of the middle, the right side in shade."""
    stops = [
        (0.0, BLACK, 0.30 * depth), (0.13, BLACK, 0.06 * depth), (0.22, WHITE, 0.10 + 0.16 * gloss),
        (0.29, WHITE, 0.16 + 0.55 * gloss), (0.35, WHITE, 0.10 + 0.2 * gloss), (0.5, WHITE, 0.0),
        (0.66, BLACK, 0.07 * depth), (0.9, BLACK, 0.32 * depth), (1.0, BLACK, 0.26 * depth),
    ]  # fmt: skip
    return gradient((bounds.left(), 0), (bounds.right(), 0), stops)


def _tall(bounds: Any, depth: float, gloss: float) -> Any:
    """Light a lying cylinder or a slope: bright above, dark below."""
    stops = [
        (0.0, WHITE, 0.16 + 0.2 * gloss), (0.18, WHITE, 0.14 + 0.42 * gloss), (0.36, WHITE, 0.0),
        (0.62, BLACK, 0.03 * depth), (1.0, BLACK, 0.3 * depth),
    ]  # fmt: skip
    return gradient((0, bounds.top()), (0, bounds.bottom()), stops)


def _ball(bounds: Any, depth: float, gloss: float) -> Any:
    """Light a ball from the upper left."""
    width, height = bounds.width(), bounds.height()
    centre = (bounds.left() + 0.35 * width, bounds.top() + 0.28 * height)
    stops = [
        (0.0, WHITE, 0.24 + 0.6 * gloss), (0.14, WHITE, 0.16 + 0.14 * gloss), (0.42, WHITE, 0.0),
        (0.7, BLACK, 0.1 * depth), (1.0, BLACK, 0.42 * depth),
    ]  # fmt: skip
    return glow(centre, 0.86 * max(width, height), stops)


def _soft(bounds: Any, depth: float, gloss: float) -> Any:
    """Light a gently curved face: a wide slanted sheen."""
    start = (bounds.left(), bounds.top())
    end = (bounds.left() + bounds.width() * 0.8, bounds.bottom())
    stops = [
        (0.0, WHITE, 0.06), (0.26, WHITE, 0.10 + 0.34 * gloss), (0.46, WHITE, 0.0),
        (0.66, BLACK, 0.0), (1.0, BLACK, 0.15 * depth),
    ]  # fmt: skip
    return gradient(start, end, stops)


def _sheet(bounds: Any, depth: float, gloss: float) -> Any:
    """Light a flat board: one faint sheen from corner to corner."""
    start, end = (bounds.left(), bounds.top()), (bounds.right(), bounds.bottom())
    stops = [
        (0.0, WHITE, 0.12 + 0.12 * gloss), (0.4, WHITE, 0.02), (0.46, WHITE, 0.06 + 0.25 * gloss),
        (0.56, WHITE, 0.0), (1.0, BLACK, 0.16 * depth),
    ]  # fmt: skip
    return gradient(start, end, stops)


_VOLUMES: Mapping[str, Any] = {
    "round": _round, "tall": _tall, "ball": _ball, "soft": _soft, "sheet": _sheet,
    "none": lambda bounds, depth, gloss: None,
}  # fmt: skip

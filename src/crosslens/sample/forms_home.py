"""Things for the home: light, seats, textiles and clocks."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin
from typing import Any

from crosslens.sample.canvas import RGB, darker, glow, lighter, shaded, skia
from crosslens.sample.shapes import Knot, box, lathe, outline, oval, ribbon, symmetric
from crosslens.sample.stage import BRASS, CHALK, GRAPHITE, OAK, STEEL, Stage
from crosslens.sample.wraps import ball, quad, tube

V = Mapping[str, str]
WALNUT: RGB = (116, 78, 52)


def lamp(s: Stage, v: V) -> None:
    """Draw a table lamp: the shade in the product's colour, on one of three feet."""
    _lamp_base(s, v["base"])
    top, low, y0, y1 = {
        "cone": (11.0, 31.0, 12.0, 48.0),
        "drum": (25.0, 27.0, 15.0, 46.0),
        "dome": (6.0, 30.0, 20.0, 48.0),
    }[v["shade"]]
    profile = [(y0, top), ((y0 + y1) / 2, (top + low) / 2), (y1, low)]
    if v["shade"] == "dome":
        profile = [(20.0, 6.0), (24.0, 17.0), (31.0, 25.0), (39.0, 29.0), (48.0, 30.0)]
    s.fill(oval(50, y1, low - 0.6, low * 0.15), (255, 236, 184), volume="none")
    body = lathe(profile, bend=0.12)
    s.fill(body, wrap=tube(profile, bend=0.12), volume="round")
    warm = glow((50, y1), 34, [(0, (255, 232, 170), 0.42), (1, (255, 232, 170), 0.0)])
    s.canvas.drawPath(body, shaded(warm))
    s.fill(oval(50, y0, top, top * 0.12), darker(s.colour, 0.25), volume="none", edge=0.3)
    for knots in ([(50 - low, y1 - 0.4), (50, y1 + low * 0.115), (50 + low, y1 - 0.4)],):
        s.line([(float(x), float(y)) for x, y in knots], 1.3, s.shadow_tone(0.25), 0.9)


def _lamp_base(s: Stage, base: str) -> None:
    if base == "tripod":
        for x in (30, 50, 70):
            s.fill(ribbon([(50, 46), (x, 89)], 3.0), OAK, material="wood", volume="round")
        s.metal(box(46, 50, 8, 5, 1.5), BRASS)
    elif base == "gourd":
        profile = [(44.0, 3.0), (52.0, 7.0), (58.0, 8.0), (62.0, 6.0), (70.0, 13.0), (79.0, 14.0),
            (87.0, 9.0)]
        tone = s.accent if s.patterned else CHALK
        s.fill(lathe(profile), tone, material="ceramic", volume="round")
        s.fill(box(39, 86, 22, 4, 1.4), WALNUT, material="wood", volume="round")
    else:
        s.metal(box(48.6, 40, 2.8, 46, 1), BRASS, volume="round")
        s.metal(oval(50, 87, 17, 3.6), BRASS)
        s.line([(60, 48), (60, 60)], 0.5, GRAPHITE, 0.9)
        s.metal(oval(60, 61.4, 1.2), BRASS, volume="ball")


_VASES: dict[str, list[tuple[float, float]]] = {
    "amphora": [(16, 9), (20, 7.5), (28, 8), (36, 15), (46, 23), (56, 24), (68, 19), (80, 12),
        (88, 11)],
    "bottle": [(12, 6), (30, 5), (44, 6), (54, 14), (64, 22), (74, 24), (83, 20), (88, 16)],
    "cylinder": [(20, 16), (40, 16), (60, 16), (88, 15)],
    "trumpet": [(16, 24), (24, 17), (36, 11), (52, 9), (66, 12), (78, 17), (88, 17)],
}


def vase(s: Stage, v: V) -> None:
    """Draw a vase, empty or with dried stems."""
    profile = _VASES[v["form"]]
    y, radius = profile[0]
    if v["stems"] == "flowers":
        s.canvas.save()
        s.canvas.translate(10, 18)
        s.canvas.scale(0.8, 0.8)
        _stems(s, 50, y + 2)
    s.fill(oval(50, y, radius, radius * 0.2 + 0.6), darker(s.colour, 0.5), volume="none")
    body = lathe(profile)
    s.fill(body, wrap=tube(profile), volume="round")
    s.stroke(oval(50, y, radius, radius * 0.2 + 0.6), lighter(s.colour, 0.35), 1.1, 0.9)
    if v["stems"] == "flowers":
        s.canvas.restore()


def _stems(s: Stage, x: float, y: float) -> None:
    for i, (dx, dy) in enumerate(((-17, -24), (-8, -36), (2, -42), (11, -33), (19, -22))):
        s.line([(x + dx * 0.12, y), (x + dx * 0.5, y + dy * 0.5), (x + dx, y + dy)], 1.1,
            (118, 140, 84), 1)
        tone: RGB = ((236, 220, 196), (228, 178, 160), (246, 240, 226))[i % 3]
        for k in range(5):
            a = k * 2 * pi / 5 + i
            s.spot(oval(x + dx + 3.2 * cos(a), y + dy + 3.2 * sin(a), 3.0), darker(tone, 0.05 * k))
        s.spot(oval(x + dx, y + dy, 2.2), (226, 178, 84))


def chair(s: Stage, v: V) -> None:
    """Draw a chair: padded seat and back on wooden, metal or swivel legs."""
    legs = v["legs"]
    _back_legs(s, legs)
    if v["arms"] == "arms":
        for side in (-1, 1):
            s.fill(ribbon([(50 + side * 27, 60), (50 + side * 29, 46), (50 + side * 27, 41),
                (50 + side * 21, 39)], 3.2), _leg_tone(legs), material="wood", volume="round")
    if v["back"] == "slatted":
        for x in (32, 41, 50, 59, 68):
            s.fill(box(x - 2, 12, 4, 48, 1.6), volume="round")
        s.fill(box(27, 9, 46, 8, 3), volume="tall")
    else:
        back = (box(28, 8, 44, 48, 7) if v["back"] == "square" else symmetric([(50, 6), (66, 10),
            (73, 28), (71, 48), (64, 56), (50, 57)]))
        s.fill(back, wrap=quad([(28, 8), (72, 8), (73, 57), (27, 57)], 44, 49), volume="soft")
    s.shade(oval(50, 58, 22, 2.6), 0.4, 1.6)
    seat = symmetric([(50, 54), (70, 55), (77, 62), (78, 67), (74, 70), (50, 71.4)])
    s.fill(seat, wrap=quad([(30, 54), (70, 54), (80, 71), (20, 71)], 52, 24), volume="tall")
    _front_legs(s, legs)


def _leg_tone(legs: str) -> RGB:
    return OAK if legs == "wooden" else GRAPHITE


def _back_legs(s: Stage, legs: str) -> None:
    if legs == "swivel":
        s.metal(box(48, 68, 4, 16, 1), STEEL, volume="round")
        for x in (22, 36, 64, 78):
            s.fill(ribbon([(50, 81), (x, 86)], 3.2), GRAPHITE, material="metal", volume="tall")
            s.fill(oval(x, 88, 2.6), (40, 42, 48), volume="ball", material="rubber")
        return
    for x0, x1 in ((35, 32), (65, 68)):
        s.fill(ribbon([(x0, 62), (x1, 85)], 2.6), darker(_leg_tone(legs), 0.4), volume="round",
            material="wood")


def _front_legs(s: Stage, legs: str) -> None:
    if legs == "wooden":
        for side in (-1, 1):
            body: list[Knot] = [(50 + side * 21, 70, 1), (50 + side * 26.4, 69, 1),
                (50 + side * 29, 90, 1), (50 + side * 26.6, 90, 1)]
            s.fill(outline(body), OAK, material="wood", volume="round")
    elif legs == "metal":
        for side in (-1, 1):
            s.fill(ribbon([(50 + side * 25, 69), (50 + side * 25.6, 89)], 2.0), GRAPHITE,
                material="metal", volume="round")
        s.line([(25, 79), (75, 79)], 1.3, GRAPHITE, 1)


def sofa(s: Stage, v: V) -> None:
    """Draw a sofa with one, two or three seats."""
    half = {"armchair": 30.0, "loveseat": 39.0, "three-seater": 46.0}[v["seats"]]
    seats = {"armchair": 1, "loveseat": 2, "three-seater": 3}[v["seats"]]
    inner = half - 8
    for side in (-1, 1):
        x = 50 + side * (half - 5)
        if v["legs"] == "wooden":
            s.fill(outline([(x - 2.6, 82, 1), (x + 2.6, 82, 1), (x + side * 2 + 1.2, 90, 1),
                (x + side * 2 - 1.2, 90, 1)]), OAK, material="wood", volume="round")
        else:
            s.fill(box(x - 3, 84, 6, 6, 1), GRAPHITE, material="metal", volume="round")
    high = 30.0 if v["seats"] == "armchair" else 38.0
    back = box(50 - half + 3, high, 2 * half - 6, 44, 7)
    s.fill(back, wrap=quad([(50 - half, high), (50 + half, high), (50 + half, 82),
        (50 - half, 82)], 2 * half, 44))
    width = 2 * inner / seats
    for i in range(seats):
        x = 50 - inner + i * width
        s.fill(box(x + 0.4, high + 4, width - 0.8, 30, 5),
            wrap=quad([(x, high + 4), (x + width, high + 4), (x + width, high + 34),
            (x, high + 34)], width, 30))
        if v["back"] == "tufted":
            _tufts(s, x, high + 4, width)
    s.shade(box(50 - inner, 64, 2 * inner, 5, 2), 0.35, 1.8)
    s.fill(box(50 - half + 2, 72, 2 * half - 4, 13, 3), volume="tall")
    for i in range(seats):
        x = 50 - inner + i * width
        s.fill(box(x + 0.4, 64, width - 0.8, 12, 4), wrap=quad([(x + 1, 64), (x + width - 1, 64),
            (x + width, 76), (x, 76)], width, 12), volume="tall")
    for side in (-1, 1):
        x = 50 + side * (half - 5) - 5.6
        s.fill(box(x, high + 16, 11.2, 69 - high, 5),
            wrap=quad([(x, high + 16), (x + 11, high + 16), (x + 11, 85), (x, 85)], 11, 69 - high),
            volume="soft")


def _tufts(s: Stage, x: float, y: float, width: float) -> None:
    for row in range(2):
        for column in range(3):
            px, py = x + width * (column + 0.5) / 3, y + 9 + row * 10
            s.shade(oval(px, py, 2.2, 1.8), 0.3, 1.0)
            s.spot(oval(px, py, 1.0), s.shadow_tone(0.5))


def cushion(s: Stage, v: V) -> None:
    """Draw a cushion: square, round, oblong or a star."""
    bodies: dict[str, Any] = {
        "square": outline([(12, 14, 1), (50, 19), (88, 14, 1), (84, 50), (88, 87, 1), (50, 83),
            (12, 87, 1), (16, 50)]),
        "round": oval(50, 50, 39),
        "oblong": outline([(5, 28, 1), (50, 32), (95, 28, 1), (92, 50), (95, 74, 1), (50, 70),
            (5, 74, 1), (8, 50)]),
        "star": _soft_star(),
    }
    body = bodies[v["shape"]]
    edge = s.accent if s.patterned else s.shadow_tone(0.3)
    if v["trim"] == "fringed":
        _fringe(s, body, edge)
    s.fill(body, wrap=ball(50, 50, 52, 52), volume="ball")
    if v["trim"] == "piped":
        s.stroke(body, edge, 1.6)
    elif v["trim"] == "tufted":
        s.shade(oval(50, 50, 7), 0.35, 4)
        s.fill(oval(50, 50, 3.2), edge, volume="ball")
    for knots in ([(20, 21), (29, 27), (34, 35)], [(80, 80), (72, 74), (68, 67)],
        [(80, 21), (72, 28)], [(21, 80), (30, 73)]):
        if v["shape"] in ("square", "star"):
            s.line([(float(x), float(y)) for x, y in knots], 1.2, alpha=0.16)


def _soft_star() -> Any:
    knots: list[Knot] = []
    for i in range(10):
        reach, angle = (43.0 if i % 2 == 0 else 25.0), pi * i / 5 - pi / 2
        knots.append((50 + reach * cos(angle), 52 + reach * sin(angle)))
    return outline(knots, tension=0.24)


def _fringe(s: Stage, body: Any, tone: RGB) -> None:
    brush_width = 7.0
    module = skia()
    paint = module.Paint(AntiAlias=True,
        Color=(255 << 24) | (tone[0] << 16) | (tone[1] << 8) | tone[2])
    paint.setStyle(module.Paint.kStroke_Style)
    paint.setStrokeWidth(brush_width)
    paint.setPathEffect(module.DashPathEffect.Make([1.3, 0.9], 0))
    s.canvas.drawPath(body, paint)


def clock(s: Stage, v: V) -> None:
    """Draw a clock: a wall clock, a twin-bell alarm clock or one that stands."""
    y = 50.0
    if v["style"] == "alarm":
        y = 56.0
        for side in (-1, 1):
            s.fill(ribbon([(50 + side * 18, 80), (50 + side * 25, 89)], 4.6), GRAPHITE,
                material="metal", volume="round")
            bell = outline([(50 + side * 8, 23, 1), (50 + side * 13, 11), (50 + side * 25, 12),
                (50 + side * 31, 27, 1)])
            s.metal(bell, BRASS, volume="ball")
        s.fill(ribbon([(36, 14), (42, 6), (50, 4), (58, 6), (64, 14)], 2.2), GRAPHITE,
            material="metal", volume="tall")
    radius = 33.0 if v["style"] == "alarm" else 39.0
    square = v["style"] == "square"
    frame: Any = (box(50 - radius, y - radius, 2 * radius, 2 * radius, 9) if square else oval(50,
        y, radius))
    face: Any = (box(58 - radius, y - radius + 8, 2 * radius - 16, 2 * radius - 16,
        5) if square else oval(50, y, radius - 8))
    s.fill(frame, wrap=ball(50, y, radius, radius), volume="ball")
    s.shade(face, 0.35, 1.2)
    s.fill(face, CHALK, volume="sheet", material="plastic", edge=0.4)
    _clock_marks(s, v["marks"], y, radius - 8)
    _hands(s, y, radius - 8)


def _clock_marks(s: Stage, marks: str, y: float, radius: float) -> None:
    for hour in range(1, 13):
        c, d = cos(hour * pi / 6 - pi / 2), sin(hour * pi / 6 - pi / 2)
        if marks == "dots":
            s.spot(oval(50 + c * (radius - 4), y + d * (radius - 4),
                1.9 if hour % 3 == 0 else 1.1), GRAPHITE)
        elif marks == "lines" or hour % 3:
            s.line([(50 + c * (radius - 2), y + d * (radius - 2)), (50 + c * (radius - 5),
                y + d * (radius - 5))], 1.0, GRAPHITE, 1)
        else:
            _bars(s, hour, 50 + c * (radius - 6), y + d * (radius - 6))


def _bars(s: Stage, hour: int, x: float, y: float) -> None:
    """Mark a quarter in Roman figures, drawn as strokes."""
    figures = {12: "XII", 3: "III", 6: "VI", 9: "IX"}[hour]
    widths = {"X": 3.4, "V": 3.2, "I": 1.7}
    left = x - sum(widths[f] for f in figures) / 2
    for figure in figures:
        width = widths[figure]
        a, b = left + 0.4, left + width - 0.4
        strokes: dict[str, list[list[Knot]]] = {
            "I": [[(left + width / 2, y - 3), (left + width / 2, y + 3)]],
            "V": [[(a, y - 3), ((a + b) / 2, y + 3, 1), (b, y - 3)]],
            "X": [[(a, y - 3), (b, y + 3)], [(b, y - 3), (a, y + 3)]],
        }
        for knots in strokes[figure]:
            s.line(knots, 0.95, GRAPHITE, 1)
        left += width


def _hands(s: Stage, y: float, radius: float) -> None:
    s.line([(50, y), (50 - radius * 0.42, y - radius * 0.28)], 2.6, GRAPHITE, 1)
    s.line([(50, y), (50 + radius * 0.38, y - radius * 0.62)], 1.8, GRAPHITE, 1)
    s.line([(50, y), (50 + radius * 0.1, y + radius * 0.72)], 0.8, (214, 78, 62), 1)
    s.spot(oval(50, y, 2.2), (214, 78, 62))


def stool(s: Stage, v: V) -> None:
    """Draw a stool: a round bar stool, a low one or a padded pouf."""
    if v["style"] == "pouf":
        for x in (26, 74):
            if v["legs"] == "wooden":
                s.fill(box(x - 3, 82, 6, 9, 1), OAK, material="wood", volume="round")
            else:
                s.metal(box(x - 2, 82, 4, 9, 1), STEEL, volume="round")
        profile = [(36.0, 30.0), (42.0, 36.0), (56.0, 39.0), (72.0, 38.0), (81.0, 32.0)]
        s.fill(lathe(profile, bend=0.14), wrap=tube(profile, bend=0.2), volume="round")
        s.fill(oval(50, 37, 32, 9), wrap=quad([(20, 28), (80, 28), (86, 46), (14, 46)], 62, 60),
            volume="soft")
        for x in (-24, -8, 8, 24):
            s.line([(50 + x, 44.6 - abs(x) * 0.07), (50 + x * 1.28, 62), (50 + x * 1.05,
                82 - abs(x) * 0.08)], 0.9, alpha=0.5)
        return
    top = 24.0 if v["style"] == "bar" else 48.0
    tone, metal = (OAK, False) if v["legs"] == "wooden" else (STEEL, True)
    for side, foot in ((-1, 84.0), (1, 84.0)):
        s.fill(ribbon([(50 + side * 9, top + 4), (50 + side * 12, foot)], 3.0), darker(tone, 0.35),
            material="metal" if metal else "wood", volume="round")
    y = top + (88 - top) * 0.62
    s.fill(ribbon([(50 - 21, y), (50 + 21, y)], 2.2), darker(tone, 0.15),
        material="metal" if metal else "wood", volume="tall")
    for side in (-1, 1):
        s.fill(ribbon([(50 + side * 18, top + 6), (50 + side * 24, 88)], 3.6), tone,
            material="metal" if metal else "wood", volume="round")
    body = symmetric([(50, top - 7), (70, top - 5), (77, top + 1), (76, top + 7), (66, top + 11),
        (50, top + 12)])
    s.fill(body, wrap=quad([(28, top - 8), (72, top - 8), (80, top + 12), (20, top + 12)], 54, 34),
        volume="tall")
    s.line([(24, top + 4), (36, top + 8), (50, top + 8.6), (64, top + 8), (76, top + 4)], 0.8)


def rug(s: Stage, v: V) -> None:
    """Draw a rug on the floor, seen from above."""
    if v["shape"] == "round":
        body, wrap = oval(50, 52, 44, 40), quad([(6, 12), (94, 12), (94, 92), (6, 92)], 84, 80)
        inner: Any = oval(50, 52, 38, 34.4)
    elif v["shape"] == "runner":
        body, wrap = box(28, 4, 44, 92, 1), quad([(28, 4), (72, 4), (72, 96), (28, 96)], 44, 92)
        inner = box(32, 8, 36, 84, 0.6)
    else:
        body, wrap = box(6, 20, 88, 62, 1), quad([(6, 20), (94, 20), (94, 82), (6, 82)], 88, 62)
        inner = box(11, 25, 78, 52, 0.6)
    if v["edge"] == "fringed" and v["shape"] != "round":
        _rug_tassels(s, v["shape"])
    elif v["edge"] == "fringed":
        _fringe(s, body, CHALK)
    s.fill(body, wrap=wrap, volume="sheet", edge=0.7)
    if v["edge"] == "bordered":
        tone = s.accent if s.patterned else s.shadow_tone(0.35)
        s.stroke(inner, tone, 2.6)
        s.stroke(inner, lighter(tone, 0.4), 0.6)


def _rug_tassels(s: Stage, shape: str) -> None:
    if shape == "runner":
        for i in range(21):
            for y, dy in ((4, -4), (96, 4)):
                s.line([(29 + i * 2.1, y), (29 + i * 2.1, y + dy)], 1.0, CHALK, 1)
        return
    for i in range(29):
        for x, dx in ((6, -4.5), (94, 4.5)):
            s.line([(x, 21 + i * 2.14), (x + dx, 21.4 + i * 2.14)], 1.1, CHALK, 1)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "table lamp": lamp, "vase": vase, "chair": chair, "sofa": sofa, "cushion": cushion,
    "clock": clock, "stool": stool, "rug": rug,
}

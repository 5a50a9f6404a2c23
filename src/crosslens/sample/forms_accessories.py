"""Caps, scarves, umbrellas, sunglasses and watches."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin
from typing import Any

from crosslens.sample.canvas import WHITE, darker, lighter
from crosslens.sample.shapes import Knot, arc, box, outline, oval, reflect, ribbon, ring, symmetric
from crosslens.sample.stage import BRASS, CHALK, GRAPHITE, OAK, STEEL, Stage
from crosslens.sample.wraps import ball, band, quad

V = Mapping[str, str]


def hat(s: Stage, v: V) -> None:
    """Draw a hat: a cap with a visor, a bucket hat, a beanie or a wide sun hat."""
    {"baseball": _cap, "bucket": _bucket, "beanie": _beanie, "wide-brim": _sun_hat}[v["style"]](s)


def _cap(s: Stage) -> None:
    dome = outline([(20, 62, 1), (22, 42), (36, 27), (52, 25), (68, 31), (78, 48), (79, 63, 1),
        (50, 67)])
    s.fill(dome, wrap=ball(50, 62, 32, 40), volume="soft")
    for x, low in ((37, 30), (52, 52), (66, 73)):
        s.line([(51, 26), ((x + low) / 2 + (x - 50) * 0.2, 42), (low, 65)], 0.7)
    s.fill(oval(51, 25.4, 2.4, 1.5), s.shadow_tone(0.25), volume="ball")
    visor = outline([(19.4, 60, 1), (8, 66), (2, 74), (5, 78), (24, 74), (50, 72.5), (60, 68, 1),
        (44, 62)])
    s.fill(visor, s.accent if s.patterned else s.shadow_tone(0.2), material=s.design.material)
    s.stitch([(9, 72), (24, 69), (52, 68.6)], lighter(s.colour, 0.5))


def _bucket(s: Stage) -> None:
    crown = symmetric([(50, 24), (66, 25.5), (71, 30), (75, 58, 1), (50, 63)])
    s.fill(crown, wrap=ball(50, 52, 30, 34), volume="round")
    brim = symmetric([(50, 58), (74, 53, 1), (90, 74), (88, 78), (50, 84)])
    s.fill(brim, wrap=quad([(26, 53), (74, 53), (92, 80), (8, 80)], 72, 26), volume="tall")
    for k in (4, 8, 12, 16):
        s.stitch([(27 - k * 0.75, 56 + k), (50, 61 + k), (73 + k * 0.75, 56 + k)])


def _beanie(s: Stage) -> None:
    dome = symmetric([(50, 20), (66, 25), (76, 42), (78, 66, 1), (50, 70)])
    s.fill(dome, wrap=ball(50, 60, 30, 42), volume="round", material="wool")
    cuff = symmetric([(50, 62), (79, 59, 1), (81, 66), (79, 80, 1), (50, 84)])
    s.fill(cuff, s.shadow_tone(0.16), volume="round", material="wool")
    for x in range(-28, 29, 4):
        s.line([(50 + x, 61.8 - abs(x) * 0.06), (50 + x * 1.01, 82.6 - abs(x) * 0.08)], 0.8,
            alpha=0.4)
    tone = s.accent if s.patterned else lighter(s.colour, 0.2)
    s.fill(oval(50, 16, 9), tone, volume="ball", material="plush", edge=0)
    for i in range(28):
        a = i * 2.4
        s.line([(50 + 6 * cos(a), 16 + 6 * sin(a)), (50 + 10 * cos(a), 16 + 10 * sin(a))], 1.1,
            tone, 0.8)


def _sun_hat(s: Stage) -> None:
    s.fill(oval(50, 64, 45, 15), wrap=ball(50, 64, 46, 30), volume="soft")
    s.shade_inside(oval(50, 64, 45, 15), oval(52, 63, 28, 8), 0.35, 3)
    crown = symmetric([(50, 24), (62, 25), (70, 34), (73, 60), (66, 65), (50, 67)])
    s.fill(crown, wrap=ball(50, 52, 26, 32), volume="round")
    tone = s.accent if s.patterned else s.shadow_tone(0.5)
    s.fill(outline([(27.4, 51, 1), (50, 57), (72.6, 51, 1), (73, 59, 1), (50, 66), (27, 59, 1)]),
        tone, material="satin", volume="round")


def scarf(s: Stage, v: V) -> None:
    """Draw a scarf: hanging long, looped or a folded square."""
    {"long": _long_scarf, "loop": _loop_scarf, "square": _square_scarf}[v["style"]](s)


def _tail(s: Stage, spine: list[tuple[float, float]], width: float, fringe: bool) -> None:
    s.fill(_flat_band(spine, width), wrap=band(spine, width), volume="round")
    (ax, ay), (bx, by) = spine[-2], spine[-1]
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
    dx, dy = (bx - ax) / length, (by - ay) / length
    for i in range(9):
        off = (i / 8 - 0.5) * (width - 1.5)
        x, y = bx - dy * off, by + dx * off
        if fringe:
            s.line([(x, y), (x + dx * 6 + (i % 3 - 1) * 0.5, y + dy * 6)], 1.0, s.accent, 0.95)


def _flat_band(spine: list[tuple[float, float]], width: float) -> Any:
    half = width / 2
    left: list[Knot] = []
    right: list[Knot] = []
    for i, (x, y) in enumerate(spine):
        (ax, ay), (bx, by) = spine[max(0, i - 1)], spine[min(len(spine) - 1, i + 1)]
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        nx, ny = -(by - ay) / length * half, (bx - ax) / length * half
        sharp: tuple[float, ...] = (1,) if i in (0, len(spine) - 1) else ()
        left.append((x + nx, y + ny, *sharp))
        right.append((x - nx, y - ny, *sharp))
    return outline(left + right[::-1])


def _long_scarf(s: Stage) -> None:
    _tail(s, [(36, 22), (33, 45), (35, 62), (32, 82)], 18, True)
    _tail(s, [(64, 22), (66, 45), (63, 60), (66, 90)], 18, True)
    for width, y in ((20, 15), (20, 24)):
        spine = [(24.0, y - 1.0), (38.0, y + 5.0), (50.0, y + 7.0), (62.0, y + 5.0),
            (76.0, y - 1.0)]
        s.fill(_flat_band(spine, width * 0.78), wrap=band(spine, width), volume="tall")


def _loop_scarf(s: Stage) -> None:
    for x, y, rx, ry, width in ((50, 58, 25, 28, 15), (50, 36, 30, 17, 16)):
        spine = [(k[0], k[1]) for k in arc(x, y, rx, ry, -90, 360, 19)]
        body = ring(x, y, rx, ry, width)
        s.shade(body, 0.25, 2)
        s.fill(body, wrap=band(spine, width), volume="soft")
        s.stroke(oval(x, y, rx + 3, ry + 3), s.shadow_tone(0.5), 0.7, 0.25)
        s.stroke(oval(x, y, rx - 4, ry - 4), s.shadow_tone(0.5), 0.7, 0.25)


def _square_scarf(s: Stage) -> None:
    s.fill(outline([(50, 8, 1), (92, 50, 1), (50, 92, 1), (8, 50, 1)]), s.accent,
        material=s.design.material)
    inner: list[Knot] = [(50, 15, 1), (85, 50, 1), (50, 85, 1), (15, 50, 1)]
    s.fill(outline(inner), wrap=quad([(50, 15), (85, 50), (50, 85), (15, 50)], 50, 50),
        volume="sheet")
    for knots in ([(50, 8), (54, 40), (50, 92)], [(8, 50), (40, 53), (92, 50)]):
        s.line([(float(x), float(y)) for x, y in knots], 1.0, alpha=0.22)
        s.line([(float(x + 1.2), float(y + 1.2)) for x, y in knots], 1.0, WHITE, 0.3)


def umbrella(s: Stage, v: V) -> None:
    """Draw an umbrella: open with a hooked or straight handle, or closed."""
    if v["state"] == "closed":
        _closed_umbrella(s, v["handle"])
        return
    _handle(s, 50, 40, 90, v["handle"])
    s.line([(50, 8), (50, 14)], 1.8, STEEL, 1)
    rim = [(8, 52), (22, 46), (36, 52), (50, 47), (64, 52), (78, 46), (92, 52)]
    canopy: list[Knot] = [(50, 12), (72, 18), (88, 35), (92, 52, 1), (85, 47.5), (78, 47),
        (71, 48.5), (64, 53, 1), (57, 49), (50, 48.5), (43, 49), (36, 53, 1), (29, 48.5), (22, 47),
        (15, 47.5), (8, 52, 1), (12, 35), (28, 18)]
    body = outline(canopy)
    s.fill(body, wrap=ball(50, 53, 43, 42), volume="ball")
    for x, y in (rim[2], rim[4]):
        s.line([(50, 12), ((50 + x) / 2 + (x - 50) * 0.18, 28), (x, y + 1)], 0.7)


def _handle(s: Stage, x: float, top: float, bottom: float, kind: str) -> None:
    s.line([(x, top, 1), (x, bottom - 6, 1)], 1.6, STEEL, 1)
    if kind == "hooked":
        s.fill(ribbon([(x, bottom - 18), (x, bottom - 6), (x + 2, bottom - 1), (x + 6, bottom),
            (x + 10, bottom - 3), (x + 10, bottom - 8)], 3.4), OAK, material="wood", volume="round")
    else:
        s.fill(box(x - 2.4, bottom - 16, 4.8, 17, 2), GRAPHITE, material="rubber", volume="round")


def _closed_umbrella(s: Stage, kind: str) -> None:
    _handle(s, 50, 58, 93, kind)
    s.line([(50, 3), (50, 10)], 1.6, STEEL, 1)
    body = symmetric([(50, 8), (53, 10), (59, 52), (62, 66, 1), (50, 71)])
    spine = [(50.0, 8.0), (50.0, 40.0), (50.0, 70.0)]
    s.fill(body, wrap=band(spine, [7, 16, 26]), volume="round", scale=0.8)
    for low in (-8, -3, 4, 9):
        s.line([(50 + low * 0.15, 10), (50 + low * 0.8, 50), (50 + low, 67)], 0.8, alpha=0.5)
    s.fill(box(42.4, 42, 15.2, 3.6, 1), s.shadow_tone(0.3), volume="round")


_LENSES: dict[str, list[Knot]] = {
    "round": arc(71, 50, 16, 16, 0, 330, 12),
    "cat-eye": [(56, 46), (66, 38), (90, 32, 1), (88, 52), (78, 62), (64, 61)],
    "aviator": [(56, 40), (72, 37), (88, 41), (87, 56), (77, 67), (65, 64), (57, 53)],
    "square": [(56, 37, 1), (89, 36, 1), (87, 61), (82, 64), (61, 64), (57, 60)],
}


def sunglasses(s: Stage, v: V) -> None:
    """Draw sunglasses seen from the front."""
    lens = _LENSES[v["frame"]]
    dark = {"dark": (38, 40, 46), "brown": (120, 74, 44), "mirrored": (120, 170, 220)}[v["lens"]]
    thick = 3.4 if v["frame"] == "aviator" else 5.4
    for knots in (lens, reflect(lens)):
        _one_lens(s, outline(knots), dark, mirrored=v["lens"] == "mirrored")
    s.fill(ribbon([(40, 46), (45, 42), (50, 41), (55, 42), (60, 46)], thick), volume="tall",
        scale=0.6)
    for knots in (lens, reflect(lens)):
        path = ribbon([*knots, knots[0], knots[1]], thick)
        s.fill(path, volume="tall", scale=0.6)
    for side in (-1, 1):
        s.fill(outline([(50 + side * 38, 38, 1), (50 + side * 46, 40, 1), (50 + side * 46, 47),
            (50 + side * 39, 47, 1)]), volume="tall", scale=0.6)


def _one_lens(s: Stage, glass: Any, tone: tuple[int, int, int], *, mirrored: bool) -> None:
    s.fill(glass, tone, volume="tall", material="plastic")
    s.canvas.save()
    s.canvas.clipPath(glass, True)
    bounds = glass.getBounds()
    x, y = bounds.left(), bounds.top()
    for off, width in ((8, 7), (19, 3)):
        shine = outline([(x + off + 8, y - 2, 1), (x + off + 8 + width, y - 2, 1),
            (x + off - 8 + width, y + 36, 1), (x + off - 8, y + 36, 1)])
        s.spot(shine, WHITE, 0.42 if mirrored else 0.2)
    s.canvas.restore()


def watch(s: Stage, v: V) -> None:
    """Draw a wrist watch: the strap in the product's colour, a dial with hands or digits."""
    square = v["face"] == "square"
    radius = 21.0
    for y0, y1 in ((36, 4), (64, 96)):
        spine = [(50.0, float(y0)), (50.0, (y0 + y1) / 2), (50.0, float(y1))]
        strap = outline([(50 - 14, y0, 1), (50 + 14, y0, 1), (50 + 10, y1, 1), (50 - 10, y1, 1)])
        s.fill(strap, wrap=band(spine, [30, 26, 22]), volume="round", scale=0.72)
        if s.design.material == "metal":
            for i in range(1, 6):
                y = y0 + (y1 - y0) * i / 6
                s.line([(38.4, y, 1), (61.6, y, 1)], 1.0, darker(s.colour, 0.5), 0.8)
        else:
            for side in (-1, 1):
                s.stitch([(50 + side * 11.5, y0, 1), (50 + side * 8, y1, 1)])
    case = BRASS if v["face"] == "round" and s.chance(0.5) else STEEL
    shape: Callable[[float], Any] = ((lambda r: box(50 - r * 0.92, 50 - r, 1.84 * r, 2 * r,
        r * 0.32)) if square else (lambda r: oval(50, 50, r)))
    s.shade(shape(radius + 3), 0.4, 1.6)
    s.metal(box(71, 47, 5, 6, 1.4), case)
    s.fill(shape(radius + 2.6), case, material="metal", volume="ball")
    _dial(s, shape(radius - 0.8), radius, v["dial"])


def _dial(s: Stage, face: Any, radius: float, dial: str) -> None:
    tone, mark = ((26, 28, 34), CHALK) if dial != "hands" else (CHALK, GRAPHITE)
    s.fill(face, tone, volume="sheet", material="plastic")
    if dial == "digital":
        _digits(s)
        return
    if dial == "chronograph":
        for x, y in ((41, 50), (59, 50), (50, 59.5)):
            s.stroke(oval(x, y, 4.6), mark, 0.7, 0.9)
            s.line([(x, y), (x + 2, y - 3)], 0.7, (226, 92, 70), 1)
    for i in range(12):
        c, d = cos(i * pi / 6), sin(i * pi / 6)
        width = 1.5 if i % 3 == 0 else 0.8
        s.line([(50 + c * (radius - 5.4), 50 + d * (radius - 5.4)), (50 + c * (radius - 3),
            50 + d * (radius - 3))], width, mark, 1)
    s.line([(50, 50), (42, 43)], 1.8, mark, 1)
    s.line([(50, 50), (59, 38)], 1.2, mark, 1)
    s.spot(oval(50, 50, 1.5), (214, 92, 70))


def _digits(s: Stage) -> None:
    glow = (132, 232, 214)
    for x, figure in ((37, "1"), (42.5, "0"), (51.5, "0"), (58.5, "8")):
        s.stroke(box(x + (2.6 if figure == "1" else 0), 44, 0.1 if figure == "1" else 4.6, 11,
            0.6), glow, 1.4)
        if figure == "8":
            s.line([(x, 49.5), (x + 4.6, 49.5)], 1.3, glow, 1)
    for y in (47, 52):
        s.spot(oval(49.3, y, 0.8), glow)
    s.stroke(arc_path(50, 50, 17), (240, 130, 90), 1.6)


def arc_path(x: float, y: float, radius: float) -> Any:
    """Return three quarters of a ring, for a progress bar."""
    return outline(arc(x, y, radius, radius, 130, 250, 15), closed=False)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "hat": hat, "scarf": scarf, "umbrella": umbrella, "sunglasses": sunglasses, "watch": watch,
}

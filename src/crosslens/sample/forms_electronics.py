"""Electronics: sound, screens, cameras and fans."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin
from typing import Any

from crosslens.sample.canvas import RGB, WHITE, glow, gradient, lighter, shaded
from crosslens.sample.shapes import Knot, box, lathe, outline, oval, ribbon, symmetric
from crosslens.sample.stage import BRASS, CHALK, GRAPHITE, STEEL, Stage
from crosslens.sample.wraps import ball, band, quad, tube

V = Mapping[str, str]
SCREEN: RGB = (24, 27, 36)


def headphones(s: Stage, v: V) -> None:
    """Draw headphones: over the ear, on the ear or with a microphone."""
    arch: list[Knot] = [(21, 62), (20, 40), (30, 20), (50, 12), (70, 20), (80, 40), (79, 62)]
    flat_arch = [(k[0], k[1]) for k in arch]
    s.fill(ribbon(arch, 3.0), STEEL, material="metal", volume="round")
    s.fill(ribbon(arch[1:-1], 8.4), wrap=band(flat_arch, 9), volume="soft", scale=0.8)
    s.fill(ribbon([(32, 22), (50, 16.6), (68, 22)], 3.4), GRAPHITE, material="leather",
        volume="tall")
    wide = 12.0 if v["style"] == "over-ear" else 9.0
    for side in (-1, 1):
        x = 50 + side * 28
        s.fill(oval(x - side * 4.5, 66, wide * 0.7, wide * 1.5), GRAPHITE, material="leather",
            volume="soft")
        cup = oval(x + side * 2.5, 66, wide * 0.92, wide * 1.55)
        s.fill(cup, wrap=ball(x + side * 2, 66, wide + 4, wide * 1.6), volume="ball", scale=0.9)
        if v["cups"] == "ringed":
            s.stroke(oval(x + side * 3.5, 66, wide * 0.58, wide), BRASS, 1.6)
        elif v["cups"] == "lit":
            s.stroke(oval(x + side * 3.5, 66, wide * 0.58, wide), (120, 240, 226), 3.0, 0.35)
            s.stroke(oval(x + side * 3.5, 66, wide * 0.58, wide), (190, 255, 246), 1.2)
    if v["style"] == "gaming":
        s.fill(ribbon([(24, 78), (30, 90), (46, 92)], 2.2), GRAPHITE, material="rubber",
            volume="tall")
        s.fill(box(44, 88.6, 11, 6.6, 3.3), GRAPHITE, material="rubber", volume="tall")


def speaker(s: Stage, v: V) -> None:
    """Draw a loudspeaker: a box, a can or a smart ball."""
    {
        "box": _box_speaker, "cylinder": _can_speaker, "retro": _retro_speaker,
    }[v["form"]](s, v["control"])


def _cone(s: Stage, x: float, y: float, radius: float) -> None:
    s.fill(oval(x, y, radius), (70, 73, 80), material="metal", volume="ball")
    s.fill(oval(x, y, radius * 0.86), (34, 36, 42), volume="none", edge=0)
    s.canvas.drawPath(oval(x, y, radius * 0.8), shaded(glow((x, y), radius * 0.8,
        [(0, (22, 24, 28), 1), (0.8, (74, 78, 86), 1), (1, (40, 42, 48), 1)])))
    s.fill(oval(x, y, radius * 0.32), (88, 92, 100), material="metal", volume="ball", edge=0.3)


def _box_speaker(s: Stage, control: str) -> None:
    body = box(26, 12, 48, 78, 5)
    s.fill(body, wrap=quad([(26, 12), (74, 12), (74, 90), (26, 90)], 48, 78), volume="soft")
    _cone(s, 50, 33, 10.5)
    _cone(s, 50, 64, 18)
    _controls(s, control, 50, 86)


def _can_speaker(s: Stage, control: str) -> None:
    profile = [(20.0, 24.0), (50.0, 24.5), (88.0, 24.0)]
    s.fill(lathe(profile, bend=0.12), wrap=tube(profile), volume="round")
    for i in range(9):
        for j in range(7):
            angle = (j - 3) * 0.36 + (i % 2) * 0.18
            x, y = 50 + 24.4 * sin(angle), 54 + i * 3.4 + 3 * cos(angle)
            s.spot(oval(x, y, 0.9 * cos(angle), 0.9), (20, 20, 26), 0.75)
    s.fill(oval(50, 20, 24, 4.6), s.shadow_tone(0.25), material="plastic", volume="tall")
    s.stroke(oval(50, 20, 21, 3.6), (120, 226, 240), 1.0)
    _controls(s, control, 50, 42)


def _retro_speaker(s: Stage, control: str) -> None:
    s.fill(ribbon([(26, 36), (27, 24), (50, 20), (73, 24), (74, 36)], 3), BRASS, material="metal",
        volume="tall")
    for x in (18, 76):
        s.fill(box(x, 84, 6, 6, 1), (110, 74, 48), material="wood", volume="round")
    body = box(8, 34, 84, 52, 7)
    s.fill(body, wrap=quad([(8, 34), (92, 34), (92, 86), (8, 86)], 84, 52), volume="soft")
    grille = box(14, 41, 44, 38, 4)
    s.fill(grille, (224, 208, 178), material="canvas", volume="sheet")
    for i in range(9):
        s.line([(15, 45 + i * 3.9), (57, 45 + i * 3.9)], 0.6, (150, 128, 96), 0.7)
    _cone(s, 36, 60, 12)
    s.fill(box(63, 43, 23, 11, 2), (250, 240, 212), material="plastic", volume="tall")
    s.line([(70, 44), (70, 53)], 0.9, (214, 70, 56), 1)
    _controls(s, control, 74, 68)


def _controls(s: Stage, control: str, x: float, y: float) -> None:
    if control == "knobs":
        for dx in (-6, 6):
            s.metal(oval(x + dx, y, 4.0), BRASS, volume="ball")
            s.line([(x + dx, y), (x + dx + 1.6, y - 2.6)], 0.8, GRAPHITE, 1)
    elif control == "buttons":
        for dx in (-8, 0, 8):
            s.fill(box(x + dx - 2.6, y - 1.7, 5.2, 3.4, 1.4), CHALK, material="plastic",
                volume="tall", edge=0.4)
    else:
        s.fill(box(x - 10, y - 3, 20, 6, 2), SCREEN, material="plastic", volume="none")
        for i in range(7):
            high = (1.2, 2.4, 3.6, 2.0, 3.0, 1.6, 2.2)[i]
            s.line([(x - 7.5 + i * 2.5, y - high / 2), (x - 7.5 + i * 2.5, y + high / 2)], 1.2,
                (110, 232, 214), 1)


def phone(s: Stage, v: V) -> None:
    """Draw a mobile phone: its back in the product's colour, and the screen of a second one."""
    if v["type"] == "flip":
        _flip_phone(s, v["camera"])
        return
    s.fill(box(46, 12, 39, 78, 6), (58, 60, 66), material="metal", volume="round")
    _lit_screen(s, box(47.6, 13.6, 35.8, 74.8, 5))
    wide = 42.0 if v["type"] == "slab" else 46.0
    back = box(16, 8, wide, 82, 7 if v["type"] == "slab" else 3)
    s.shade(box(18, 9, wide, 81, 7), 0.4, 2.4)
    s.fill(back, wrap=quad([(16, 8), (16 + wide, 8), (16 + wide, 90), (16, 90)], wide, 82),
        volume="sheet", edge=0.9)
    s.stroke(box(16.7, 8.7, wide - 1.4, 80.6, 6.4), lighter(s.colour, 0.5), 0.7, 0.8)
    _camera_bump(s, v["camera"])


def _lit_screen(s: Stage, path: Any) -> None:
    bounds = path.getBounds()
    stops = [(0.0, (58, 84, 178), 1.0), (0.5, (176, 104, 190), 1.0), (1.0, (246, 168, 120), 1.0)]
    s.canvas.drawPath(path, shaded(gradient((bounds.left(), bounds.top()), (bounds.right(),
        bounds.bottom()), stops)))
    s.spot(oval((bounds.left() + bounds.right()) / 2, bounds.top() + 3.4, 1.3), (16, 16, 20))
    step = bounds.width() / 4
    left, top = bounds.left() + step * 0.62, bounds.bottom() - 3 * step
    for row in range(2):
        for column in range(3):
            icon = box(left + column * step, top + row * step * 1.2, step * 0.7, step * 0.7, 1.2)
            s.spot(icon, WHITE, 0.7)


def _eye(s: Stage, x: float, y: float, radius: float) -> None:
    s.fill(oval(x, y, radius), (50, 52, 60), material="metal", volume="ball", edge=0.4)
    s.spot(oval(x, y, radius * 0.68), (14, 15, 22))
    s.spot(oval(x - radius * 0.22, y - radius * 0.22, radius * 0.26), (120, 150, 210), 0.9)


def _camera_bump(s: Stage, camera: str) -> None:
    if camera == "single":
        _eye(s, 25, 17.5, 5)
    elif camera == "dual":
        s.fill(box(19, 11, 12, 24, 6), s.shadow_tone(0.25), material="metal", volume="soft")
        _eye(s, 25, 17, 4.4)
        _eye(s, 25, 28.6, 4.4)
    else:
        s.fill(box(19, 11, 25, 25, 6), s.shadow_tone(0.25), material="metal", volume="soft")
        for x, y in ((25.4, 17.6), (25.4, 29.4), (37.6, 23.6)):
            _eye(s, x, y, 4.8)
        s.spot(oval(38, 14.6, 1.4), (255, 244, 206))


def _flip_phone(s: Stage, camera: str) -> None:
    upper = outline([(28, 10), (32, 6), (68, 6), (72, 10), (73, 48, 1), (27, 48, 1)])
    s.fill(upper, wrap=quad([(28, 6), (72, 6), (73, 48), (27, 48)], 44, 42), volume="sheet",
        edge=0.8)
    lower = outline([(27, 52, 1), (73, 52, 1), (76, 86), (72, 90), (28, 90), (24, 86)])
    s.fill(lower, wrap=quad([(27, 52), (73, 52), (76, 90), (24, 90)], 46, 40), volume="sheet",
        edge=0.8)
    s.metal(box(26.4, 46.6, 47.2, 6.4, 3))
    _lit_screen(s, box(44, 11, 24, 31, 3))
    for i in range({"single": 1, "dual": 2, "triple": 3}[camera]):
        _eye(s, 36, 16 + i * 10, 4)


def laptop(s: Stage, v: V) -> None:
    """Draw an opened laptop, its lid or deck in the product's colour."""
    if v["pose"] == "lid":
        _laptop_lid(s, v["size"])
        return
    wide = {"slim": 33.0, "large": 38.0, "gaming": 36.0}[v["size"]]
    thick = 5.0 if v["size"] == "gaming" else 3.0
    top = 22.0
    s.fill(box(50 - wide, top, 2 * wide, 49, 3), wrap=quad([(50 - wide, top), (50 + wide, top),
        (50 + wide, 71), (50 - wide, 71)], 2 * wide, 49), volume="sheet", edge=0.7)
    s.fill(box(50 - wide + 3, top + 3, 2 * wide - 6, 41, 1), SCREEN, volume="none", edge=0.3)
    _desktop(s, 50 - wide + 4, top + 4, 2 * wide - 8, 39)
    deck: list[Knot] = [(50 - wide, 71, 1), (50 + wide, 71, 1), (50 + wide + 9, 87, 1),
        (50 - wide - 9, 87, 1)]
    s.fill(outline(deck), wrap=quad([(k[0], k[1]) for k in deck], 2 * wide + 10, 30),
        volume="tall", edge=0.6)
    keys: list[Knot] = [(50 - wide + 4, 72.4, 1), (50 + wide - 4, 72.4, 1), (50 + wide - 1, 80, 1),
        (50 - wide + 1, 80, 1)]
    s.fill(outline(keys), (40, 42, 50), volume="none", edge=0.3)
    for row in range(4):
        y = 73.4 + row * 1.9
        for column in range(12):
            x = 50 + (column - 5.5) * (wide / 6.4) * (1 + row * 0.016)
            tone = (((250, 90, 130), (110, 220, 250),
                (140, 250, 150))[column % 3] if v["size"] == "gaming" else (196, 200, 210))
            s.line([(x - 1.6, y), (x + 1.6, y)], 1.1, tone, 0.8)
    s.fill(outline([(43, 81.2, 1), (57, 81.2, 1), (58, 86, 1), (42, 86, 1)]), s.shadow_tone(0.16),
        volume="none", edge=0.3)
    s.fill(box(50 - wide - 9, 87, 2 * wide + 18, thick, 1.4), s.shadow_tone(0.3), material="metal",
        volume="tall")


def _desktop(s: Stage, x: float, y: float, width: float, height: float) -> None:
    stops = [(0.0, (44, 60, 120), 1.0), (0.5, (120, 92, 170), 1.0), (1.0, (240, 150, 130), 1.0)]
    s.canvas.drawPath(box(x, y, width, height, 0.6),
        shaded(gradient((x, y), (x + width, y + height), stops)))
    hill: list[Knot] = [(x, y + height, 1), (x, y + height * 0.7, 1), (x + width * 0.3,
        y + height * 0.5), (x + width * 0.6, y + height * 0.78), (x + width, y + height * 0.55, 1),
        (x + width, y + height, 1)]
    s.spot(outline(hill), (34, 38, 86), 0.7)
    s.spot(outline([(x, y, 1), (x + width * 0.4, y, 1), (x + width * 0.2, y + height, 1),
        (x, y + height, 1)]), WHITE, 0.07)


def _laptop_lid(s: Stage, size: str) -> None:
    wide = {"slim": 36.0, "large": 42.0, "gaming": 40.0}[size]
    lid = box(50 - wide + 1, 27, 2 * wide - 2, 57, 4)
    s.fill(outline([(50 - wide - 1, 82, 1), (50 + wide + 1, 82, 1), (50 + wide - 1, 90),
        (50 - wide + 1, 90)]), s.shadow_tone(0.35), material="metal", volume="tall")
    s.fill(lid, wrap=quad([(50 - wide + 2, 27), (50 + wide - 2, 27), (50 + wide, 83),
        (50 - wide, 83)], 2 * wide, 56), volume="sheet", edge=0.8)
    if size == "gaming":
        for side in (-1, 1):
            s.line([(50 + side * (wide - 6), 34), (50 + side * 16, 46), (50 + side * 20, 76)], 1.6,
                (110, 230, 250), 0.9)
    s.fill(oval(50, 55, 5.6), s.shadow_tone(0.3), material="metal", volume="ball")
    s.spot(oval(50, 55, 2.6), CHALK, 0.9)


def camera(s: Stage, v: V) -> None:
    """Draw a camera: a mirrorless, a compact or an instant one."""
    {"mirrorless": _mirrorless, "instant": _instant, "rangefinder": _rangefinder}[v["type"]](s)
    radius = {"standard": 19.0, "zoom": 22.0, "pancake": 15.0}[v["lens"]]
    x, y = (50.0, 58.0) if v["type"] != "instant" else (50.0, 52.0)
    _lens(s, x, y, radius, rings=4 if v["lens"] == "zoom" else 2)


def _mirrorless(s: Stage) -> None:
    s.fill(outline([(36, 34, 1), (40, 22), (60, 22), (64, 34, 1)]), s.shadow_tone(0.3),
        material="leather", volume="tall")
    s.fill(box(72, 26, 12, 9, 2), GRAPHITE, material="metal", volume="round")
    s.fill(box(16, 28, 10, 7, 2), STEEL, material="metal", volume="round")
    body = outline([(10, 36), (14, 32), (86, 32), (90, 36), (91, 80), (86, 86), (14, 86), (9, 80)])
    s.fill(body, wrap=quad([(10, 32), (90, 32), (91, 86), (9, 86)], 80, 54), volume="soft")
    s.fill(outline([(9.6, 44, 1), (24, 44), (26, 60), (24, 84), (14, 86), (9, 80)]), GRAPHITE,
        material="leather", volume="round")


def _rangefinder(s: Stage) -> None:
    s.metal(box(14, 27, 14, 8, 2), STEEL, volume="round")
    s.metal(box(74, 29, 10, 6, 2), STEEL, volume="round")
    s.fill(box(8, 34, 84, 52, 6), STEEL, material="metal", volume="tall")
    s.fill(box(8, 46, 84, 30, 0.5), wrap=quad([(8, 46), (92, 46), (92, 76), (8, 76)], 84, 30),
        volume="round", material="leather")
    s.fill(box(66, 37, 16, 7, 1.4), SCREEN, material="glass", volume="sheet")
    s.fill(box(22, 38, 7, 5, 1), SCREEN, material="glass", volume="sheet")


def _instant(s: Stage) -> None:
    s.fill(box(24, 84, 52, 7, 1), CHALK, volume="none")
    body = outline([(16, 20), (24, 14), (76, 14), (84, 20), (90, 62), (90, 80), (84, 86), (16, 86),
        (10, 80), (10, 62)])
    s.fill(body, wrap=quad([(16, 14), (84, 14), (90, 86), (10, 86)], 76, 72), volume="soft")
    s.fill(box(22, 19, 16, 10, 2), (255, 246, 214), material="plastic", volume="tall")
    s.fill(box(64, 19, 13, 10, 2), SCREEN, material="plastic", volume="sheet")
    s.fill(box(12, 76, 76, 6, 1), s.shadow_tone(0.35), volume="none")
    s.fill(oval(79, 50, 4), (222, 70, 66), material="plastic", volume="ball")


def _lens(s: Stage, x: float, y: float, radius: float, rings: int) -> None:
    s.shade(oval(x + 1, y + 2, radius + 1), 0.45, 2)
    s.fill(oval(x, y, radius), (56, 58, 66), material="metal", volume="ball")
    for i in range(rings):
        s.stroke(oval(x, y, radius - 1.4 - i * 1.7), (104, 108, 118), 0.6, 0.9)
    inner = radius * 0.62
    s.canvas.drawPath(oval(x, y, inner), shaded(glow((x, y), inner, [(0, (18, 20, 34), 1),
        (0.55, (46, 52, 110), 1), (0.85, (20, 22, 30), 1), (1, (8, 8, 12), 1)])))
    s.spot(oval(x - inner * 0.32, y - inner * 0.36, inner * 0.24), WHITE, 0.75, 0.5)
    s.spot(oval(x + inner * 0.34, y + inner * 0.34, inner * 0.14), (170, 150, 240), 0.7, 0.4)


def fan(s: Stage, v: V) -> None:
    """Draw an electric fan: on a desk, on a clip or on a tall stand."""
    s.canvas.save()
    if v["type"] == "pedestal":
        _fan_stand(s)
        s.canvas.translate(12.5, 0)
        s.canvas.scale(0.75, 0.75)
    elif v["type"] == "clip":
        s.fill(box(38, 77, 24, 5, 2), s.shadow_tone(0.25), material="plastic", volume="tall")
        s.fill(box(38, 86, 24, 5, 2), s.shadow_tone(0.25), material="plastic", volume="tall")
        s.fill(box(55, 78, 6, 12, 2), STEEL, material="metal", volume="round")
        s.fill(box(46.6, 62, 6.8, 17, 2), GRAPHITE, material="rubber", volume="round")
    else:
        s.fill(box(46.6, 60, 6.8, 26, 2), wrap=tube([(60.0, 4.0), (88.0, 4.0)]), volume="round")
        s.fill(symmetric([(50, 82), (66, 83), (74, 87), (73, 90, 1), (50, 91)]), volume="tall")
    if v["blades"] == "none":
        _hoop(s)
    else:
        _cage(s, {"three": 3, "five": 5}[v["blades"]])
    s.canvas.restore()


def _fan_stand(s: Stage) -> None:
    s.metal(box(48.4, 44, 3.2, 42, 1), STEEL, volume="round")
    s.fill(box(46.6, 60, 6.8, 7, 1.4), volume="round")
    s.fill(oval(50, 87, 19, 4), volume="tall")


def _hoop(s: Stage) -> None:
    loop: list[Knot] = [(50, 9), (63, 13), (69, 26), (69, 46), (63, 59), (50, 63), (37, 59),
        (31, 46), (31, 26), (37, 13), (50, 9), (52, 9)]
    s.fill(ribbon(loop, 8), wrap=band([(k[0], k[1]) for k in loop], 10), volume="soft", scale=0.8)
    inner = [(50, 13.4), (61, 17), (65, 27), (65, 45), (61, 55), (50, 58.6), (39, 55), (35, 45),
        (35, 27), (39, 17)]
    s.stroke(outline(inner), STEEL, 1.3)
    s.fill(box(43, 60, 14, 9, 2), volume="round")
    s.stroke(oval(50, 64.5, 2.4), (120, 226, 240), 0.9)


def _cage(s: Stage, blades: int) -> None:
    x, y, radius = 50.0, 40.0, 31.0
    s.spot(oval(x, y, radius), (210, 214, 222), 0.35)
    for i in range(blades):
        a = i * 2 * pi / blades + 0.4
        spread = 0.44 if blades == 5 else 0.66
        knots: list[Knot] = [(x + 5 * cos(a), y + 5 * sin(a))]
        knots += [(x + 25 * cos(a + spread * k), y + 25 * sin(a + spread * k)) for k in (-0.6, 0.2,
            1.0)]
        knots += [(x + 12 * cos(a + spread * 1.0), y + 12 * sin(a + spread * 1.0))]
        s.fill(outline(knots), volume="soft", wrap=ball(x, y, 32, 32), scale=0.8)
    for i in range(24):
        a = i * pi / 12
        s.line([(x + 7 * cos(a), y + 7 * sin(a)), (x + 19 * cos(a + 0.1), y + 19 * sin(a + 0.1)),
            (x + radius * cos(a + 0.16), y + radius * sin(a + 0.16))], 0.55, (250, 250, 252), 0.8)
    s.stroke(oval(x, y, 19), CHALK, 0.7, 0.9)
    s.stroke(oval(x, y, radius), s.shadow_tone(0.2), 3.4)
    s.stroke(oval(x, y, radius), s.colour, 2.2)
    s.fill(oval(x, y, 7.4), s.accent if s.patterned else None, volume="ball", material="plastic")


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "headphones": headphones, "speaker": speaker, "phone": phone, "laptop": laptop,
    "camera": camera, "fan": fan,
}

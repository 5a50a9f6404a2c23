"""Things for sport."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin

from crosslens.sample.canvas import RGB, darker, lighter
from crosslens.sample.shapes import Knot, box, lathe, outline, oval, ribbon, symmetric
from crosslens.sample.stage import CHALK, GRAPHITE, OAK, RUBBER, STEEL, Stage
from crosslens.sample.wraps import ball, band, quad, tube

V = Mapping[str, str]


def game_ball(s: Stage, v: V) -> None:
    """Draw a ball: for basketball, football, volleyball or rugby."""
    {
        "basketball": _basketball, "football": _football, "volleyball": _volleyball,
        "rugby": _rugby,
    }[v["game"]](s)


def _seams(s: Stage, lines: list[list[Knot]], width: float = 1.2) -> None:
    tone = (30, 30, 36) if s.design.colour not in ("black", "navy") else (176, 180, 190)
    for knots in lines:
        s.line(knots, width, tone, 0.9)


def _basketball(s: Stage) -> None:
    s.fill(oval(50, 54, 36), wrap=ball(50, 54, 36), volume="ball")
    _seams(s, [[(14, 54), (32, 60), (50, 62), (68, 60), (86, 54)], [(50, 18), (43, 36), (42, 54),
        (44, 72), (50, 90)], [(24, 29), (36, 38), (38, 54), (34, 70), (25, 80)],
        [(78, 31), (68, 40), (64, 54), (66, 70), (74, 81)]])


def _football(s: Stage) -> None:
    body = oval(50, 54, 36)
    s.fill(body, wrap=ball(50, 54, 36), volume="ball")
    dark: RGB = (s.accent if s.patterned else (GRAPHITE if s.design.colour not in ("black",
        "navy") else CHALK))
    s.canvas.save()
    s.canvas.clipPath(body, True)
    _patch(s, 50, 54, 11, -pi / 2, dark)
    for k in range(5):
        a = -pi / 2 + k * 2 * pi / 5
        s.line([(50 + 11 * cos(a), 54 + 11 * sin(a)), (50 + 24 * cos(a), 54 + 24 * sin(a))], 1.1,
            dark, 0.9)
        b = a + pi / 5
        _patch(s, 50 + 33 * cos(a), 54 + 33 * sin(a), 10, a + pi, dark)
        s.line([(50 + 24 * cos(a), 54 + 24 * sin(a)), (50 + 27 * cos(b), 54 + 27 * sin(b)),
            (50 + 24 * cos(a + 2 * pi / 5), 54 + 24 * sin(a + 2 * pi / 5))], 1.1, dark, 0.9)
    s.canvas.restore()


def _patch(s: Stage, x: float, y: float, radius: float, turn: float, tone: RGB) -> None:
    knots: list[Knot] = [(x + radius * cos(turn + k * 2 * pi / 5),
        y + radius * sin(turn + k * 2 * pi / 5), 1) for k in range(5)]
    s.spot(outline(knots), tone, 0.92)


def _volleyball(s: Stage) -> None:
    s.fill(oval(50, 54, 36), wrap=ball(50, 54, 36), volume="ball")
    lines: list[list[Knot]] = []
    for k in range(3):
        turn = k * 2 * pi / 3 - pi / 2
        for off in (0.0, 0.42, 0.84):
            a, b = turn + off * 1.0, turn + 2 * pi / 3 - 0.5 + off * 0.9
            start = (50 + 36 * cos(a), 54 + 36 * sin(a))
            middle = (50 + (12 + off * 9) * cos((a + b) / 2 - 0.2),
                54 + (12 + off * 9) * sin((a + b) / 2 - 0.2))
            end = (50 + 8 * off * cos(b), 54 + 8 * off * sin(b))
            lines.append([start, middle, end])
    _seams(s, lines, 1.0)


def _rugby(s: Stage) -> None:
    body = outline([(6, 60), (18, 42), (50, 31), (82, 42), (94, 60), (82, 78), (50, 89), (18, 78)])
    s.fill(body, wrap=ball(50, 60, 46, 30), volume="ball")
    _seams(s, [[(7, 60), (28, 55), (50, 53.6), (72, 55), (93, 60)]])
    for x in (20, 80):
        side = -1 if x < 50 else 1
        s.line([(x, 43), (x + side * 3, 60), (x, 77)], 4.2, s.accent if s.patterned else CHALK,
            0.95)
    for i in range(7):
        x = 38 + i * 4
        s.line([(x, 51.6), (x, 56)], 1.3, CHALK, 1)


def racket(s: Stage, v: V) -> None:
    """Draw a racket: for tennis, badminton or table tennis."""
    if v["game"] == "table-tennis":
        _bat(s, v["grip"])
        return
    slim = v["game"] == "badminton"
    rx, ry, y = (17.0, 23.0, 27.0) if slim else (23.0, 28.0, 33.0)
    _strings(s, rx, ry, y)
    frame: list[Knot] = [(50 + rx * sin(k * pi / 10), y - ry * cos(k * pi / 10)) for k in range(21)]
    s.fill(ribbon(frame, 3.0 if slim else 5.0), wrap=band([(k[0], k[1]) for k in frame], 6),
        volume="soft", scale=0.6)
    if slim:
        s.fill(ribbon([(50, y + ry), (50, 80)], 2.4), volume="round", scale=0.4)
    else:
        for side in (-1, 1):
            s.fill(ribbon([(50 + side * 14, y + ry - 6), (50 + side * 2, 76)], 4), volume="soft",
                scale=0.5)
        s.fill(ribbon([(40, 62), (50, 65), (60, 62)], 3), volume="tall", scale=0.5)
    _grip(s, v["grip"], 72, 97, 5.6 if slim else 6.6)


def _strings(s: Stage, rx: float, ry: float, y: float) -> None:
    s.canvas.save()
    s.canvas.clipPath(oval(50, y, rx, ry), True)
    s.spot(oval(50, y, rx, ry), (255, 255, 255), 0.25)
    for i in range(-9, 10):
        s.line([(50 + i * 3, y - ry), (50 + i * 3, y + ry)], 0.5, (150, 154, 164), 0.9)
        s.line([(50 - rx, y + i * 3.2), (50 + rx, y + i * 3.2)], 0.5, (150, 154, 164), 0.9)
    s.canvas.restore()


def _grip(s: Stage, grip: str, top: float, bottom: float, width: float) -> None:
    tone: RGB = {"black": RUBBER, "white": CHALK, "wooden": OAK}[grip]
    s.fill(box(50 - width / 2, top, width, bottom - top, 1.6), tone,
        material="wood" if grip == "wooden" else "leather", volume="round")
    if grip != "wooden":
        y = top + 2
        while y < bottom - 2:
            s.line([(50 - width / 2, y + 2), (50 + width / 2, y)], 0.7,
                darker(tone, 0.4) if grip == "white" else lighter(tone, 0.4), 0.9)
            y += 3.6


def _bat(s: Stage, grip: str) -> None:
    _grip(s, grip, 66, 97, 10)
    s.fill(oval(50, 40, 31, 33), (208, 168, 116), material="wood", volume="soft")
    blade = outline([(50, 8), (70, 14), (80, 34), (76, 52), (66, 64, 1), (34, 64, 1), (24, 52),
        (20, 34), (30, 14)])
    s.fill(blade, wrap=ball(50, 38, 40, 40), volume="sheet", material="rubber")
    s.fill(outline([(34, 64, 1), (66, 64, 1), (55, 75, 1), (45, 75, 1)]), (208, 168, 116),
        material="wood", volume="round")


def dumbbell(s: Stage, v: V) -> None:
    """Draw a weight: a round or hexagonal dumbbell or a kettlebell."""
    if v["type"] == "kettlebell":
        _kettlebell(s)
        return
    if v["type"] == "hex":
        s.metal(box(30, 58, 40, 8, 3), STEEL)
        for x in (28, 72):
            s.fill(outline([(x - 18, 52, 1), (x - 10, 37, 1), (x + 10, 37, 1), (x + 18, 52, 1),
                (x + 18, 72, 1), (x + 10, 87, 1), (x - 10, 87, 1), (x - 18, 72, 1)]),
                wrap=quad([(x - 18, 37), (x + 18, 37), (x + 18, 87), (x - 18, 87)], 36, 50),
                volume="tall", scale=0.8)
            s.stroke(oval(x, 62, 9), s.shadow_tone(0.35), 1.1, 0.8)
    else:
        s.metal(box(8, 58, 84, 8, 3), STEEL)
        for x, half in ((20, 18.0), (30, 24.0), (70, 24.0), (80, 18.0)):
            s.fill(box(x - 5, 64 - half, 10, 2 * half, 3.4),
                wrap=quad([(x - 5, 64 - half), (x + 5, 64 - half), (x + 5, 64 + half),
                (x - 5, 64 + half)], 12, 2 * half), volume="tall", scale=0.7)
    for x in range(41, 61, 3):
        s.line([(x, 58.6), (x + 1.6, 65.6)], 0.7, GRAPHITE, 0.6)


def _kettlebell(s: Stage) -> None:
    s.fill(ribbon([(34, 50), (31, 32), (38, 20), (50, 17), (62, 20), (69, 32), (66, 50)], 8),
        GRAPHITE, material="metal", volume="tall")
    body = outline([(50, 38), (70, 44), (80, 62), (76, 80), (66, 90, 1), (34, 90, 1), (24, 80),
        (20, 62), (30, 44)])
    s.fill(body, wrap=ball(50, 66, 31, 28), volume="ball")
    s.fill(oval(50, 66, 10), s.accent if s.patterned else CHALK, volume="sheet", material="plastic")
    s.line([(46, 62.6), (48, 61), (48, 71)], 1.6, GRAPHITE, 1)
    s.line([(52, 62.4), (56, 62), (55.6, 65), (52, 71), (56.4, 71)], 1.6, GRAPHITE, 1)


def skateboard(s: Stage, v: V) -> None:
    """Draw a board on wheels: a skateboard or longboard from above, or a scooter."""
    if v["type"] == "scooter":
        _scooter(s, v["wheels"])
        return
    half, top, low = (15.0, 5.0, 95.0) if v["type"] == "skateboard" else (17.0, 2.0, 98.0)
    tone = _wheel_tone(s, v["wheels"])
    for y in (24, 76):
        s.metal(box(50 - half - 3, y - 1.6, 2 * half + 6, 3.2, 1))
        for side in (-1, 1):
            s.fill(box(50 + side * (half + 1.6) - 3, y - 5, 6, 10, 2.4), tone, material="rubber",
                volume="round")
    knots: list[Knot] = [(50, top), (50 + half * 0.8, top + 5), (50 + half, top + 18),
        (50 + half, low - 18), (50 + half * 0.8, low - 5), (50, low)]
    if v["type"] == "longboard":
        knots = [(50, top), (50 + half * 0.4, top + 9), (50 + half, top + 38), (50 + half * 0.9,
            low - 26), (50 + half * 0.5, low - 4), (50, low)]
    s.fill(symmetric(knots), wrap=quad([(30, 2), (70, 2), (70, 98), (30, 98)], 40, 96),
        volume="round")
    for y in (20, 28, 72, 80):
        for x in (46, 54):
            s.metal(oval(x, y, 1.0), STEEL, volume="ball")


def _wheel_tone(s: Stage, wheels: str) -> RGB:
    if wheels == "coloured" and s.patterned:
        return s.accent
    return {"white": CHALK, "black": RUBBER, "coloured": (236, 96, 70)}[wheels]


def _scooter(s: Stage, wheels: str) -> None:
    s.fill(ribbon([(18, 81), (70, 81), (78, 70)], 5.4), wrap=band([(18.0, 81.0), (70.0, 81.0),
        (80.0, 68.0)], 8), volume="tall")
    s.metal(ribbon([(80, 80), (70, 16)], 3.2), volume="round")
    s.fill(ribbon([(77, 62), (72, 30)], 6), volume="round", scale=0.6)
    s.fill(ribbon([(57, 17), (70, 14), (84, 12)], 3.6), s.shadow_tone(0.3), volume="tall")
    for x, y in ((56, 17.3), (84, 12)):
        s.fill(oval(x, y, 4, 3), RUBBER, material="rubber", volume="ball")
    for x in (16, 81):
        s.fill(oval(x, 82, 8), _wheel_tone(s, wheels), material="rubber", volume="ball")
        s.fill(oval(x, 82, 3.6), STEEL, material="metal", volume="ball")


def helmet(s: Stage, v: V) -> None:
    """Draw a helmet: for cycling, skating or riding a motorbike."""
    {"cycling": _cycling, "skate": _skate, "full-face": _full_face}[v["type"]](s)


def _straps(s: Stage) -> None:
    s.line([(30, 68), (40, 84), (46, 90)], 2.2, GRAPHITE, 1)
    s.line([(64, 70), (52, 84), (46, 90)], 2.2, GRAPHITE, 1)
    s.fill(box(42, 85, 8, 4.6, 1.4), RUBBER, material="plastic", volume="tall")


def _cycling(s: Stage) -> None:
    _straps(s)
    body = outline([(6, 64, 1), (8, 44), (24, 24), (50, 18), (76, 26), (92, 46), (97, 62, 1),
        (80, 68), (56, 72), (30, 70)])
    s.fill(body, wrap=ball(50, 62, 46, 42), volume="soft")
    for dy, left, right in ((0, 20, 82), (12, 14, 88), (23, 20, 84)):
        for k in range(3):
            x0 = left + (right - left) * k / 3 + 2
            x1 = left + (right - left) * (k + 1) / 3 - 3
            y = 35 + dy - (3 if k == 1 else 0)
            hole: list[Knot] = [(x0, y + 2), ((x0 + x1) / 2, y - 3), (x1, y), ((x0 + x1) / 2,
                y + 3)]
            s.spot(outline(hole), darker(s.colour, 0.75), 0.95)
    s.line([(8, 64), (30, 69), (56, 71), (95, 62)], 1.8, s.accent if s.patterned else GRAPHITE, 0.9)


def _skate(s: Stage) -> None:
    _straps(s)
    body = outline([(12, 66, 1), (11, 46), (24, 26), (50, 18), (76, 26), (89, 46), (90, 58, 1),
        (70, 60), (62, 72), (40, 74), (16, 70)])
    s.fill(body, wrap=ball(50, 58, 41, 42), volume="ball")
    for x in (34, 46, 58):
        s.spot(oval(x, 34, 2.2, 4.4), darker(s.colour, 0.7), 0.95)
    s.line([(13, 65), (40, 72), (62, 70), (70, 59), (89, 57)], 1.6,
        s.accent if s.patterned else GRAPHITE, 0.9)


def _full_face(s: Stage) -> None:
    body = outline([(14, 84), (10, 58), (14, 34), (34, 16), (56, 14), (78, 24), (89, 44), (94, 66),
        (92, 82), (76, 90), (54, 86), (34, 90)])
    s.fill(body, wrap=ball(52, 54, 43, 42), volume="ball")
    visor = outline([(48, 40), (60, 35), (80, 37), (88, 45, 1), (91.6, 58, 1), (76, 62), (56, 60),
        (48, 54)])
    s.fill(visor, (34, 40, 56), material="glass", volume="tall")
    s.spot(outline([(56, 41), (70, 38.6), (66, 56), (54, 54)]), (255, 255, 255), 0.22)
    s.fill(oval(46, 48, 4.4), STEEL, material="metal", volume="ball")
    for y in (70, 75):
        s.line([(74, y), (88, y - 1.4)], 2.0, (24, 24, 30), 0.85)


def mat(s: Stage, v: V) -> None:
    """Draw a yoga mat: rolled up, half unrolled or with a carrying strap."""
    if v["state"] == "half-rolled":
        _unrolled(s)
        return
    if v["state"] == "strapped":
        sling: list[Knot] = [(36, 36), (26, 20), (34, 4), (50, 0), (66, 4), (74, 20), (64, 36)]
        s.fill(ribbon(sling, 3), GRAPHITE, material="canvas", volume="tall")
    profile = [(14.0, 15.0), (50.0, 15.0), (88.0, 15.0)]
    s.fill(lathe(profile, bend=0.22), wrap=tube(profile), volume="round")
    inside = lighter(s.colour, 0.25)
    s.fill(oval(50, 14, 15, 4.4), inside, volume="none")
    for k in (11.6, 8.2, 4.8, 1.8):
        s.stroke(oval(50 + (11.6 - k) * 0.12, 14, k, k * 0.29), s.shadow_tone(0.35), 1.1)
    s.line([(60, 16.4), (60.4, 50), (60, 89)], 1.0, alpha=0.6)
    tone = s.accent if s.patterned else s.shadow_tone(0.45)
    for y in (32, 70):
        s.fill(outline([(34.6, y, 1), (50, y + 3.6), (65.4, y, 1), (65.4, y + 4.4, 1), (50, y + 8),
            (34.6, y + 4.4, 1)]), tone, material="canvas", volume="round")


def _unrolled(s: Stage) -> None:
    sheet: list[Knot] = [(20, 56, 1), (66, 56, 1), (94, 88, 1), (10, 88, 1)]
    s.fill(outline(sheet), wrap=quad([(k[0], k[1]) for k in sheet], 60, 70), volume="tall")
    s.line([(13, 86, 1), (91, 86, 1)], 0.8, alpha=0.4)
    s.shade(outline([(18, 58, 1), (70, 58, 1), (70, 63, 1), (16, 63, 1)]), 0.4, 1.8)
    roll = box(13, 36, 62, 24, 11)
    s.fill(roll, wrap=quad([(13, 36), (75, 36), (75, 60), (13, 60)], 62, 36), volume="tall")
    s.fill(oval(70, 48, 6.6, 12), lighter(s.colour, 0.25), volume="none")
    for k in (9.4, 6.6, 3.8, 1.4):
        s.stroke(oval(70, 48, k * 0.55, k), s.shadow_tone(0.35), 1.0)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "ball": game_ball, "racket": racket, "weights": dumbbell, "board": skateboard,
    "helmet": helmet, "yoga mat": mat,
}

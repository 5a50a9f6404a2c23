"""Toys."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping

from crosslens.sample.canvas import RGB, WHITE, brightness, darker, lighter, mix
from crosslens.sample.shapes import Knot, box, outline, oval, ribbon, symmetric
from crosslens.sample.stage import BRASS, CHALK, GRAPHITE, RUBBER, STEEL, Stage
from crosslens.sample.wraps import ball, quad

V = Mapping[str, str]
NOSE: RGB = (52, 38, 34)


def plush(s: Stage, v: V) -> None:
    """Draw a soft toy: a bear, a rabbit, a cat or an elephant, sitting."""
    for side in (-1, 1):
        _ear(s, v["animal"], side)
    for side in (-1, 1):
        s.fill(oval(50 + side * 22, 62, 8, 14), wrap=ball(50 + side * 22, 62, 9, 15), volume="ball")
    s.fill(oval(50, 69, 22, 21), wrap=ball(50, 69, 23, 22), volume="ball")
    belly = lighter(s.colour, 0.45) if brightness(s.colour) < 215 else darker(s.colour, 0.1)
    s.fill(oval(50, 72, 12.5, 13), belly, material="plush", volume="soft", edge=0.3)
    for side in (-1, 1):
        s.fill(oval(50 + side * 19, 82, 10, 9), wrap=ball(50 + side * 19, 82, 11), volume="ball")
        s.fill(oval(50 + side * 20, 83, 5.6, 5.2), belly, material="plush", volume="none", edge=0.3)
    s.shade(oval(50, 50, 15, 3), 0.35, 2)
    s.fill(oval(50, 33, 24, 21), wrap=ball(50, 33, 25, 22), volume="ball")
    _face(s, v["animal"], belly)
    _outfit(s, v["outfit"])


def _ear(s: Stage, animal: str, side: int) -> None:
    inner = mix(s.colour, (244, 190, 190), 0.6)
    if animal == "rabbit":
        knots: list[Knot] = [(50 + side * 6, 20), (50 + side * 8, -2), (50 + side * 15, -6),
            (50 + side * 20, 2), (50 + side * 17, 22)]
        s.fill(outline(knots), volume="soft")
        s.fill(outline([(50 + side * 10, 16), (50 + side * 11.4, 2), (50 + side * 15, 0),
            (50 + side * 17, 6), (50 + side * 14.6, 17)]), inner, volume="none", edge=0.3)
    elif animal == "cat":
        s.fill(outline([(50 + side * 5, 16), (50 + side * 18, 2, 1), (50 + side * 25, 26)]),
            volume="soft")
        s.fill(outline([(50 + side * 11, 16), (50 + side * 18, 7, 1), (50 + side * 21, 20)]),
            inner, volume="none", edge=0.3)
    elif animal == "elephant":
        s.fill(oval(50 + side * 27, 33, 16, 18), wrap=ball(50 + side * 27, 33, 16, 18),
            volume="ball")
        s.fill(oval(50 + side * 28, 34, 10, 12), inner, material="plush", volume="none", edge=0.3)
    else:
        s.fill(oval(50 + side * 19, 17, 9), wrap=ball(50 + side * 19, 17, 10), volume="ball")
        s.fill(oval(50 + side * 19, 17.6, 5), inner, material="plush", volume="none", edge=0.3)


def _face(s: Stage, animal: str, belly: RGB) -> None:
    eyes = NOSE if brightness(s.colour) > 70 else (240, 196, 96)
    for side in (-1, 1):
        s.spot(oval(50 + side * 9, 30, 2.5, 2.9), eyes)
        s.spot(oval(50 + side * 9 - 0.8, 29, 0.9), WHITE)
        s.spot(oval(50 + side * 14.5, 38, 3.4, 2.2), (240, 140, 140), 0.4, 1)
    if animal == "elephant":
        s.fill(ribbon([(50, 34), (50, 44), (53, 52), (60, 54)], 8.4), volume="round")
        return
    s.fill(oval(50, 40, 9.6, 7.6), belly, material="plush", volume="soft", edge=0.3)
    s.spot(oval(50, 36.6, 3.2, 2.3), (228, 128, 134) if animal in ("rabbit", "cat") else NOSE)
    s.line([(50, 38.6), (50, 41.4)], 0.9, NOSE, 1)
    s.line([(45.6, 42), (48, 43.6), (50, 41.4), (52, 43.6), (54.4, 42)], 0.9, NOSE, 1)
    if animal == "cat":
        for side in (-1, 1):
            for dy in (-1, 1.6):
                s.line([(50 + side * 12, 39 + dy), (50 + side * 23, 37.6 + dy * 2.4)], 0.6, NOSE,
                    0.9)


def _outfit(s: Stage, outfit: str) -> None:
    tone: RGB = (s.accent if s.patterned else ((206, 62, 66) if s.design.colour not in ("red",
        "pink", "orange") else (64, 110, 190)))
    if outfit == "bow":
        for side in (-1, 1):
            s.fill(outline([(50, 54), (50 + side * 12, 48.6, 1), (50 + side * 11, 60, 1)]), tone,
                material="satin", volume="soft")
        s.fill(oval(50, 54.4, 3), tone, material="satin", volume="ball")
    elif outfit == "scarf":
        s.fill(ribbon([(34, 49), (42, 54), (50, 55.4), (58, 54), (66, 49)], 6.4), tone,
            material="wool", volume="tall")
        s.fill(box(55, 54, 7, 17, 1), tone, material="wool", volume="round")


def car(s: Stage, v: V) -> None:
    """Draw a toy vehicle: a saloon, a lorry, a bus or a racing car."""
    {"saloon": _saloon, "truck": _truck, "bus": _bus, "racer": _racer}[v["type"]](s)
    spots = {"saloon": (28, 72), "truck": (26, 72), "bus": (28, 72), "racer": (24, 77)}[v["type"]]
    for x in spots:
        _wheel(s, x, 80, 10, v["wheels"])


def _wheel(s: Stage, x: float, y: float, radius: float, kind: str) -> None:
    s.fill(oval(x, y, radius), RUBBER, material="rubber", volume="ball")
    hub: RGB = {"silver": STEEL, "wooden": (196, 148, 96), "coloured": (246, 206, 70)}[kind]
    if kind == "coloured" and s.patterned:
        hub = s.accent
    s.fill(oval(x, y, radius * 0.58), hub, material="wood" if kind == "wooden" else "metal",
        volume="ball", edge=0.4)
    s.spot(oval(x, y, radius * 0.16), GRAPHITE)


def _glass(s: Stage, knots: list[Knot]) -> None:
    pane = outline(knots)
    s.fill(pane, (172, 212, 232), volume="sheet", material="plastic")


def _saloon(s: Stage) -> None:
    body = outline([(5, 80, 1), (4, 66), (9, 58), (24, 54), (33, 36), (42, 31), (60, 31), (70, 38),
        (78, 54), (92, 58), (96, 68), (96, 80, 1)])
    s.fill(body, wrap=quad([(4, 28), (96, 28), (96, 84), (4, 84)], 88, 54), volume="soft")
    _glass(s, [(31, 54, 1), (37, 39), (43, 36), (49, 36, 1), (49, 54, 1)])
    _glass(s, [(53, 36, 1), (60, 36), (66, 40), (72, 54, 1), (53, 54, 1)])
    s.line([(51, 37), (51, 76)], 0.9)
    s.metal(box(55, 59, 6, 2, 1))
    s.fill(oval(93, 64, 3, 3.6), (255, 240, 190), volume="ball", material="plastic")
    s.fill(box(3, 63, 4, 6, 1.4), (206, 52, 48), volume="tall", material="plastic")
    s.fill(box(2, 75, 96, 5, 2), STEEL, material="metal", volume="tall")


def _truck(s: Stage) -> None:
    s.fill(box(4, 72, 92, 7, 2), GRAPHITE, material="metal", volume="tall")
    s.fill(box(4, 30, 56, 43, 2), wrap=quad([(4, 30), (60, 30), (60, 73), (4, 73)], 56, 43),
        volume="soft")
    for x in (18, 32, 46):
        s.line([(x, 33), (x, 70)], 0.8, alpha=0.35)
    cab = outline([(63, 76, 1), (63, 42), (66, 39), (82, 39), (87, 44), (90, 57), (96, 61),
        (96, 76, 1)])
    s.fill(cab, s.accent if s.patterned else s.shadow_tone(0.16), material=s.design.material)
    _glass(s, [(69, 45, 1), (81, 45, 1), (85, 58, 1), (69, 58, 1)])
    s.fill(oval(93.4, 67, 2.6), (255, 240, 190), volume="ball", material="plastic")


def _bus(s: Stage) -> None:
    body = box(5, 24, 90, 56, 8)
    s.fill(body, wrap=quad([(5, 24), (95, 24), (95, 80), (5, 80)], 90, 56), volume="soft")
    for x in (10, 26, 42, 58):
        _glass(s, [(x, 34, 1), (x + 13, 34, 1), (x + 13, 50, 1), (x, 50, 1)])
    _glass(s, [(75, 33, 1), (94.6, 33, 1), (94.6, 52, 1), (75, 52, 1)])
    s.fill(box(5, 56, 90, 4.6, 0.4), s.accent if s.patterned else CHALK, volume="tall", edge=0.3)
    s.fill(oval(92.4, 68, 2.6), (255, 240, 190), volume="ball", material="plastic")
    s.fill(box(3, 75, 94, 4, 2), STEEL, material="metal", volume="tall")


def _racer(s: Stage) -> None:
    s.fill(outline([(2, 46, 1), (20, 46, 1), (18, 54, 1), (4, 54, 1)]), s.shadow_tone(0.3),
        volume="tall")
    s.fill(box(9, 53, 4, 16, 1), GRAPHITE, volume="round", material="metal")
    body = outline([(5, 80, 1), (5, 66), (22, 62), (36, 56), (44, 62), (54, 62), (62, 64),
        (84, 68), (98, 76), (98, 80, 1)])
    s.fill(body, wrap=quad([(4, 54), (98, 54), (98, 82), (4, 82)], 92, 28), volume="soft")
    s.fill(oval(48, 55, 7.4, 8), CHALK, material="plastic", volume="ball")
    s.fill(outline([(47, 52, 1), (55.6, 52, 1), (55, 57), (47, 57, 1)]), GRAPHITE, volume="sheet",
        material="glass")
    s.fill(outline([(52, 62), (58, 56, 1), (62, 64, 1)]), (172, 212, 232), volume="sheet",
        material="plastic")
    s.fill(oval(34, 71, 5.6), CHALK, volume="none")
    s.line([(33, 69.4), (34.6, 67.6), (34.6, 74.4)], 1.3, GRAPHITE, 1)


def duck(s: Stage, v: V) -> None:
    """Draw a bath toy: a duck, a whale or a boat."""
    {"duck": _rubber_duck, "whale": _whale, "boat": _boat}[v["animal"]](s)
    if v["hat"] != "plain":
        x, y, size = {
            "duck": (64.0, 15.0, 1.0), "whale": (62.0, 38.0, 1.0), "boat": (50.0, 13.0, 0.75),
        }[v["animal"]]
        _topping(s, v["hat"], x, y, size)


def _rubber_duck(s: Stage) -> None:
    body = outline([(8, 58), (14, 62), (26, 64), (44, 56), (58, 54), (76, 58), (84, 70), (78, 84),
        (60, 90), (34, 90), (16, 82), (8, 68)])
    s.fill(body, wrap=ball(48, 72, 42, 24), volume="ball")
    s.fill(oval(64, 35, 20), wrap=ball(64, 35, 21), volume="ball")
    s.fill(outline([(24, 66), (40, 60), (58, 64), (60, 74), (46, 80), (30, 76)]),
        s.accent if s.patterned else s.shadow_tone(0.12), material=s.design.material, volume="soft")
    beak: RGB = (238, 120, 40) if s.design.colour != "orange" else (214, 60, 44)
    s.fill(outline([(80, 36), (88, 35), (96, 38, 1), (90, 43), (80, 44)]), beak,
        material="plastic", volume="tall")
    s.spot(oval(70, 30, 3.2, 3.8), NOSE if brightness(s.colour) > 70 else CHALK)
    s.spot(oval(69, 28.6, 1.2), WHITE if brightness(s.colour) > 70 else NOSE)


def _whale(s: Stage) -> None:
    body = outline([(6, 42, 1), (14, 50), (22, 50), (30, 60), (44, 46), (62, 40), (84, 48),
        (94, 66), (86, 84), (60, 90), (34, 86), (20, 72), (14, 58), (4, 56, 1)])
    s.fill(body, wrap=ball(56, 66, 42, 27), volume="ball")
    s.fill(outline([(34, 82), (52, 80), (74, 80), (92, 70), (87, 83), (66, 90), (44, 89)]), CHALK,
        material="plastic", volume="soft", edge=0.3)
    s.fill(outline([(56, 72), (66, 78), (60, 88), (52, 82)]), s.shadow_tone(0.18), volume="soft")
    s.spot(oval(78, 61, 2.8), NOSE if brightness(s.colour) > 70 else CHALK)
    for dx in (-7, 0, 7) if s.gene("hat") == "plain" else ():
        s.line([(62, 40), (62 + dx * 0.4, 30), (62 + dx * 1.4, 27), (62 + dx * 1.8, 31)], 1.8,
            (120, 196, 234), 0.9)


def _boat(s: Stage) -> None:
    s.metal(box(48.6, 14, 2.2, 52, 1), (190, 150, 104), volume="round")
    sail: list[Knot] = [(53, 16, 1), (72, 40), (84, 60, 1), (53, 60, 1)]
    s.fill(outline(sail), s.accent if s.patterned else CHALK, material="canvas", volume="soft")
    s.fill(outline([(46, 22, 1), (46, 60, 1), (22, 60, 1), (32, 44)]),
        wrap=quad([(20, 20), (48, 20), (48, 62), (20, 62)], 28, 42), volume="soft")
    hull = outline([(6, 66, 1), (50, 68), (94, 64, 1), (86, 80), (76, 90, 1), (26, 90, 1),
        (14, 82)])
    s.fill(hull, wrap=quad([(6, 64), (94, 64), (78, 92), (22, 92)], 80, 26), volume="tall")
    for x in (32, 50, 68):
        s.fill(oval(x, 77, 3.4), CHALK, material="metal", volume="ball", edge=0.5)
    if s.gene("hat") == "plain":
        s.fill(outline([(50, 8, 1), (62, 12, 1), (50, 16, 1)]), (214, 60, 54), volume="none")


def _topping(s: Stage, kind: str, x: float, y: float, size: float) -> None:
    s.canvas.save()
    s.canvas.translate(x, y + 3)
    s.canvas.scale(size, size)
    if kind == "crown":
        s.metal(outline([(-11, 2, 1), (-13, -12, 1), (-6, -5, 1), (0, -15, 1), (6, -5, 1),
            (13, -12, 1), (11, 2, 1)]), BRASS)
    else:
        s.fill(oval(0, 0, 15, 4), GRAPHITE, material="satin", volume="tall")
        s.fill(outline([(-9, -1, 1), (-10, -15, 1), (10, -15, 1), (9, -1, 1), (0, 1)]), GRAPHITE,
            material="satin", volume="round")
        s.fill(outline([(-9.4, -5.4, 1), (9.4, -5.4, 1), (9, -1, 1), (0, 1), (-9, -1, 1)]),
            (206, 60, 60), volume="none", edge=0)
    s.canvas.restore()


def robot(s: Stage, v: V) -> None:
    """Draw a toy robot: on legs, on wheels or on tracks."""
    _robot_feet(s, v["drive"])
    for side in (-1, 1):
        s.fill(ribbon([(50 + side * 22, 50), (50 + side * 32, 56), (50 + side * 32, 66)], 5),
            STEEL, material="metal", volume="round")
        claw: list[Knot] = [(50 + side * 27, 72), (50 + side * 29, 66), (50 + side * 35, 66),
            (50 + side * 37, 72)]
        s.fill(ribbon(claw, 3.4), s.shadow_tone(0.2), volume="round")
        s.fill(oval(50 + side * 23, 50, 5), s.shadow_tone(0.15), volume="ball")
    s.fill(box(28, 43, 44, 33, 5), wrap=quad([(28, 43), (72, 43), (72, 76), (28, 76)], 44, 33),
        volume="soft")
    s.fill(box(37, 50, 26, 17, 3), CHALK, material="plastic", volume="sheet", edge=0.5)
    for x, tone in ((42, (218, 70, 62)), (50, (246, 200, 70)), (58, (80, 176, 110))):
        s.fill(oval(x, 55, 2.6), tone, material="plastic", volume="ball", edge=0.3)
    s.line([(40, 62.4), (60, 62.4)], 1.4, GRAPHITE, 0.8)
    s.metal(box(45, 37, 10, 7, 1), STEEL)
    _robot_head(s, v["head"])


def _robot_head(s: Stage, head: str) -> None:
    body = (box(30, 14, 40, 25, 5) if head == "square" else symmetric([(50, 10), (64, 14),
        (71, 28), (70, 39, 1), (50, 40)]))
    s.fill(body, wrap=quad([(30, 12), (70, 12), (70, 40), (30, 40)], 40, 28), volume="soft")
    for side in (-1, 1):
        s.fill(oval(50 + side * 9, 26, 5.4), CHALK, material="plastic", volume="ball", edge=0.5)
        s.spot(oval(50 + side * 9, 26, 2.6), (40, 120, 190))
        s.fill(box(50 + side * 22.5 - 2.5, 22, 5, 9, 1.4), STEEL, material="metal", volume="round")
    for i in range(4):
        s.line([(45 + i * 3.4, 34), (45 + i * 3.4, 36.6)], 1.2, GRAPHITE, 0.9)
    s.line([(50, 12), (50, 4)], 1.6, STEEL, 1)
    s.fill(oval(50, 4, 3), (218, 70, 62), material="plastic", volume="ball")


def _robot_feet(s: Stage, drive: str) -> None:
    if drive == "tracks":
        for x in (22, 54):
            s.fill(box(x, 75, 24, 15, 7), RUBBER, material="rubber", volume="tall")
            for k in (6, 12, 18):
                s.fill(oval(x + k, 82.4, 2.9), STEEL, material="metal", volume="ball", edge=0.3)
    elif drive == "wheels":
        for x in (33, 67):
            s.fill(oval(x, 81, 9), RUBBER, material="rubber", volume="ball")
            s.fill(oval(x, 81, 4.4), s.shadow_tone(0.1), volume="ball")
    else:
        for side in (-1, 1):
            s.fill(box(50 + side * 11 - 4, 74, 8, 12, 1), STEEL, material="metal", volume="round")
            x = 50 + side * 11
            s.fill(outline([(x - 9, 90, 1), (x - 7, 83), (x + 7, 83), (x + 9, 90, 1)]),
                volume="tall")


def kite(s: Stage, v: V) -> None:
    """Draw a kite: a diamond, a delta or a butterfly, with its tail."""
    centre = 40.0
    if v["tail"] == "bows":
        _bow_tail(s, centre)
    elif v["tail"] == "ribbons":
        for dx, tone in ((-9, s.accent), (0, s.colour), (9, s.shadow_tone(0.3))):
            s.line([(50 + dx * 0.4, 66), (48 + dx, 78), (54 + dx, 86), (49 + dx * 1.3, 97)], 3.0,
                tone, 0.95)
    shapes: dict[str, list[Knot]] = {
        "diamond": [(50, 4, 1), (82, 36, 1), (50, 82, 1), (18, 36, 1)],
        "delta": [(50, 8, 1), (96, 58, 1), (66, 54), (50, 68, 1), (34, 54), (4, 58, 1)],
        "butterfly": [(50, 22, 1), (66, 6), (92, 10), (94, 34), (78, 44), (84, 60), (68, 72),
            (50, 58, 1), (32, 72), (16, 60), (22, 44), (6, 34), (8, 10), (34, 6)],
    }
    knots = shapes[v["shape"]]
    s.fill(outline(knots), wrap=quad([(4, 4), (96, 4), (96, 84), (4, 84)], 90, 78), volume="soft")
    if not s.patterned and v["shape"] == "diamond":
        s.spot(outline([(50, 4, 1), (82, 36, 1), (50, 36, 1)]), WHITE, 0.22)
        s.spot(outline([(18, 36, 1), (50, 36, 1), (50, 82, 1)]), (0, 0, 10), 0.12)
    low = {"diamond": 82.0, "delta": 68.0, "butterfly": 62.0}[v["shape"]]
    s.line([(50, 6 if v["shape"] != "butterfly" else 18), (50, low)], 1.1, (120, 84, 56), 1)
    if v["shape"] == "diamond":
        s.line([(18, 36), (50, 34), (82, 36)], 1.1, (120, 84, 56), 1)
    elif v["shape"] == "butterfly":
        s.fill(ribbon([(50, 16), (50, 62)], 5), GRAPHITE, material="plush", volume="round")
        for side in (-1, 1):
            s.line([(50, 16), (50 + side * 5, 8), (50 + side * 10, 6)], 1.0, GRAPHITE, 1)


def _bow_tail(s: Stage, centre: float) -> None:
    knots: list[Knot] = [(50, 60), (46, 78), (54, 86), (48, 97)]
    s.line(knots, 0.9, (90, 90, 96), 1)
    for i, (x, y) in enumerate(((48, 84), (53, 90), (49, 96))):
        tone = s.accent if i % 2 else s.shadow_tone(0.2)
        for side in (-1, 1):
            s.fill(outline([(x, y), (x + side * 7, y - 3.4, 1), (x + side * 7, y + 3.4, 1)]), tone,
                volume="soft")


def blocks(s: Stage, v: V) -> None:
    """Draw a stacking toy: a ring tower, a pile of bricks or a spinning top."""
    {"rings": _ring_tower, "bricks": _bricks, "top": _spinning_top}[v["type"]](s)
    if v["face"] == "smiling":
        x, y = {"rings": (50.0, 21.0), "bricks": (50.0, 43.0), "top": (50.0, 56.0)}[v["type"]]
        for side in (-1, 1):
            s.spot(oval(x + side * 4, y - 1.6, 1.4), NOSE if brightness(s.colour) > 70 else CHALK)
        s.line([(x - 3.4, y + 2), (x, y + 4), (x + 3.4, y + 2)], 1.1,
            NOSE if brightness(s.colour) > 70 else CHALK, 1)


def _ring_tower(s: Stage) -> None:
    s.fill(oval(50, 86, 34, 5), (206, 164, 112), material="wood", volume="tall")
    for i in range(5):
        half, y = 34 - i * 5.0, 75 - i * 11
        tone = None if i % 2 == 0 else (s.accent if s.patterned else s.shadow_tone(0.2))
        body = box(50 - half, y - 2, 2 * half, 12, 6)
        s.fill(body, tone, wrap=quad([(50 - half, y - 2), (50 + half, y - 2), (50 + half, y + 10),
            (50 - half, y + 10)], 2.6 * half, 12), material=s.design.material, volume="round",
            scale=0.7)
    s.fill(oval(50, 20, 9.6), volume="ball")


def _bricks(s: Stage) -> None:
    for x, y, width, main in ((14, 66, 36, True), (50, 66, 36, False), (32, 42, 36, True),
        (44, 18, 24, False)):
        tone = None if main else (s.accent if s.patterned else s.shadow_tone(0.22))
        for k in range(int(width // 12)):
            s.fill(box(x + 3.5 + k * 12, y - 5, 7.4, 6, 1.6), tone, material=s.design.material,
                volume="round", scale=0.5)
        s.fill(box(x, y, width, 24, 1.6), tone, wrap=quad([(x, y), (x + width, y),
            (x + width, y + 24), (x, y + 24)], width, 24), material=s.design.material,
            volume="soft")


def _spinning_top(s: Stage) -> None:
    s.fill(box(47, 10, 6, 26, 2.4), (196, 148, 96), material="wood", volume="round")
    s.fill(oval(50, 11, 6, 3.6), (196, 148, 96), material="wood", volume="ball")
    body = symmetric([(50, 34), (70, 38), (88, 50), (86, 58), (66, 76), (54, 86), (50, 90, 1)])
    s.fill(body, wrap=ball(50, 56, 40, 36), volume="round")
    s.line([(13, 54), (32, 62), (50, 64), (68, 62), (87, 54)], 2.6,
        s.accent if s.patterned else CHALK, 0.9)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "soft toy": plush, "toy car": car, "bath toy": duck, "robot": robot, "kite": kite,
    "stacking toy": blocks,
}

"""Things for the kitchen and the table."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin
from typing import Any

from crosslens.sample.canvas import RGB, WHITE, darker, lighter, mix
from crosslens.sample.shapes import Knot, box, lathe, outline, oval, ribbon, symmetric
from crosslens.sample.stage import CHALK, GRAPHITE, OAK, STEEL, Stage
from crosslens.sample.wraps import quad, tube

V = Mapping[str, str]

_MUGS: dict[str, list[tuple[float, float]]] = {
    "straight": [(28, 25), (50, 25), (84, 24)],
    "tapered": [(24, 27), (50, 24), (84, 18)],
    "barrel": [(30, 22), (42, 27), (58, 29), (72, 27), (84, 21)],
}


def mug(s: Stage, v: V) -> None:
    """Draw a mug with a round, square or heart-shaped handle."""
    profile = _MUGS[v["form"]]
    top, radius = profile[0]
    s.canvas.save()
    s.canvas.translate(-6, 1)
    side = 50 + max(profile[0][1], profile[1][1]) - 2
    handles: dict[str, list[Knot]] = {
        "round": [(side, 40), (side + 13, 38), (side + 19, 52), (side + 13, 66), (side - 2, 69)],
        "square": [(side, 40), (side + 14, 40, 1), (side + 15, 66, 1), (side - 3, 68)],
        "ring": [(side - 1, 38), (side + 10, 37), (side + 14, 46), (side + 9, 54), (side - 1, 53)],
    }
    s.fill(ribbon(handles[v["handle"]], 6.0), volume="tall", scale=0.5)
    s.fill(lathe(profile), wrap=tube(profile), volume="round")
    _mouth(s, top, radius)
    s.canvas.restore()


def _mouth(s: Stage, y: float, radius: float, inside: RGB | None = None) -> None:
    """Draw the open top of a vessel: a bright lip around a dark inside."""
    ry = radius * 0.19
    s.fill(oval(50, y, radius, ry), lighter(s.colour, 0.3), volume="none", edge=0.4)
    s.fill(oval(50, y + 0.4, radius - 2.0, ry - 0.9), inside or darker(s.colour, 0.42),
        volume="none", edge=0)
    s.spot(oval(50 + radius * 0.2, y + ry * 0.45, radius * 0.62, ry * 0.42), lighter(s.colour,
        0.3), 0.35, 1.2)


def teapot(s: Stage, v: V) -> None:
    """Draw a teapot with a side or a bail handle."""
    profile = {
        "round": [(42.0, 15.0), (47.0, 24.0), (58.0, 31.0), (70.0, 31.0), (80.0, 25.0),
            (86.0, 17.0)],
        "tall": [(30.0, 14.0), (44.0, 19.0), (62.0, 24.0), (78.0, 26.0), (86.0, 23.0)],
        "flat": [(52.0, 17.0), (58.0, 30.0), (68.0, 36.0), (78.0, 34.0), (86.0, 24.0)],
    }[v["form"]]
    top, radius = profile[0]
    wide = max(r for _, r in profile)
    middle = (top + 86) / 2
    spout: list[Knot] = [(50 - wide + 4, middle + 12), (50 - wide - 7, middle + 2),
        (50 - wide - 10, top + 2), (50 - wide - 15, top - 3, 1), (50 - wide - 9, top - 5, 1),
        (50 - wide - 3, top + 6), (50 - wide + 6, middle - 6)]
    s.fill(outline(spout), volume="round", scale=0.6)
    if v["handle"] == "side":
        s.fill(ribbon([(50 + wide - 4, middle - 10), (50 + wide + 9, middle - 12), (50 + wide + 13,
            middle + 2), (50 + wide - 2, middle + 13)], 5), volume="tall", scale=0.5)
    else:
        s.fill(ribbon([(50 - radius - 4, top + 4), (50 - radius - 4, top - 20), (50, top - 31),
            (50 + radius + 4, top - 20), (50 + radius + 4, top + 4)], 3.0), OAK, material="wood",
            volume="tall")
    s.fill(lathe(profile), wrap=tube(profile, bend=0.2), volume="round")
    lid = symmetric([(50, top - 7), (50 + radius * 0.6, top - 5), (50 + radius, top, 1),
        (50 + radius * 0.6, top + 2.4), (50, top + 3)])
    s.fill(lid, s.accent if s.patterned else None, volume="round")
    s.fill(oval(50, top - 9, 3.6), s.accent if s.patterned else None, volume="ball")


def plate(s: Stage, v: V) -> None:
    """Draw a plate seen from above: round, square or scalloped."""
    if v["shape"] == "square":
        body, well = box(12, 12, 76, 76, 12), box(25, 25, 50, 50, 8)
    elif v["shape"] == "scalloped":
        body, well = _scallop(42.0), oval(50, 50, 25)
    elif v["shape"] == "oval":
        body, well = oval(50, 50, 45, 31), oval(50, 50, 31, 19)
    else:
        body, well = oval(50, 50, 42), oval(50, 50, 26)
    s.fill(body, wrap=quad([(6, 6), (94, 6), (94, 94), (6, 94)], 86, 86), volume="soft")
    s.shade_inside(body, well, 0.28, 2.4)
    white = v["centre"] == "white"
    s.fill(well, CHALK if white else None, wrap=quad([(10, 10), (90, 10), (90, 90), (10, 90)], 76,
        76), volume="sheet", material=s.design.material, edge=0.4)
    if v["centre"] == "rimmed":
        s.stroke(body, (214, 176, 92), 1.6)
        s.stroke(well, (214, 176, 92), 1.0)
    s.stroke(well, WHITE, 0.7, 0.4)


def _scallop(radius: float) -> Any:
    knots: list[Knot] = []
    for i in range(72):
        angle = i * pi / 36
        reach = radius * (1 + 0.055 * abs(sin(angle * 6)))
        knots.append((50 + reach * cos(angle), 50 + reach * sin(angle)))
    return outline(knots)


def bowl(s: Stage, v: V) -> None:
    """Draw a bowl on a foot, flat or deep."""
    profile = {
        "deep": [(42.0, 38.0), (54.0, 37.0), (66.0, 32.0), (77.0, 22.0), (82.0, 15.0)],
        "shallow": [(56.0, 43.0), (64.0, 40.0), (72.0, 31.0), (80.0, 18.0), (83.0, 14.0)],
        "noodle": [(36.0, 40.0), (48.0, 34.0), (62.0, 27.0), (74.0, 20.0), (81.0, 15.0)],
    }[v["form"]]
    s.fill(lathe([(79.0, 14.0), (88.0, 15.0)]), s.shadow_tone(0.2), material=s.design.material,
        volume="round")
    s.fill(lathe(profile, bend=0.14), wrap=tube(profile, bend=0.3), volume="round")
    top, radius = profile[0]
    ry = radius * 0.2
    rim: RGB = {"plain": lighter(s.colour, 0.35), "gilded": (220, 182, 96)}[v["rim"]]
    s.fill(oval(50, top, radius, ry), rim, volume="none", edge=0.4)
    s.fill(oval(50, top + 0.5, radius - 1.9, ry - 1.0), mix(CHALK, darker(s.colour, 0.25), 0.6),
        volume="none", edge=0)
    s.spot(oval(50 + radius * 0.25, top + ry * 0.4, radius * 0.5, ry * 0.4), WHITE, 0.3, 2)


def pan(s: Stage, v: V) -> None:
    """Draw cookware: a frying pan from above, a pot or a wok from the side."""
    {"frying": _frying_pan, "pot": _pot, "wok": _wok}[v["style"]](s, v["handle"])


def _pan_handle(s: Stage, knots: list[Knot], handle: str, width: float = 6.0) -> None:
    tone, material = ((OAK, "wood") if handle == "wooden" else (STEEL,
        "metal") if handle == "steel" else (GRAPHITE, "rubber"))
    s.fill(ribbon(knots, width), tone, material=material, volume="tall")


def _frying_pan(s: Stage, handle: str) -> None:
    _pan_handle(s, [(60, 69), (93, 82)], handle, 6.4)
    s.metal(oval(92, 81.6, 1.3), GRAPHITE)
    profile = [(60.0, 34.0), (68.0, 33.0), (82.0, 26.0)]
    s.canvas.save()
    s.canvas.translate(-10, 3)
    s.fill(lathe(profile, bend=0.14), wrap=tube(profile, bend=0.3), volume="round")
    s.fill(oval(50, 60, 34.6, 10.5), lighter(s.colour, 0.3), volume="none", edge=0.5)
    s.fill(oval(50, 60.6, 32.6, 9.3), (56, 57, 62), volume="soft", material="metal", edge=0)
    s.fill(oval(50, 64, 25, 5.4), (66, 67, 72), volume="sheet", material="plastic", edge=0)
    s.canvas.restore()


def _pot(s: Stage, handle: str) -> None:
    for side in (-1, 1):
        _pan_handle(s, [(50 + side * 31, 55), (50 + side * 40, 54), (50 + side * 40, 62),
            (50 + side * 31, 63)], handle, 4.6)
    profile = [(50.0, 33.0), (68.0, 33.0), (80.0, 32.0), (85.0, 29.0)]
    s.fill(lathe(profile, bend=0.1), wrap=tube(profile, bend=0.16), volume="round")
    lid = symmetric([(50, 37), (68, 40), (83.4, 50, 1), (68, 55), (50, 56)])
    s.fill(lid, s.accent if s.patterned else s.shadow_tone(0.08), material=s.design.material,
        volume="round")
    s.line([(17, 50.4), (50, 56.4), (83, 50.4)], 1.2, STEEL, 0.9)
    tone, material = ((OAK, "wood") if handle == "wooden" else (STEEL,
        "metal") if handle == "steel" else (GRAPHITE, "rubber"))
    s.fill(oval(50, 34, 5.4, 4), tone, material=material, volume="ball")


def _wok(s: Stage, handle: str) -> None:
    _pan_handle(s, [(76, 55), (96, 43)], handle, 5.6)
    profile = [(52.0, 38.0), (62.0, 35.0), (72.0, 28.0), (82.0, 15.0)]
    s.canvas.save()
    s.canvas.translate(-7, 5)
    s.fill(lathe(profile, bend=0.14), wrap=tube(profile, bend=0.3), volume="round")
    s.fill(oval(50, 52, 38.5, 10), lighter(s.colour, 0.3), volume="none", edge=0.5)
    s.fill(oval(50, 52.8, 36.4, 8.8), (58, 59, 64), volume="soft", material="metal", edge=0)
    s.canvas.restore()
    s.fill(ribbon([(9, 57), (2, 55), (2, 60), (9, 62)], 3), GRAPHITE, material="metal",
        volume="tall")


def bottle(s: Stage, v: V) -> None:
    """Draw a drinking bottle: slim, wide or a travel mug."""
    profile = {
        "slim": [(30.0, 10.0), (36.0, 16.0), (44.0, 18.0), (86.0, 18.0), (88.0, 16.0)],
        "wide": [(30.0, 14.0), (36.0, 23.0), (44.0, 25.0), (84.0, 25.0), (88.0, 22.0)],
        "tumbler": [(26.0, 25.0), (50.0, 22.0), (74.0, 18.0), (88.0, 16.0)],
    }[v["form"]]
    _bottle_top(s, v["lid"], profile[0][0], profile[0][1])
    s.fill(lathe(profile, bend=0.12), wrap=tube(profile, bend=0.18), volume="round")
    wide = profile[-2][1]
    s.metal(lathe([(84.0, wide + 0.3), (88.6, profile[-1][1] + 0.6)], bend=0.12), STEEL,
        volume="round")
    if v["form"] != "tumbler":
        s.line([(50 - profile[0][1], profile[0][0] + 0.6), (50, profile[0][0] + 2),
            (50 + profile[0][1], profile[0][0] + 0.6)], 1.2, STEEL, 1)


def _bottle_top(s: Stage, lid: str, y: float, radius: float) -> None:
    tone = s.accent if s.patterned else GRAPHITE
    if lid == "straw":
        s.fill(ribbon([(54, y), (55, 14), (58, 7), (66, 5)], 4), lighter(tone, 0.5),
            material="plastic", volume="round")
    elif lid == "loop":
        s.fill(ribbon([(50 - radius + 2, y - 7), (50 - radius + 2, y - 17), (50, y - 21),
            (50 + radius - 2, y - 17), (50 + radius - 2, y - 7)], 3.4), tone, material="plastic",
            volume="tall")
    high = 11.0 if lid == "screw" else 8.0
    s.fill(lathe([(y - high, radius * 0.94), (y + 1, radius)], bend=0.14), tone,
        material="plastic", volume="round")
    s.fill(oval(50, y - high, radius * 0.94, radius * 0.13), lighter(tone, 0.2), volume="none",
        edge=0.3)
    if lid == "screw":
        for x in range(-8, 9, 2):
            s.line([(50 + radius * x / 9, y - high + 2), (50 + radius * x / 9, y)], 0.5,
                darker(tone, 0.5), 0.5)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "mug": mug, "teapot": teapot, "plate": plate, "bowl": bowl, "cookware": pan,
    "water bottle": bottle,
}

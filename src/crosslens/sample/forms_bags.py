"""Bags, cases and wallets."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crosslens.sample.canvas import RGB, darker, lighter
from crosslens.sample.shapes import Knot, box, outline, oval, ribbon, symmetric
from crosslens.sample.stage import BRASS, GRAPHITE, OAK, RUBBER, STEEL, Stage
from crosslens.sample.wraps import band, quad

V = Mapping[str, str]


def handbag(s: Stage, v: V) -> None:
    """Draw a lady's handbag with a top handle, a chain or a long strap."""
    top = {"boxy": 46.0, "trapeze": 44.0, "bucket": 38.0, "half-moon": 50.0}[v["shape"]]
    _bag_handle(s, v["handle"], top)
    body = _bag_body(v["shape"], top)
    s.fill(body, wrap=quad([(18, top), (82, top), (90, 92), (10, 92)], 66, 46), volume="soft")
    if v["shape"] == "bucket":
        s.fill(oval(50, top + 1, 25.4, 4), darker(s.colour, 0.4), volume="none")
        s.line([(26, top + 9), (50, top + 13), (74, top + 9)], 1.6, s.shadow_tone(0.4), 1)
    else:
        _flap(s, body, top)
    for side in (-1, 1):
        s.stitch([(50 + side * 27, top + 8, 1), (50 + side * 29, 84, 1)])


def _bag_body(shape: str, top: float) -> Any:
    return {
        "boxy": symmetric([(50, top), (78, top), (82, top + 4), (83, 86), (80, 90), (50, 90)]),
        "trapeze": symmetric([(50, top), (70, top, 1), (74, top + 3), (88, 84), (84, 90),
            (50, 90)]),
        "bucket": symmetric([(50, top), (75, top + 1, 1), (79, 70), (77, 86), (70, 90),
            (50, 90.6)]),
        "half-moon": symmetric([(50, top), (82, top, 1), (88, 60), (82, 79), (66, 89), (50, 90.5)]),
    }[shape]


def _flap(s: Stage, body: Any, top: float) -> None:
    flap = symmetric([(50, top - 0.5), (74, top - 0.5, 1), (78, top + 6), (72, top + 17),
        (56, top + 22), (50, top + 22.6)])
    s.canvas.save()
    s.canvas.clipPath(body, True)
    s.shade(flap, 0.4, 1.6)
    tone = None if s.patterned else s.shadow_tone(0.1)
    s.fill(flap, tone, material=s.design.material, wrap=quad([(22, top), (78, top), (72, top + 24),
        (28, top + 24)], 54, 22), volume="soft")
    s.canvas.restore()
    s.metal(box(45.4, top + 17.5, 9.2, 8, 1.6), BRASS)
    s.metal(oval(50, top + 21.6, 2.2), (238, 214, 150), volume="ball")


def _bag_handle(s: Stage, handle: str, top: float) -> None:
    tone = s.shadow_tone(0.25)
    if handle == "top":
        arch: list[Knot] = [(32, top + 6), (33, top - 14), (42, top - 25), (50, top - 27),
            (58, top - 25), (67, top - 14), (68, top + 6)]
        s.fill(ribbon(arch, 4.4), tone, material=s.design.material, volume="tall")
    elif handle == "chain":
        for i in range(23):
            t = i / 22
            x, y = 24 + 52 * t, top - 150 * t * (1 - t) + 2
            s.stroke(oval(x, y, 2.2, 1.5), BRASS if i % 2 else (236, 208, 140), 1.1)
    else:
        strap: list[Knot] = [(21, top + 4), (14, top - 12), (24, top - 34), (50, top - 41),
            (76, top - 34), (86, top - 12), (79, top + 4)]
        s.fill(ribbon(strap, 3.0), tone, material=s.design.material, volume="tall")
    for x in (31, 69) if handle == "top" else (22, 78):
        s.stroke(oval(x, top + 4, 2.4), BRASS, 1.3)


def backpack(s: Stage, v: V) -> None:
    """Draw a backpack: round-topped, rolled or with a flap and buckles."""
    for side in (-1, 1):
        s.fill(ribbon([(50 + side * 20, 20), (50 + side * 31, 34), (50 + side * 30, 68),
            (50 + side * 27, 84)], 6), s.shadow_tone(0.35), material="canvas", volume="round")
    s.fill(ribbon([(42, 14), (43, 6), (50, 3.6), (57, 6), (58, 14)], 3.2), s.shadow_tone(0.35),
        material="canvas", volume="tall")
    body = _pack_body(v["closure"])
    s.fill(body, wrap=band([(50, 8), (50, 40), (50, 92)], [56, 60, 62]), volume="soft")
    {"zipped": _zip_top, "flap": _flap_top, "roll-top": _roll_top}[v["closure"]](s)
    _pockets(s, v["pocket"])


def _pack_body(closure: str) -> Any:
    if closure == "roll-top":
        return symmetric([(50, 20), (72, 20, 1), (77, 30), (79, 82), (74, 90), (50, 90.5)])
    return symmetric([(50, 10), (64, 11.5), (75, 22), (78, 42), (80, 80), (75, 90), (50, 90.5)])


def _zip_top(s: Stage) -> None:
    s.line([(24, 46), (27, 27), (38, 18), (50, 16.4), (62, 18), (73, 27), (76, 46)], 1.8,
        darker(s.colour, 0.5), 0.9)
    s.line([(24, 46), (27, 27), (38, 18), (50, 16.4), (62, 18), (73, 27), (76, 46)], 0.7, STEEL, 1)
    s.metal(box(66, 20.4, 2.2, 5.4, 0.8))


def _flap_top(s: Stage) -> None:
    flap = symmetric([(50, 9), (64, 10), (76, 20), (78, 40), (74, 48), (50, 50)])
    s.shade_inside(_pack_body("flap"), flap, 0.45, 2)
    s.fill(flap, s.accent if s.patterned else s.shadow_tone(0.18), material=s.design.material)
    for x in (36, 64):
        s.fill(box(x - 2.2, 34, 4.4, 24, 1), (128, 84, 52), material="leather", volume="round")
        s.stroke(box(x - 3.2, 49, 6.4, 5.6, 1), BRASS, 1.2)


def _roll_top(s: Stage) -> None:
    s.fill(box(25, 11, 50, 12, 5), s.shadow_tone(0.12), material=s.design.material, volume="tall")
    s.line([(27, 17), (73, 17)], 0.8)
    s.fill(box(47, 10, 6, 34, 1), s.shadow_tone(0.4), material="canvas", volume="round")
    s.fill(box(45.4, 30, 9.2, 6.6, 1.4), RUBBER, material="plastic", volume="tall")


def _pockets(s: Stage, pocket: str) -> None:
    if pocket == "front":
        body = box(28, 58, 44, 27, 6)
        s.shade(box(28, 59.5, 44, 27, 6), 0.3, 1.4)
        s.fill(body, s.accent if s.patterned else s.shadow_tone(0.12), material=s.design.material)
        s.line([(31, 64.5), (50, 66), (69, 64.5)], 1.4, darker(s.colour, 0.5), 0.9)
        s.metal(box(60, 64, 2, 5, 0.7))
    elif pocket == "double":
        for x in (27, 51.5):
            s.shade(box(x, 63, 21.5, 23, 4), 0.3, 1.2)
            s.fill(box(x, 62, 21.5, 23, 4), s.accent if s.patterned else s.shadow_tone(0.12),
                material=s.design.material)
            s.line([(x + 2, 68), (x + 19.5, 68)], 1.3, darker(s.colour, 0.5), 0.9)
    else:
        s.fill(box(40, 66, 20, 9, 1.6), (128, 84, 52), material="leather", volume="sheet")
        s.stitch([(41, 67.4, 1), (59, 67.4, 1), (59, 73.6, 1), (41, 73.6, 1), (41, 67.4, 1)],
            (230, 200, 150))


def tote(s: Stage, v: V) -> None:
    """Draw an open tote bag with two handles."""
    high = 8.0 if v["handle"] == "long" else 22.0
    for dy, tone in ((-3.0, s.shadow_tone(0.4)), (0.0, None)):
        handle = ribbon([(36, 42 + dy), (36.5, high + 12 + dy), (43, high + dy),
            (50, high - 1 + dy), (57, high + dy), (63.5, high + 12 + dy), (64, 42 + dy)], 4.2)
        colour: RGB = tone or ((150, 100, 62) if v["handle"] == "leather" else s.shadow_tone(0.18))
        s.fill(handle, colour, material="leather" if v["handle"] == "leather" else "canvas",
            volume="tall")
        if dy:
            s.fill(outline([(20, 38, 1), (80, 38, 1), (78, 46, 1), (22, 46, 1)]), darker(s.colour,
                0.5), volume="none")
    wide = {"square": (30.0, 31.0), "wide": (36.0, 29.0), "tall": (25.0, 26.0)}[v["shape"]]
    top = 32.0 if v["shape"] == "tall" else 40.0
    body = symmetric([(50, top + 1), (50 + wide[0], top, 1), (50 + wide[1] + 1, 66),
        (50 + wide[1], 89, 1), (50, 90.4)])
    wrap = quad([(50 - wide[0], top), (50 + wide[0], top), (50 + wide[1], 90), (50 - wide[1], 90)],
        2 * wide[0], 90 - top)
    s.fill(body, wrap=wrap, volume="soft")
    s.stitch([(50 - wide[0] + 1, top + 4), (50, top + 5), (50 + wide[0] - 1, top + 4)])
    for x in (36, 64):
        s.stitch([(x - 2, top + 1, 1), (x + 2, top + 9, 1), (x - 2, top + 9, 1), (x + 2, top + 1,
            1)])
    for crease in (50 - wide[1] + 7, 50 + wide[1] - 9):
        s.line([(crease, top + 12), (crease + 2, 70), (crease, 86)], 1.3, alpha=0.16)


def suitcase(s: Stage, v: V) -> None:
    """Draw a case on wheels, with a trolley or a carrying handle."""
    top = {"cabin": 36.0, "large": 26.0, "vintage": 40.0}[v["style"]]
    if v["style"] == "vintage":
        _vintage_case(s, top, v["shell"])
        return
    for x in (40, 58):
        s.metal(box(x, 6, 2.2, top - 4, 0.6), volume="round")
    s.fill(box(37.5, 3.6, 25, 5, 2), GRAPHITE, material="plastic", volume="tall")
    for x in (27, 67):
        s.fill(box(x, 84, 6, 7, 2.6), RUBBER, material="rubber", volume="round")
    body = box(23, top, 54, 86 - top, 7)
    s.fill(body, wrap=quad([(23, top), (77, top), (77, 86), (23, 86)], 54, 86 - top),
        volume="round")
    _shell(s, v["shell"], top)
    s.fill(box(42, top + 1.4, 16, 3, 1.4), GRAPHITE, material="plastic", volume="tall")
    for x, y in ((23, top), (69, top), (23, 78), (69, 78)):
        s.stroke(box(x + 1, y + 1, 6, 6, 3), darker(s.colour, 0.45), 1.0, 0.5)


def _shell(s: Stage, shell: str, top: float) -> None:
    if shell == "ribbed":
        for x in range(30, 74, 7):
            s.line([(x, top + 9), (x, 80)], 1.6, darker(s.colour, 0.6), 0.32)
            s.line([(x + 1.5, top + 9), (x + 1.5, 80)], 1.0, lighter(s.colour, 0.7), 0.5)
    elif shell == "pocket":
        s.shade(box(29, top + 24, 42, 26, 4), 0.3, 1.2)
        s.fill(box(29, top + 23, 42, 26, 4), s.shadow_tone(0.16), material=s.design.material)
        s.line([(32, top + 28), (68, top + 28)], 1.2, STEEL, 0.9)
    else:
        s.line([(24, top + 20), (50, top + 20), (76, top + 20)], 1.0, alpha=0.4)
        s.metal(box(46, top + 10, 8, 5, 1.2))


def _vintage_case(s: Stage, top: float, shell: str) -> None:
    s.fill(ribbon([(40, top), (41, top - 8), (50, top - 10), (59, top - 8), (60, top)], 3.6), OAK,
        material="leather", volume="tall")
    body = box(10, top, 80, 90 - top, 6)
    s.fill(body, wrap=quad([(10, top), (90, top), (90, 90), (10, 90)], 80, 90 - top), volume="soft")
    for x in (22, 72):
        s.fill(box(x, top - 0.4, 6, 90.4 - top, 0.6), (138, 92, 56), material="leather",
            volume="round")
        s.stroke(box(x - 0.8, top + 20, 7.6, 6, 1), BRASS, 1.3)
    s.line([(10, top + 16), (90, top + 16)], 0.9)
    if shell == "ribbed":
        for x in (34, 42, 50, 58, 66):
            s.line([(x, top + 3), (x, 87)], 1.6, darker(s.colour, 0.6), 0.4)
    elif shell == "pocket":
        s.fill(box(33, top + 20, 34, 22, 2), s.shadow_tone(0.2), material=s.design.material)
    for x in (10, 80):
        for y in (top, 80):
            s.fill(box(x, y, 10, 10, 4), (150, 104, 66), material="leather", edge=0.4)


def wallet(s: Stage, v: V) -> None:
    """Draw a wallet: folded, long or with a clasp."""
    {"bifold": _bifold, "long": _long_wallet, "coin": _coin_purse}[v["style"]](s, v["closure"])


def _bifold(s: Stage, closure: str) -> None:
    s.fill(box(19, 33, 63, 46, 4), s.shadow_tone(0.4), volume="none")
    s.fill(box(17, 30, 63, 46, 4), wrap=quad([(17, 30), (80, 30), (80, 76), (17, 76)], 63, 46))
    s.stitch([(20, 33, 1), (77, 33, 1), (77, 73, 1), (20, 73, 1), (20, 33, 1)])
    s.line([(22, 30), (22, 76)], 1.0, alpha=0.4)
    _wallet_clasp(s, closure, 80, 53)


def _long_wallet(s: Stage, closure: str) -> None:
    s.fill(box(8, 35, 86, 40, 4), s.shadow_tone(0.4), volume="none")
    s.fill(box(6, 32, 86, 40, 4), wrap=quad([(6, 32), (92, 32), (92, 72), (6, 72)], 86, 40))
    s.stitch([(9, 35, 1), (89, 35, 1), (89, 69, 1), (9, 69, 1), (9, 35, 1)])
    if closure == "zipped":
        s.line([(7, 33, 1), (92, 33, 1), (92, 72, 1)], 1.6, BRASS, 1)
    _wallet_clasp(s, closure, 92, 52)


def _coin_purse(s: Stage, closure: str) -> None:
    body = symmetric([(50, 38), (70, 38, 1), (82, 52), (80, 72), (66, 82), (50, 84)])
    s.fill(body, wrap=band([(50, 36), (50, 60), (50, 86)], [50, 66, 56]), volume="soft")
    for lean in (-14, -5, 5, 14):
        s.line([(50 + lean, 41), (50 + lean * 1.4, 56)], 1.0, alpha=0.35)
    s.metal(ribbon([(29, 40), (36, 35), (50, 33), (64, 35), (71, 40)], 4.4), BRASS)
    if closure == "zipped":
        s.line([(31, 40), (50, 36), (69, 40)], 1.0, darker(BRASS, 0.5), 1)
        s.metal(box(66, 40, 2.4, 8, 1), STEEL)
    else:
        for x in (47.4, 52.6):
            s.metal(oval(x, 29.4, 3.2), BRASS, volume="ball")


def _wallet_clasp(s: Stage, closure: str, right: float, y: float) -> None:
    if closure == "snap":
        s.fill(outline([(right + 4, y - 7, 1), (right - 14, y - 7), (right - 18, y),
            (right - 14, y + 7), (right + 4, y + 7, 1)]), s.shadow_tone(0.22),
            material=s.design.material)
        s.metal(oval(right - 11, y, 2.8), BRASS, volume="ball")
    else:
        s.metal(box(right - 4, y - 3, 3, 10, 1.2), BRASS)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "handbag": handbag, "backpack": backpack, "tote bag": tote, "suitcase": suitcase,
    "wallet": wallet,
}

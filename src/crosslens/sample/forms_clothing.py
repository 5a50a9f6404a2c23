"""Clothes, drawn as they hang in front of a wall."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crosslens.sample.canvas import Point, darker, lighter
from crosslens.sample.shapes import Knot, box, outline, oval, reflect, ribbon, symmetric
from crosslens.sample.stage import BRASS, CHALK, STEEL, Stage
from crosslens.sample.wraps import Wrap, band, drape

V = Mapping[str, str]

# Where a sleeve runs, from the shoulder on, and how wide it is there.
_ARMS: dict[str, list[tuple[float, float, float]]] = {
    "short": [(36, 24, 16), (24, 31.5, 17.5), (16, 43, 16.5)],
    "long": [(36, 24, 16), (24.5, 33, 16.5), (17.5, 54, 13), (14.5, 77, 10.5)],
    "spread": [(36, 24, 14), (25, 32, 14), (15, 46, 11), (6.5, 60, 9)],
    "puff": [(36, 25, 16), (22, 29, 23), (16.5, 41, 12)],
}
_NECKS = {"round": 7.0, "v": 17.0, "square": 11.0, "polo": 6.0, "turtle": -2.0, "hooded": 7.0}


def _arm(s: Stage, kind: str, *, wide: float = 0.0, cuff: bool = False) -> None:
    """Draw both sleeves, their pattern turned the way they hang."""
    spine = [(x - wide * 0.5, y) for x, y, _ in _ARMS[kind]]
    widths = [w + wide for _, _, w in _ARMS[kind]]
    for flip in (False, True):
        _sleeve(s, _mirrored(spine) if flip else spine, widths, cuff, puffed=kind == "puff")


def _mirrored(spine: list[Point]) -> list[Point]:
    return [(100 - x, y) for x, y in spine]


def _sleeve(s: Stage, spine: list[Point], widths: list[float], cuff: bool, puffed: bool) -> None:
    body = _limb(spine, widths)
    s.fill(body, wrap=band(spine, widths), volume="soft")
    (x0, y0), (x1, y1) = spine[-2], spine[-1]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    half = widths[-1] * 0.5
    if cuff or puffed:
        ends: list[Knot] = [(x1 - dy * half - dx * 1.2, y1 + dx * half - dy * 1.2),
            (x1 + dy * half - dx * 1.2, y1 - dx * half - dy * 1.2)]
        s.fill(ribbon(ends, 3.4), s.shadow_tone(0.14), material=s.design.material, volume="tall")
    else:
        s.line([(x1 - dy * half - dx * 2, y1 + dx * half - dy * 2), (x1 + dy * half - dx * 2,
            y1 - dx * half - dy * 2)], 0.5)


def _limb(spine: list[Point], widths: list[float]) -> Any:
    left: list[Knot] = []
    right: list[Knot] = []
    for i, (x, y) in enumerate(spine):
        ax, ay = spine[max(0, i - 1)]
        bx, by = spine[min(len(spine) - 1, i + 1)]
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        nx, ny = -(by - ay) / length, (bx - ax) / length
        sharp: tuple[float, ...] = (1,) if i == len(spine) - 1 else ()
        left.append((x + nx * widths[i] / 2, y + ny * widths[i] / 2, *sharp))
        right.append((x - nx * widths[i] / 2, y - ny * widths[i] / 2, *sharp))
    return outline(left + right[::-1])


def _torso(hem: float, flare: float, neck: str, *, shoulder: float = 0.0,
    bare: bool = False) -> Any:
    depth = _NECKS[neck]
    middle: list[Knot] = [(55.5, 13.4 + depth * 0.75), (50, 14 + depth)]
    if neck == "v":
        middle = [(50, 13 + depth, 1)]
    elif neck == "square":
        middle = [(59, 13 + depth, 1), (41, 13 + depth, 1)]
    opening = [k for k in middle if k[0] >= 50]
    arm: list[Knot] = [(72 - shoulder, 17.5), (75 - shoulder, 22), (71, 36)]
    if bare:
        arm = [(68.5, 15.5, 1), (65, 25), (67, 34), (73, 39, 1)]
    right: list[Knot] = [(61, 13, 1), *arm, (70, 50), (70.5 + flare * 0.5, (hem + 50) / 2),
        (71 + flare, hem - 1, 1), (60, hem + 0.8), (50, hem + 1)]
    return symmetric([*reversed(opening), *right])


def _inside_neck(s: Stage, neck: str) -> None:
    """Show the inner back of the collar through the neck opening."""
    if neck in ("turtle", "hooded"):
        return
    depth = _NECKS[neck]
    back = outline([(39, 13, 1), (50, 10.8), (61, 13, 1), (56, 14 + depth), (44, 14 + depth)])
    s.fill(back, darker(s.colour, 0.45), volume="none", edge=0.3)


def _folds(s: Stage, hem: float, reach: float = 20.0) -> None:
    for x, lean in ((38, -2.0), (62, 2.5), (50, 0.6)):
        knots: list[Knot] = [(x, hem - reach), (x + lean * 0.4, hem - reach / 2),
            (x + lean, hem - 3)]
        s.line(knots, 0.9, alpha=0.16)


def _collar_trim(s: Stage, neck: str) -> None:
    tone = s.accent if s.patterned else s.shadow_tone(0.2)
    depth = _NECKS[neck]
    if neck == "round":
        edge: list[Knot] = [(40, 13.2), (44.5, 13.4 + depth * 0.8), (50, 14 + depth),
            (55.5, 13.4 + depth * 0.8), (60, 13.2)]
        s.fill(ribbon(edge, 2.6), tone, volume="none", edge=0.3)
    elif neck == "v":
        s.fill(ribbon([(40, 13.4, 1), (50, 13.5 + depth, 1), (60, 13.4, 1)], 2.4), tone,
            volume="none", edge=0.3)
    elif neck == "turtle":
        tube: list[Knot] = [(59.5, 5, 1), (61, 16, 1), (56, 18.4), (50, 19)]
        s.fill(symmetric([(50, 4), *tube]), wrap=drape(), volume="round", scale=0.6)
        s.line([(40, 11), (50, 13.5), (60, 11)], 0.8, alpha=0.35)
    elif neck == "polo":
        _flaps(s, tone)
        s.fill(box(48, 19, 4, 15, 1), tone, volume="none", edge=0.4)
        for y in (22, 27, 32):
            s.spot(oval(50, y, 0.9), CHALK)
    elif neck == "square":
        s.line([(41, 14, 1), (41, 24, 1), (59, 24, 1), (59, 14, 1)], 1.6, tone, 0.9)


def _flaps(s: Stage, tone: tuple[int, int, int]) -> None:
    """Draw the two points of a turned-down collar."""
    left: list[Knot] = [(41, 11.5, 1), (50, 18.5, 1), (44.5, 25, 1), (37.4, 15.5, 1)]
    for knots in (left, reflect(left)):
        s.shade(outline([(x, y + 1) for x, y, *_ in knots]), 0.25, 1.0)
        s.fill(outline(knots), tone, material=s.design.material, edge=0.5)


def tshirt(s: Stage, v: V) -> None:
    """Draw a T-shirt."""
    _inside_neck(s, v["collar"])
    _bare_or_sleeved(s, v["sleeve"])
    bare = v["sleeve"] == "sleeveless"
    body = _torso(85, s.vary(-1, 3), v["collar"], bare=bare)
    s.fill(body, wrap=drape())
    _collar_trim(s, v["collar"])
    _folds(s, 85)
    if bare:
        for edge in ([(68.5, 15.5), (65, 25), (67, 34), (73, 39)],):
            knots: list[Knot] = [(float(x), float(y)) for x, y in edge]
            s.line(knots, 1.8, s.shadow_tone(0.3), 0.9)
            s.line(reflect(knots), 1.8, s.shadow_tone(0.3), 0.9)
    s.stitch([(29, 82.5), (50, 84), (71, 82.5)])


def _bare_or_sleeved(s: Stage, sleeve: str, *, wide: float = 0.0, cuff: bool = False) -> None:
    if sleeve != "sleeveless":
        _arm(s, sleeve, wide=wide, cuff=cuff)


def shirt(s: Stage, v: V) -> None:
    """Draw a shirt with buttons down the front."""
    _inside_neck(s, "polo")
    _arm(s, v["sleeve"], cuff=v["sleeve"] == "long")
    body = _torso(87, 2, "polo")
    s.fill(body, wrap=drape())
    s.fill(outline([(47.4, 19, 1), (52.6, 19, 1), (52.8, 87.6, 1), (47.2, 87.6, 1)]), wrap=drape(),
        volume="none")
    for y in range(27, 86, 10):
        s.spot(oval(50, y + 0.3, 1.25), (90, 90, 96), 0.4)
        s.spot(oval(50, y, 1.1), CHALK)
    tone = s.shadow_tone(0.1) if not s.patterned else s.colour
    if v["collar"] == "pointed":
        _flaps(s, tone)
    elif v["collar"] == "stand":
        s.fill(outline([(40, 12, 1), (50, 15), (60, 12, 1), (59.4, 17.5, 1), (50, 21),
            (40.6, 17.5, 1)]), tone, material=s.design.material)
    else:
        _flaps(s, tone)
        for side in (-1, 1):
            s.fill(outline([(50, 21), (50 + side * 10, 16.5, 1), (50 + side * 9, 27, 1)]),
                s.accent, volume="ball")
        s.fill(box(48, 19, 4, 5, 1.4), s.accent)
    s.line([(57, 40, 1), (66, 40, 1), (66, 49, 1), (61.5, 51, 1), (57, 49, 1), (57, 40, 1)], 0.5)
    _folds(s, 87)


def sweater(s: Stage, v: V) -> None:
    """Draw a knitted sweater with ribbed hems."""
    neck = v["collar"]
    _inside_neck(s, neck)
    _arm(s, "long", wide=3, cuff=True)
    s.fill(_torso(80, 3, neck), wrap=drape())
    hem = outline([(26, 79, 1), (50, 80.6), (74, 79, 1), (72, 87, 1), (50, 89), (28, 87, 1)])
    s.fill(hem, s.shadow_tone(0.14), material=s.design.material, volume="tall")
    for x in range(29, 73, 3):
        s.line([(x, 80.6), (x + (50 - x) * 0.04, 87)], 0.5, alpha=0.35)
    _collar_trim(s, neck)
    if v["opening"] == "cardigan":
        top = 14 + max(0.0, _NECKS[neck])
        band_tone = s.shadow_tone(0.16)
        s.fill(box(47, top, 6, 88 - top, 1), band_tone, material=s.design.material, volume="none")
        for y in range(int(top) + 6, 88, 11):
            s.fill(oval(50, y, 1.7), OAK_BUTTON, volume="ball", material="plastic", edge=0.3)


OAK_BUTTON = (118, 82, 54)


def hoodie(s: Stage, v: V) -> None:
    """Draw a sweatshirt with a hood, cords and a front pocket."""
    hood = outline([(34, 20), (34, 9), (42, 3), (50, 2), (58, 3), (66, 9), (66, 20), (50, 25)])
    s.fill(hood, wrap=drape())
    s.fill(oval(50, 14.5, 10, 8.6), darker(s.colour, 0.5), volume="none")
    _arm(s, "long", wide=3.5, cuff=True)
    s.fill(_torso(81, 3, "hooded"), wrap=drape())
    s.fill(outline([(36.5, 13), (42, 20), (50, 22.6), (58, 20), (63.5, 13), (65, 18), (58, 25),
        (50, 28), (42, 25), (35, 18)]), wrap=drape())
    hem = outline([(27, 80.5, 1), (50, 82), (73, 80.5, 1), (71, 87, 1), (50, 89), (29, 87, 1)])
    s.fill(hem, s.shadow_tone(0.14), material=s.design.material, volume="tall")
    _front(s, v["front"])
    for side in (-1, 1):
        s.line([(50 + side * 5, 25), (50 + side * 6, 33), (50 + side * 5.4, 41)], 1.1, CHALK, 1)


def _front(s: Stage, front: str) -> None:
    if front == "zipped":
        s.line([(50, 27.5, 1), (50, 88, 1)], 2.2, darker(s.colour, 0.45), 0.9)
        s.line([(50, 27.5, 1), (50, 88, 1)], 0.9, STEEL, 1)
        s.metal(box(48.9, 33, 2.2, 4.5, 0.8))
    if front != "plain":
        for side in (-1, 1):
            s.line([(50 + side * 11, 61, 1), (50 + side * 18, 73, 1), (50 + side * 18, 80, 1)], 0.8)
    if front == "kangaroo":
        pocket: list[Knot] = [(60.5, 60, 1), (68, 71, 1), (68, 80, 1)]
        s.fill(symmetric(pocket), wrap=drape(), edge=0.7)


def coat(s: Stage, v: V) -> None:
    """Draw a coat or a jacket with lapels, a zip or buttons."""
    hem = {"short": 78.0, "long": 94.0}[v["length"]]
    _arm(s, "long", wide=3.5)
    s.fill(outline([(38, 12, 1), (50, 9), (62, 12, 1), (56, 34), (44, 34)]), darker(s.colour, 0.5),
        volume="none")
    s.fill(_torso(hem, 4 if hem > 80 else 1, "v", shoulder=-1), wrap=drape())
    {"buttoned": _double_row, "zipped": _zip_and_collar, "quilted": _quilting}[v["closure"]](s, hem)


def _lapels(s: Stage) -> None:
    tone = s.shadow_tone(0.2)
    left: list[Knot] = [(39.4, 10.5, 1), (50, 33, 1), (47, 43, 1), (35, 26, 1), (39, 23, 1),
        (34.5, 18, 1)]
    for knots in (left, reflect(left)):
        s.fill(outline(knots), tone, material=s.design.material, volume="soft")


def _double_row(s: Stage, hem: float) -> None:
    _lapels(s)
    s.line([(51.5, 40, 1), (51.5, hem, 1)], 0.7)
    for y in (48, 58, 68):
        for x in (44, 57):
            s.fill(oval(x, y, 2.0), OAK_BUTTON, volume="ball", material="plastic", edge=0.3)
    for x in (32, 60):
        s.fill(box(x, hem - 19, 9, 3.4, 0.8), s.shadow_tone(0.16), volume="tall")


def _zip_and_collar(s: Stage, hem: float) -> None:
    s.fill(outline([(37, 14, 1), (40, 6), (60, 6), (63, 14, 1), (56, 22), (50, 30, 1), (44, 22)]),
        s.shadow_tone(0.2), material=s.design.material)
    s.line([(50, 30, 1), (50, hem, 1)], 2.4, darker(s.colour, 0.45), 0.9)
    s.line([(50, 30, 1), (50, hem, 1)], 1.0, STEEL, 1)
    s.metal(box(48.8, 33, 2.4, 5, 0.8))
    for side in (-1, 1):
        s.line([(50 + side * 10, 58, 1), (50 + side * 15, 69, 1)], 1.5, s.shadow_tone(0.45), 0.9)


def _quilting(s: Stage, hem: float) -> None:
    _zip_and_collar(s, hem)
    for y in range(26, int(hem) - 2, 9):
        for side in (-1, 1):
            s.line([(50 + side * 2, y + 1.4), (50 + side * 12, y + 2), (50 + side * 20, y)], 0.9,
                alpha=0.6)
            s.line([(50 + side * 2, y + 3), (50 + side * 12, y + 3.6), (50 + side * 20, y + 1.6)],
                1.0, lighter(s.colour, 0.6), 0.35)


def dress(s: Stage, v: V) -> None:
    """Draw a dress with a waist and a flowing skirt."""
    hem = {"mini": 76.0, "midi": 87.0, "maxi": 96.0}[v["length"]]
    s.canvas.save()
    s.canvas.translate(0, -3)
    _dress_top(s, v["sleeve"])
    flare = {"mini": 22.0, "midi": 27.0, "maxi": 24.0}[v["length"]] + s.vary(-2, 2)
    skirt = _skirt_shape(46, 12.5, hem, flare)
    s.fill(skirt, wrap=_flared(46, 12.5, hem, flare))
    _pleats(s, 48, hem, flare)
    s.fill(box(37, 44, 26, 4.4, 1.6), s.accent if s.patterned else s.shadow_tone(0.25),
        volume="tall")
    s.canvas.restore()


def _dress_top(s: Stage, sleeve: str) -> None:
    if sleeve == "strappy":
        for x in (40, 60):
            s.line([(x, 24, 1), (x + (50 - x) * 0.12, 9, 1)], 1.8, s.shadow_tone(0.1), 1)
        top = symmetric([(50, 25), (58, 21.5), (61, 22, 1), (66, 30), (62.6, 46, 1)])
    else:
        _inside_neck(s, "round")
        _bare_or_sleeved(s, "spread" if sleeve == "long" else sleeve)
        arm = 6.0 if sleeve == "sleeveless" else 2.0
        top = symmetric([(50, 21), (55.5, 18.6), (60, 13, 1), (72 - arm, 17), (71 - arm, 24),
            (67, 34), (62.6, 46, 1)])
    s.fill(top, wrap=drape(sag=1))


def _skirt_shape(top: float, waist: float, hem: float, flare: float) -> Any:
    right: list[Knot] = [(50 + waist, top, 1), (50 + waist + flare * 0.45, (top + hem) / 2),
        (50 + waist + flare, hem - 3, 1)]
    edge = [(50 + (waist + flare) * (1 - i / 5),
        hem - 2 + (1.8 if i % 2 else 0.2)) for i in range(1, 5)]
    return symmetric([*right, *edge, (50, hem)])


def _flared(top: float, waist: float, hem: float, flare: float) -> Wrap:
    middle = (50.0, (top + hem) / 2)
    spine = [(50.0, top), middle, (50.0, hem + 1)]
    return band(spine, [waist * 2 + 2, waist * 2 + flare, (waist + flare) * 2 + 4])


def _pleats(s: Stage, top: float, hem: float, flare: float) -> None:
    for share in (-0.7, -0.4, -0.12, 0.18, 0.45, 0.74):
        knots: list[Knot] = [(50 + share * 12, top + 3), (50 + share * (12 + flare * 0.45),
            (top + hem) / 2), (50 + share * (12 + flare), hem - 4)]
        s.line(knots, 1.1, alpha=0.2)


def skirt(s: Stage, v: V) -> None:
    """Draw a skirt: flared, pleated or a narrow pencil."""
    hem = {"mini": 66.0, "knee": 78.0, "maxi": 93.0}[v["length"]]
    flare = {"a-line": 20.0, "pleated": 17.0, "pencil": 3.0}[v["cut"]]
    top = 16.0
    s.fill(_skirt_shape(top + 3, 16, hem, flare) if v["cut"] != "pencil" else _pencil(top + 3,
        hem), wrap=_flared(top, 16, hem, flare))
    if v["cut"] == "pleated":
        for i in range(-5, 6):
            low = 50 + i / 5.6 * (16 + flare)
            s.line([(50 + i * 2.9, top + 6, 1), (low, hem - 2.5, 1)], 0.9, alpha=0.5)
            s.line([(51 + i * 2.9, top + 6, 1), (low + 1.8, hem - 2.5, 1)], 0.8, lighter(s.colour,
                0.5), 0.3)
    elif v["cut"] == "a-line":
        _pleats(s, top + 4, hem, flare)
    else:
        s.line([(58, hem - 22, 1), (58, hem - 1, 1)], 1.2, darker(s.colour, 0.5), 0.8)
    s.fill(box(33.4, top, 33.2, 6, 1.2), s.shadow_tone(0.2), material=s.design.material,
        volume="tall")
    s.fill(oval(50, top + 3, 1.6), BRASS, material="metal", volume="ball", edge=0.3)


def _pencil(top: float, hem: float) -> Any:
    return symmetric([(66, top, 1), (72, top + 18), (70, hem - 14), (66, hem, 1)])


def trousers(s: Stage, v: V) -> None:
    """Draw trousers with a waistband, a fly and pockets."""
    ankle = {"skinny": 9.0, "straight": 13.0, "wide": 21.0, "flared": 19.0}[v["leg"]]
    _legs(s, 95, ankle, knee={"skinny": 12.0, "straight": 14.0, "wide": 19.0,
        "flared": 12.5}[v["leg"]])
    _waist(s, v["waist"])


def _legs(s: Stage, hem: float, ankle: float, knee: float) -> None:
    drop = (hem + 30) / 2
    middle = knee + 1.2
    for side in (-1, 1):
        spine = [(50 + side * 8.5, 8.0), (50 + side * 9.5, 32.0), (50 + side * (4 + knee / 2),
            drop), (50 + side * (4 + ankle / 2), hem)]
        body: list[Knot] = [(50, 8, 1), (50 + side * 17.5, 8, 1), (50 + side * 21, 26),
            (50 + side * (4 + middle), drop), (50 + side * (4 + ankle), hem, 1), (50 + side * 4,
            hem, 1), (50 + side * 3.4, drop), (50, 37, 1)]
        s.fill(outline(body), wrap=band(spine, [18, 21, knee + 3, ankle + 2]))
        s.line([(50 + side * 4, hem - 3, 1), (50 + side * (4 + ankle), hem - 3, 1)], 0.6)
        s.line([(50 + side * (5 + knee * 0.5), 40), (50 + side * (5 + ankle * 0.5), hem - 8)], 0.8,
            alpha=0.18)
    s.line([(50, 10), (50, 37)], 0.8)
    s.stitch([(50, 29), (53.6, 26), (54, 12)])
    for side in (-1, 1):
        s.stitch([(50 + side * 10, 12), (50 + side * 13, 19), (50 + side * 19.6, 21)])


def _waist(s: Stage, waist: str) -> None:
    if waist == "drawstring":
        s.fill(box(32, 4, 36, 6.4, 2), s.shadow_tone(0.14), material=s.design.material,
            volume="tall")
        for x in range(34, 68, 2):
            s.line([(x, 4.8), (x, 9.8)], 0.45, alpha=0.4)
        for side in (-1, 1):
            s.line([(50, 8), (50 + side * 3, 14), (50 + side * 2.4, 22)], 1.1, CHALK, 1)
    else:
        s.fill(box(32, 4, 36, 6, 1), s.shadow_tone(0.14), material=s.design.material, volume="tall")
        for x in (36, 63):
            s.fill(box(x, 3.4, 2, 7.4, 0.5), s.shadow_tone(0.2), volume="none")
        if waist == "belted":
            s.fill(box(31.6, 4.8, 36.8, 4.4, 0.6), (88, 58, 38), material="leather", volume="tall")
            s.stroke(box(46.5, 4.2, 7, 5.6, 1), BRASS, 1.2)
        else:
            s.fill(oval(50, 7, 1.5), BRASS, material="metal", volume="ball", edge=0.3)


def shorts(s: Stage, v: V) -> None:
    """Draw shorts."""
    s.canvas.save()
    s.canvas.translate(-10, 16)
    s.canvas.scale(1.2, 1.2)
    hem = {"short": 42.0, "bermuda": 58.0}[v["length"]]
    for side in (-1, 1):
        body: list[Knot] = [(50, 8, 1), (50 + side * 17.5, 8, 1), (50 + side * 21.5, 22),
            (50 + side * 25, hem, 1), (50 + side * 2.6, hem + 2, 1), (50, 32, 1)]
        spine = [(50 + side * 9.0, 8.0), (50 + side * 11.0, 26.0), (50 + side * 14.0, hem + 2)]
        s.fill(outline(body), wrap=band(spine, [19, 22, 24]))
        s.line([(50 + side * 3, hem - 1), (50 + side * 24.6, hem - 3)], 0.7)
        s.line([(50 + side * 9, 24), (50 + side * 12, hem - 5)], 0.8, alpha=0.18)
        s.stitch([(50 + side * 10, 12), (50 + side * 13, 19), (50 + side * 20.4, 21)])
    s.line([(50, 10), (50, 32)], 0.8)
    _waist(s, v["waist"])
    s.canvas.restore()


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "t-shirt": tshirt, "shirt": shirt, "sweater": sweater, "hoodie": hoodie, "coat": coat,
    "dress": dress, "skirt": skirt, "trousers": trousers, "shorts": shorts,
}

"""Shoes, drawn from the side with the toe to the right."""

# An outline reads as rows of knots, not as one column:
# fmt: off
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crosslens.sample.canvas import RGB, WHITE, darker, lighter, mix
from crosslens.sample.shapes import Knot, box, outline, oval, ribbon
from crosslens.sample.stage import BRASS, CHALK, OAK, RUBBER, Stage
from crosslens.sample.wraps import Wrap, band

V = Mapping[str, str]


def _lasted(bend: float = 10.0) -> Wrap:
    """Let the cloth run from the heel over the instep down to the toe."""
    return band([(6, 62), (26, 60), (46, 62 + bend * 0.2), (66, 66 + bend * 0.6), (96, 76 + bend)],
        [66, 66, 60, 54, 50])


def sneaker(s: Stage, v: V) -> None:
    """Draw a sneaker with laces or a strap and a rubber sole."""
    high = v["top"] == "high"
    s.canvas.save()
    s.canvas.translate(0, 2 if high else -4)
    _sneaker_sole(s, v["sole"])
    _sneaker_upper(s, high)
    _closing(s, v["closure"], high)
    s.canvas.restore()


def _sneaker_sole(s: Stage, sole: str) -> None:
    if sole == "chunky":
        body: list[Knot] = [(6, 76), (10, 72, 1), (90, 74, 1), (97, 78), (96, 86), (91, 88, 1),
            (80, 86, 1), (74, 88.4, 1), (62, 86.4, 1), (54, 88.4, 1), (42, 86.2, 1), (34, 88.4, 1),
            (22, 86.4, 1), (14, 88.4, 1), (6, 86)]
        s.fill(outline(body), CHALK, material="rubber", volume="tall")
        s.line([(7, 81), (30, 79), (60, 82), (96, 81)], 1.6, s.accent, 0.9)
    elif sole == "gum":
        s.fill(outline([(8, 77), (10, 75, 1), (92, 76, 1), (95, 80), (92, 87), (12, 87), (8, 84)]),
            (196, 140, 84), material="rubber", volume="tall")
    else:
        s.fill(outline([(8, 77), (10, 75, 1), (92, 76, 1), (95, 80), (92, 87), (12, 87), (8, 84)]),
            CHALK, material="rubber", volume="tall")
        s.line([(9, 83), (50, 83.6), (94, 83)], 0.6, (150, 150, 156), 0.8)


def _sneaker_upper(s: Stage, high: bool) -> None:
    top: list[Knot]
    if high:
        top = [(10, 77, 1), (9, 60), (12, 44), (11, 26, 1), (22, 24), (36, 26, 1), (40, 40),
            (50, 51), (66, 59), (84, 62), (94, 70), (94, 78, 1)]
    else:
        top = [(10, 77, 1), (8, 62), (10, 48), (15, 42, 1), (24, 46), (33, 45), (40, 43, 1),
            (50, 51), (66, 58), (84, 62), (94, 70), (94, 78, 1)]
    body = outline(top)
    s.fill(outline([(14, 46 - 18 * high, 1), (38, 45 - 17 * high, 1), (44, 52, 1), (20, 54, 1)]),
        darker(s.colour, 0.5), volume="none")
    rise = 17 * high
    tongue: list[Knot] = [(32, 46 - rise, 1), (34, 36 - rise), (42, 35 - rise), (46, 44 - rise),
        (60, 57, 1), (44, 58, 1)]
    s.fill(outline(tongue), s.shadow_tone(0.12), material=s.design.material)
    s.fill(body, wrap=_lasted(), volume="soft")
    trim = s.accent if s.patterned else s.shadow_tone(0.18)
    s.fill(outline([(76, 60.8, 1), (86, 63), (94.4, 71), (94, 78, 1), (78, 78, 1), (73, 70)]),
        trim, material=s.design.material)
    s.fill(outline([(10, 77, 1), (8.4, 62), (10.6, 49, 1), (19, 54, 1), (24, 66), (24, 77, 1)]),
        trim, material=s.design.material)
    s.fill(outline([(34, 74, 1), (46, 72), (58, 60, 1), (63, 61, 1), (52, 75), (42, 77, 1)]),
        mix(trim, WHITE, 0.25), volume="none")


def _closing(s: Stage, closure: str, high: bool) -> None:
    if closure == "slip-on":
        s.fill(outline([(38, 47 - 10 * high, 1), (50, 51.4, 1), (52, 60), (42, 58)]),
            darker(s.colour, 0.35), volume="none")
        for i in range(4):
            s.line([(40 + i * 3, 49 - 6 * high + i), (42 + i * 3, 57 + i * 0.4)], 0.6, alpha=0.6)
        return
    starts = ([(40, 44), (45, 48.6), (51, 52), (57, 55)] if not high else [(37, 30), (39, 37),
        (43, 44.5), (50, 51), (57, 55)])
    if closure == "laced":
        for x, y in starts:
            s.line([(x - 3, y + 5.6), (x + 2, y + 2.0), (x + 4.4, y - 1.5)], 2.2, (120, 120, 126),
                0.5)
            s.line([(x - 3, y + 5), (x + 2, y + 1.4), (x + 4.4, y - 2)], 1.9, CHALK, 1)
    else:
        for x, y in starts[::2]:
            strap = outline([(x - 9, y + 11, 1), (x + 3, y - 3, 1), (x + 9, y + 0.5, 1),
                (x - 3, y + 14.5, 1)])
            s.fill(strap, s.accent if s.patterned else s.shadow_tone(0.3), volume="soft")


def boot(s: Stage, v: V) -> None:
    """Draw a boot: ankle, knee high or rain boot length, with its closure and heel."""
    tall = {"ankle": 38.0, "mid": 24.0, "knee": 6.0}[v["height"]]
    heeled = v["heel"] == "block"
    lift = 6.0 if heeled else 0.0
    shaft: list[Knot] = [(22, tall, 1), (36, tall - 1), (51, tall, 1), (51.5, 46 - lift),
        (55, 58 - lift * 0.6), (70, 64 - lift * 0.3), (86, 69), (92, 80, 1), (60, 82 - lift * 0.4),
        (40, 81 - lift, 1), (20, 81 - lift, 1), (19, 66 - lift), (23, 50 - lift)]
    if heeled:
        s.fill(outline([(20, 79 - lift, 1), (38, 79 - lift, 1), (36, 90, 1), (23, 90, 1)]), RUBBER,
            material="rubber", volume="round")
        s.fill(outline([(36, 78, 1), (60, 80, 1), (92, 78, 1), (94, 84), (90, 90, 1), (68, 90, 1),
            (46, 80)]), RUBBER, material="rubber", volume="tall")
    else:
        s.fill(outline([(19, 80, 1), (92, 80, 1), (94, 86), (90, 90, 1), (44, 90, 1), (41, 87, 1),
            (38, 90, 1), (20, 90, 1)]), RUBBER, material="rubber", volume="tall")
    s.fill(oval(36.5, tall + 0.4, 14.4, 2.6), darker(s.colour, 0.6), volume="none")
    body = outline(shaft)
    s.fill(body, wrap=band([(37, tall - 2), (36, 46), (42, 66), (62, 76), (96, 84)],
        [34, 34, 40, 34, 26]), volume="soft")
    s.shade_inside(body, oval(56, 50, 7, 16), 0.16, 3)
    _boot_closure(s, v["closure"], tall)


def _boot_closure(s: Stage, closure: str, tall: float) -> None:
    if closure == "laced":
        y = tall + 4
        while y < 62:
            x = 50 + max(0.0, y - 46) * 0.7
            s.line([(x - 8, y + 2.6), (x, y)], 1.5, (226, 196, 120), 1)
            s.line([(x - 8, y), (x, y + 2.8)], 1.5, (226, 196, 120), 1)
            y += 5.4
    elif closure == "zipped":
        s.line([(32, tall + 2), (31, 50), (33, 78)], 2.2, darker(s.colour, 0.4), 0.9)
        s.line([(32, tall + 2), (31, 50), (33, 78)], 0.9, BRASS, 1)
        s.metal(box(31, tall + 5, 2.2, 5, 0.8), BRASS)
    else:
        for y in (tall + 5, 60):
            x = 22.0 if y < 50 else 20.0
            s.fill(outline([(x, y, 1), (52, y, 1), (52, y + 5, 1), (x, y + 5, 1)]),
                s.shadow_tone(0.35), material="leather", volume="round")
            s.stroke(box(35, y - 0.9, 6.4, 6.8, 1), BRASS, 1.3)


def heels(s: Stage, v: V) -> None:
    """Draw a high-heeled pump or sandal."""
    raised = {"stiletto": 22.0, "block": 17.0, "kitten": 9.0, "wedge": 19.0}[v["heel"]]
    base = 90.0
    back = base - raised - 4
    s.canvas.save()
    s.canvas.translate(0, -4 if raised > 12 else -10)
    _heel(s, v["heel"], back, base)
    sole: list[Knot] = [(10, back + 3), (26, back + 6), (46, base - raised * 0.3),
        (66, base - 1.2), (95, base - 1.6, 1), (94, base, 1), (66, base + 0.4, 1),
        (44, base - raised * 0.2), (26, back + 9), (11, back + 6)]
    s.fill(outline(sole), darker(s.colour, 0.55), volume="none")
    {"pointed": _pump, "open": _strappy, "round": _mary_jane}[v["toe"]](s, back, base, raised)
    s.canvas.restore()


def _heel(s: Stage, kind: str, back: float, base: float) -> None:
    shapes: dict[str, list[Knot]] = {
        "stiletto": [(9, back + 2, 1), (26, back + 6, 1), (16, back + 11), (13.6, base, 1),
            (10.8, base, 1), (10.6, back + 12)],
        "kitten": [(9, back + 2, 1), (26, back + 5, 1), (17, back + 8), (15.4, base, 1),
            (11, base, 1), (10.4, back + 7)],
        "block": [(9, back + 2, 1), (30, back + 6, 1), (27, base, 1), (10.6, base, 1)],
        "wedge": [(9, back + 2, 1), (28, back + 6), (50, base - 6), (78, base - 2, 1),
            (78, base, 1), (11, base, 1)],
    }
    tone = OAK if kind == "wedge" else s.shadow_tone(0.22)
    s.fill(outline(shapes[kind]), tone, material="wood" if kind == "wedge" else s.design.material,
        volume="round")


def _pump(s: Stage, back: float, base: float, raised: float) -> None:
    body: list[Knot] = [(9, back + 4, 1), (8, back - 8), (10, back - 17, 1), (17, back - 9),
        (30, back - 1), (46, base - raised * 0.62 - 2), (60, base - 13, 1), (74, base - 11),
        (88, base - 4), (97, base - 1, 1), (66, base - 1), (46, base - raised * 0.3),
        (26, back + 6)]
    inner: list[Knot] = [(10, back - 17, 1), (17, back - 15), (38, base - raised * 0.8 - 7),
        (60, base - 13, 1), (46, base - raised * 0.6), (22, back - 4)]
    s.fill(outline(inner), lighter(mix(s.colour, (214, 180, 150), 0.6), 0.1), volume="none")
    s.fill(outline(body), wrap=_lasted(), volume="soft")


def _mary_jane(s: Stage, back: float, base: float, raised: float) -> None:
    body: list[Knot] = [(9, back + 4, 1), (8, back - 8), (10, back - 17, 1), (18, back - 9),
        (32, back), (48, base - raised * 0.55), (62, base - 14, 1), (78, base - 15),
        (92, base - 10), (95, base - 1, 1), (66, base - 1), (46, base - raised * 0.3),
        (26, back + 6)]
    s.fill(outline(body), wrap=_lasted(), volume="soft")
    strap = ribbon([(34, back + 1), (40, back - 4), (49, back - 3 + raised * 0.2),
        (56, base - 13)], 4)
    s.fill(strap, s.shadow_tone(0.2), material=s.design.material, volume="tall")
    s.fill(oval(54, base - raised * 0.3 - 13, 1.8), BRASS, material="metal", volume="ball",
        edge=0.3)


def _strappy(s: Stage, back: float, base: float, raised: float) -> None:
    heel: list[Knot] = [(9, back + 4, 1), (8, back - 6), (9, back - 15, 1), (15, back - 13, 1),
        (20, back - 2), (27, back + 6, 1)]
    s.fill(outline(heel), wrap=_lasted(), volume="soft")
    ankle = ribbon([(10, back - 16), (18, back - 20), (28, back - 18), (33, back - 13),
        (22, back - 10), (12, back - 13)], 3.0)
    s.fill(ankle, volume="tall", scale=0.6)
    low = base - raised * 0.12
    strap: list[Knot] = [(50, low - 2.5, 1), (60, low - 10), (70, base - 14.5), (79, base - 11),
        (87, base - 1, 1), (66, base - 0.6)]
    s.fill(outline(strap), wrap=_lasted(), volume="soft", scale=0.9)


_FOOT: list[Knot] = [(30, 6), (40, 10), (44, 24), (42, 40), (38.4, 56), (39, 76), (35, 92),
    (26, 95), (18.6, 89), (17.4, 72), (17, 54), (12, 34), (13, 18), (20, 8)]


def sandal(s: Stage, v: V) -> None:
    """Draw a pair of flat sandals from above: a wide band, crossed straps or a toe post."""
    for side in (False, True):
        _one_sandal(s, v, mirrored=side)


def _one_sandal(s: Stage, v: V, *, mirrored: bool) -> None:
    s.canvas.save()
    if mirrored:
        s.canvas.translate(100, 0)
        s.canvas.scale(-1, 1)
    s.canvas.translate(2, 0)
    tone: RGB = OAK if s.design.material == "leather" else (222, 200, 168)
    thick = 6.0 if v["sole"] == "platform" else 1.8
    for step in range(int(thick) + 1):
        s.spot(outline([(x + step * 0.8, y + step * 0.7) for x, y, *_ in _FOOT]), darker(tone, 0.4))
    s.fill(outline(_FOOT), tone, material="leather", volume="soft")
    s.stroke(outline([(28 + (x - 28) * 0.87, 50 + (y - 50) * 0.93) for x, y, *_ in _FOOT]),
        darker(tone, 0.4), 0.5, 0.7)
    _sandal_straps(s, v["strap"])
    s.canvas.restore()


def _sandal_straps(s: Stage, strap: str) -> None:
    if strap == "slide":
        band_path = outline([(10, 40), (11, 24, 1), (20, 19), (34, 19), (45.6, 25, 1), (45, 46, 1),
            (32, 41), (20, 41), (10.6, 47, 1)])
        s.shade(band_path, 0.35, 1.6)
        s.fill(band_path, wrap=band([(8, 33), (28, 29), (48, 34)], 30), volume="round", scale=0.9)
        return
    if strap == "crossed":
        ribbons: list[list[Knot]] = [[(11, 22), (26, 30), (43, 46)], [(45.4, 22), (30, 30),
            (13, 46)]]
        _ankle_strap(s)
    else:
        ribbons = [[(28.6, 18), (20, 28), (14, 48)], [(28.6, 18), (37, 28), (41.6, 46)]]
    for knots in ribbons:
        path = ribbon(knots, 7.6 if strap == "crossed" else 5.4)
        s.shade(path, 0.35, 1.4)
        s.fill(path, wrap=band([(k[0], k[1]) for k in knots], 9), volume="soft", scale=0.7)
    if strap == "thong":
        s.fill(oval(28.6, 17.6, 3.0), s.shadow_tone(0.15), volume="ball")


def _ankle_strap(s: Stage) -> None:
    path = ribbon([(16, 70), (22, 62), (34, 62), (40, 70)], 6)
    s.shade(path, 0.35, 1.4)
    s.fill(path, volume="tall", scale=0.7)
    s.stroke(box(36, 64.4, 5, 6, 1), BRASS, 1.2)


def loafer(s: Stage, v: V) -> None:
    """Draw a slip-on or laced leather shoe."""
    sole: Any = outline([(7, 78, 1), (92, 79, 1), (95, 83), (91, 86, 1), (34, 86, 1), (31, 84, 1),
        (30, 90, 1), (8, 90, 1)])
    s.fill(sole, (62, 46, 36), material="leather", volume="tall")
    s.fill(outline([(12, 54, 1), (30, 60), (52, 57, 1), (40, 66), (20, 64)]), darker(s.colour,
        0.6), volume="none")
    body: list[Knot] = [(8, 79, 1), (6, 66), (10, 53, 1), (20, 61), (36, 64), (50, 54, 1),
        (62, 57), (80, 63), (93, 72), (94, 80, 1)]
    s.fill(outline(body), wrap=_lasted(), volume="soft")
    s.line([(58, 74), (64, 65), (80, 66), (90, 74)], 1.0, alpha=0.7)
    s.line([(8, 76), (50, 77), (93, 77)], 0.6, alpha=0.7)
    {"penny": _penny, "tassel": _tassel, "laced": _derby, "bit": _bit}[v["trim"]](s)


def _penny(s: Stage) -> None:
    s.fill(outline([(46, 77, 1), (50, 55, 1), (62, 57, 1), (58, 77, 1)]), s.shadow_tone(0.25),
        material=s.design.material)
    s.spot(outline([(51, 64, 1), (58, 65, 1), (57, 68, 1), (50.6, 67, 1)]), darker(s.colour, 0.6),
        0.9)


def _bit(s: Stage) -> None:
    _penny(s)
    s.line([(49, 62), (56, 64), (61, 62)], 1.8, BRASS, 1)
    for x in (49, 61):
        s.stroke(oval(x, 62.4, 2.6), BRASS, 1.4)


def _tassel(s: Stage) -> None:
    s.line([(10, 66), (30, 70), (52, 66)], 1.4, s.shadow_tone(0.35), 0.9)
    for x in (54, 60):
        s.fill(outline([(x, 58, 1), (x + 3, 66), (x + 2.6, 72, 1), (x - 3.4, 71, 1),
            (x - 1.4, 64)]), s.shadow_tone(0.3), material="leather")


def _derby(s: Stage) -> None:
    s.fill(outline([(34, 64), (50, 54, 1), (62, 57, 1), (60, 70), (44, 76)]), s.shadow_tone(0.2),
        material=s.design.material)
    for i in range(4):
        x, y = 47 + i * 3.6, 57.6 + i * 1.6
        s.line([(x - 1, y + 4), (x + 3.6, y - 1.6)], 1.3, lighter(s.colour, 0.6), 1)


FORMS: Mapping[str, Callable[[Stage, V], None]] = {
    "sneakers": sneaker, "boots": boot, "high heels": heels, "sandals": sandal, "loafers": loafer,
}

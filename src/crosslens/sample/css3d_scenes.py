"""
Scenes of simple things on a 3 × 3 grid, and wishes that change them: CSS3D-R. Pure.

The design follows what is known of CSS (Vo et al. 2019, arXiv 1812.07119): base scenes, and wishes
of which each is put to three of them. Colours and shapes meet as in CLEVR-CoGenT: cubes and
cylinders swap their colours between the conditions, so that a test shows pairs never trained on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from crosslens.errors import InvalidRequest

COLOURS = ("gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow")
SIZES = ("small", "large")
SHAPES = ("cube", "sphere", "cylinder")
SIDE = 3
CELLS = tuple(f"{a}-{b}" for a in ("top", "middle", "bottom") for b in ("left", "center", "right"))
APPLIED = 3  # scenes that each wish is put to
FEWEST = 2  # things in a base scene
FILLED = 0.45  # of the cells of a base scene
TRIES = 4_000  # wishes drawn per wish wanted, before giving up
NAMED = {"cell": 0.4, "size": 0.5, "colour": 0.5, "shape": 0.5}  # how often a wish names each

Scene: TypeAlias = tuple["Thing", ...]
Condition: TypeAlias = Mapping[str, tuple[str, ...]]
Rng: TypeAlias = np.random.Generator

_GREY, _BRIGHT = ("gray", "blue", "brown", "yellow"), ("red", "green", "purple", "cyan")
CONDITION_A: Condition = MappingProxyType({"cube": _GREY, "cylinder": _BRIGHT, "sphere": COLOURS})
CONDITION_B: Condition = MappingProxyType({"cube": _BRIGHT, "cylinder": _GREY, "sphere": COLOURS})

# The original speaks of its flat drawings.
_ENGLISH = {"cube": "rectangle", "sphere": "circle", "cylinder": "triangle"}
_CHINESE = {
    "cube": "方块", "sphere": "圆球", "cylinder": "圆柱", "small": "小", "large": "大",
    "gray": "灰色", "red": "红色", "blue": "蓝色", "green": "绿色", "brown": "棕色",
    "purple": "紫色", "cyan": "青色", "yellow": "黄色",
}  # fmt: skip
_PLACES = (
    "左上角", "上方中间", "右上角", "左侧中间", "正中间", "右侧中间",
    "左下角", "下方中间", "右下角",
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """One thing of a scene; `cell` counts the grid row by row from the top left."""

    cell: int
    shape: str
    colour: str
    size: str


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What is to change.

    Attributes:
        op: "add", "remove" or "make".
        named: what is said of the thing: cell, size, colour, shape, each or none.
        becomes: attribute and new value, for "make".
    """

    op: str
    named: tuple[tuple[str, str | int], ...]
    becomes: tuple[str, str] = ("", "")

    def fits(self, thing: Thing) -> bool:
        """Whether all that is named is true of a thing."""
        return all(getattr(thing, name) == value for name, value in self.named)


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish, and the scenes (numbers) from which and to which it leads."""

    wish: Wish
    sources: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A split: base scenes first, then one scene for each wish put to one."""

    scenes: tuple[Scene, ...]
    asked: tuple[Asked, ...]


def invent(bases: int, wishes: int, condition: Condition, *, seed: int) -> Plan:
    """
    Invent a split; the same for the same arguments.

    Scenes that were asked least come first, so that each is asked about equally often: about
    3 × wishes / bases times, and always in two different ways at least.

    Raises:
        InvalidRequest: too few base scenes or wishes for that.
    """
    if bases < APPLIED or APPLIED * wishes < 4 * bases:
        raise InvalidRequest(
            f"{bases} base scenes with {wishes} wishes leave scenes without two of them",
            hint=f"{APPLIED} scenes or more, and at least 4 wishes for {APPLIED} scenes",
        )
    rng = np.random.default_rng([seed, bases, wishes])
    scenes = [_base(rng, condition) for _ in range(bases)]
    told: list[set[str]] = [set() for _ in scenes]
    asked: list[Asked] = []
    for _ in range(TRIES * wishes):
        if len(asked) == wishes:
            break
        wish = _wish(rng)
        found = _put(wish, scenes[:bases], told, rng, condition) if wish else {}
        if wish and len(found) == APPLIED:
            numbers = tuple(range(len(scenes), len(scenes) + APPLIED))
            asked.append(Asked(wish, tuple(found), numbers))
            scenes += found.values()
    if len(asked) < wishes or min(map(len, told)) < 2:
        raise InvalidRequest(f"{bases} base scenes are too few for {wishes} wishes")
    return Plan(tuple(scenes), tuple(asked))


def english(wish: Wish) -> str:
    """Say a wish as the original does: "make top-left gray rectangle large"."""
    named = dict(wish.named)
    cell = CELLS[int(named["cell"])] if "cell" in named else ""
    shape = _ENGLISH[str(named["shape"])] if "shape" in named else "object"
    thing = [str(named.get("size", "")), str(named.get("colour", "")), shape]
    if wish.op == "add":
        return " ".join(filter(None, ["add", *thing, f"to {cell}" if cell else ""]))
    new = wish.becomes[1]
    return " ".join(filter(None, [wish.op, cell, *thing, _ENGLISH.get(new, new)]))


def chinese(wish: Wish) -> str:
    """Say a wish in Chinese: "把左上角的灰色方块变大"."""
    named = dict(wish.named)
    cell = _PLACES[int(named["cell"])] if "cell" in named else ""
    thing = "".join(_CHINESE.get(str(named.get(name, "")), "") for name in ("size", "colour"))
    thing += _CHINESE[str(named["shape"])] if "shape" in named else ("的" if thing else "") + "物体"
    if wish.op == "add":
        return f"在{cell}加一个{thing}" if cell else f"加一个{thing}"
    thing = f"{cell}的{thing}" if cell else thing
    if wish.op == "remove":
        return f"去掉{thing}"
    attribute, new = wish.becomes
    return f"把{thing}变{'' if attribute == 'size' else '成'}{_CHINESE[new]}"


def label(scene: Scene) -> str:
    """Name what a scene shows; two scenes with one name are each other's right answer."""
    return "; ".join(f"{CELLS[t.cell]} {t.size} {t.colour} {t.shape}" for t in sorted(scene))


def flat(thing: Thing) -> dict[str, object]:
    """Write a thing as the original file does: 2-D shape, position as row and column in 0..1."""
    row, column = divmod(thing.cell, SIDE)
    place = [(row + 0.5) / SIDE, (column + 0.5) / SIDE]
    return {
        "shape": _ENGLISH[thing.shape], "color": thing.colour, "size": thing.size, "pos": place,
    }  # fmt: skip


def applied(wish: Wish, scene: Scene, rng: Rng, condition: Condition) -> Scene | None:
    """Change a scene; None where the wish means nothing, two things, or what is not allowed."""
    if wish.op == "add":
        return _added(wish, scene, rng, condition)
    meant = [thing for thing in scene if wish.fits(thing)]
    if len(meant) != 1:
        return None
    others = tuple(thing for thing in scene if thing is not meant[0])
    if wish.op == "remove":
        return others
    attribute, value = wish.becomes
    if getattr(meant[0], attribute) == value:
        return None
    changed = {attribute: value}
    made = replace(meant[0], **changed)  # type: ignore[arg-type]  # the cell never changes
    return (*others, made) if made.colour in condition[made.shape] else None


def _added(wish: Wish, scene: Scene, rng: Rng, condition: Condition) -> Scene | None:
    taken, named = {thing.cell for thing in scene}, dict(wish.named)
    free = [cell for cell in range(len(CELLS)) if cell not in taken]
    cell = int(named.pop("cell", rng.choice(free) if free else -1))
    if cell not in free:
        return None
    fixed = {name: str(value) for name, value in named.items()}
    if "shape" in fixed and fixed.get("colour", "") not in ("", *condition[fixed["shape"]]):
        return None
    return (*scene, _thing(rng, cell, condition, fixed))


def _thing(
    rng: Rng, cell: int, condition: Condition, fixed: Mapping[str, str] | None = None
) -> Thing:
    fixed = fixed or {}
    while True:
        shape = fixed.get("shape") or SHAPES[int(rng.integers(len(SHAPES)))]
        colour = fixed.get("colour") or COLOURS[int(rng.integers(len(COLOURS)))]
        size = fixed.get("size") or SIZES[int(rng.integers(len(SIZES)))]
        if colour in condition[shape]:
            return Thing(cell, shape, colour, size)


def _base(rng: Rng, condition: Condition) -> Scene:
    count = max(FEWEST, int(rng.binomial(len(CELLS), FILLED)))
    cells = rng.permutation(len(CELLS))[:count]
    return tuple(_thing(rng, int(cell), condition) for cell in cells)


def _wish(rng: Rng) -> Wish | None:
    """Draw a wish; None for one that names nothing or changes nothing."""
    op = ("add", "remove", "make")[int(rng.integers(3))]
    values: dict[str, str | int] = {
        "cell": int(rng.integers(len(CELLS))),
        "size": SIZES[int(rng.integers(len(SIZES)))],
        "colour": COLOURS[int(rng.integers(len(COLOURS)))],
        "shape": SHAPES[int(rng.integers(len(SHAPES)))],
    }
    named = tuple((name, value) for name, value in values.items() if rng.random() < NAMED[name])
    if op != "make":
        return Wish(op, named) if named or op == "add" else None
    attribute = ("colour", "size", "shape")[int(rng.integers(3))]
    options: Sequence[str] = {"colour": COLOURS, "size": SIZES, "shape": SHAPES}[attribute]
    becomes = (attribute, options[int(rng.integers(len(options)))])
    return Wish(op, named, becomes) if named and becomes not in named else None


def _put(
    wish: Wish, bases: Sequence[Scene], told: list[set[str]], rng: Rng, condition: Condition
) -> dict[int, Scene]:
    """Find the scenes that a wish is put to, and what they become."""
    text, found = english(wish), dict[int, Scene]()
    shuffled = rng.permutation(len(bases))
    counts = Counter({int(n): len(told[int(n)]) for n in shuffled})
    for number in sorted(map(int, shuffled), key=counts.__getitem__):
        if text in told[number]:
            continue
        changed = applied(wish, bases[number], rng, condition)
        if changed is not None:
            found[number] = changed
        if len(found) == APPLIED:
            for each in found:
                told[each].add(text)
            break
    return found

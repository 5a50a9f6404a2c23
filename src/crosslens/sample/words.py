"""What the shop writes about a product, and what people type to find it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import numpy as np

from crosslens.sample.design import (
    CATEGORIES,
    COLOURS,
    MATERIALS,
    PATTERNS,
    Design,
    load_table,
)  # fmt: skip

Language = Literal["en", "zh"]
Style = Literal["query", "title", "full"]
Rng = np.random.Generator

_PHRASES: Mapping[str, Any] = load_table("phrases")
_SLOT = re.compile(r"\{(\w+)\}")
_HELD_OUT_SHARE = 0.85
_NEW_SHARE = 0.12
# What a slot says about the product; `forms` says the named forms that were chosen.
_SAYS = {
    "colour": ("colour",), "ground": ("colour",), "pattern": ("pattern",),
    "dressing": ("accent", "pattern"), "pair": ("colour", "accent"), "material": ("material",),
    "category": ("category",),
}  # fmt: skip
_BASIC = frozenset({"category", "colour", "pattern", "accent", "material"})


class Wording(StrEnum):
    """
    Which synonyms are used.

    The last of three or more is kept from every picture in training. Most of these are met in
    other texts there; a few, chosen by their letters, are never met at all.
    """

    SHOWN = "shown"
    HELD_OUT = "held out"
    READ = "read"
    NEW = "new"


def title(
    design: Design,
    rng: Rng,
    language: Language,
    *,
    style: Style,
    held_out: bool = False,
    seed: int | None = None,
) -> str:
    """Write a title: as people search, as shops write, or in full.

    With `held_out`, words and phrasings that training never shows are preferred. With a `seed`,
    brand and size are those that `attributes` gives for it.
    """
    wording = Wording.HELD_OUT if held_out else Wording.SHOWN
    if style == "query":
        return query(design, rng, language, held_out)[0]
    if style == "full":
        return full(design, rng, language, wording=wording, new_phrasing=held_out)
    return shop_title(design, rng, language, held_out=held_out, seed=seed)[0]


def query(
    design: Design, rng: Rng, language: Language, held_out: bool = False
) -> tuple[str, frozenset[str]]:
    """Write a search of one to four attributes, and return which attributes it mentions."""
    wanted = _wanted(design, rng)
    wording = Wording.HELD_OUT if held_out else Wording.SHOWN
    return search(
        design, rng, language, wanted=wanted, wording=wording, new_phrasing=held_out
    ), wanted


def search(
    design: Design,
    rng: Rng,
    language: Language,
    *,
    wanted: frozenset[str],
    wording: Wording = Wording.SHOWN,
    new_phrasing: bool = False,
) -> str:
    """
    Write a search that names exactly these attributes.

    Args:
        wanted: with "accent" also "pattern" and "colour"; an accent that is not there is left out.
        new_phrasing: prefer a phrasing that training never uses.
    """
    wanted = wanted if design.accent else wanted - {"accent"}
    template = _template(rng, "query", language, wanted, new_phrasing)
    return _fill(template, _words(design, rng, language, wanted, wording))


def loose(
    design: Design,
    rng: Rng,
    language: Language,
    *,
    wanted: frozenset[str],
    wording: Wording = Wording.SHOWN,
) -> str:
    """Name exactly these attributes in any order, with this and that before, between and after."""
    wanted = wanted if design.accent else wanted - {"accent"}
    known = _PHRASES["loose"][language]
    slots = [s for s in ("category", "material", "forms") if _said(s, wanted)]
    slots += _paint(rng, language, wanted)
    order = [f"{{{slots[place]}}}" for place in rng.permutation(len(slots))]
    joint = _pick(rng, known["joint"])
    between = [joint if rng.random() < 0.6 else _pick(rng, known["joint"]) for _ in order[1:]]
    middle = "".join(part for pair in zip(order, [*between, ""], strict=True) for part in pair)
    template = _pick(rng, known["before"]) + middle + _pick(rng, known["after"])
    return _fill(template, _words(design, rng, language, wanted, wording))


def full(
    design: Design,
    rng: Rng,
    language: Language,
    *,
    wording: Wording = Wording.SHOWN,
    new_phrasing: bool = False,
) -> str:
    """Name all that tells a product apart; in a phrasing that training never uses if asked."""
    wanted = frozenset(_BASIC | {name for name, _ in design.variant})
    kind = "patterned" if design.accent else "solid"
    words = _words(design, rng, language, wanted, wording)
    known = _PHRASES["full"][language]["held_out" if new_phrasing else "training"]
    return _fill(_pick(rng, known[kind]), words)


def shop_title(
    design: Design,
    rng: Rng,
    language: Language,
    *,
    held_out: bool = False,
    seed: int | None = None,
) -> tuple[str, frozenset[str]]:
    """Write a title as shops do, and return which attributes it mentions."""
    wanted = _advertised(design, rng)
    words = _words(design, rng, language, wanted, Wording.HELD_OUT if held_out else Wording.SHOWN)
    stock = attributes(design, seed=int(rng.integers(2**31)) if seed is None else seed)
    brand = str(stock["brand"])
    words["brand"] = brand if language == "en" or rng.random() < 0.3 else _PHRASES["brands"][brand]
    words["noise"] = _pick(rng, _PHRASES["noise"][language]) if rng.random() < 0.6 else ""
    # Drawn for every product with a size, but only clothes and shoes are sold by it.
    if "size" in stock and rng.random() < 0.4 and CATEGORIES[design.category].sizes:
        words["size"] = ("size {}" if language == "en" else "{}码").format(stock["size"])
    text = _fill(_template(rng, "title", language, wanted, held_out), words)
    return _capital(text), wanted


def description(design: Design, rng: Rng, language: Language, *, held_out: bool = False) -> str:
    """Describe a product in two or three sentences."""
    everything = _BASIC | {name for name, _ in design.variant}
    wording = Wording.HELD_OUT if held_out else Wording.SHOWN
    words = _words(design, rng, language, everything, wording)
    blank = " " if language == "en" else ""
    words["pattern"] = _decoration(design, words, language)
    words["material"] = getattr(MATERIALS[design.material], language)[0]
    if language == "zh" and not held_out:
        words["colour"] = COLOURS[design.colour].zh[0]
    words["forms"] = (", " if language == "en" else "、").join(
        _forms(design, rng, language, everything)
    )
    parts = _PHRASES["description"][language]
    sentences = [_fill(_pick(rng, parts[part]), words) for part in ("opening", "forms")]
    if rng.random() < 0.7:
        closings = _PHRASES["closing"][language][CATEGORIES[design.category].department]
        sentences.append(_pick(rng, closings))
    return blank.join(_capital(sentence) for sentence in sentences)


def attributes(design: Design, *, seed: int = 0) -> dict[str, str | float]:
    """Return what the catalogue stores about a product; price, brand and size follow the seed."""
    kind = CATEGORIES[design.category]
    rng = _shop_rng(design, seed)
    found: dict[str, str | float] = {
        "department": kind.department,
        "category": design.category,
        "colour": design.colour,
        "pattern": design.pattern,
        "material": design.material,
        **dict(design.variant),
        "brand": _pick(rng, tuple(_PHRASES["brands"])),
        "price": _price(rng, *kind.price),
    }
    if design.accent:
        found["accent"] = design.accent
    if kind.sizes:
        found["size"] = _pick(rng, _PHRASES["sizes"][kind.sizes])
    return found


def held_out_words(design: Design, language: Language) -> tuple[str, ...]:
    """Return the synonyms of this product that training never shows with a picture."""
    keys = [(CATEGORIES, design.category), (COLOURS, design.colour), (PATTERNS, design.pattern)]
    if design.accent:
        keys.append((COLOURS, design.accent))
    lists: list[Sequence[str]] = [getattr(table[key], language) for table, key in keys]
    return tuple(words[-1] for words in lists if len(words) >= 3)


def new_words(design: Design, language: Language) -> tuple[str, ...]:
    """Return the synonyms for its category, colour and pattern that training never meets at all."""
    keys = [(CATEGORIES, design.category), (COLOURS, design.colour), (PATTERNS, design.pattern)]
    lists: list[Sequence[str]] = [getattr(table[key], language) for table, key in keys]
    return tuple(words[-1] for words in lists if len(words) >= 3 and _is_new(words[-1]))


def _shop_rng(design: Design, seed: int) -> Rng:
    digest = hashlib.sha256(f"{design}|{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _price(rng: Rng, low: float, high: float) -> float:
    """Draw a price that looks like one: most are low, all end in .90 or .00."""
    amount = low * (high / low) ** float(rng.random())
    return float(round(amount)) - (0.1 if rng.random() < 0.6 else 0.0)


def _pick(rng: Rng, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _synonym(rng: Rng, words: Sequence[str], wording: Wording) -> str:
    """Pick a synonym; the last of three or more only when such words are asked for."""
    if len(words) < 3:
        return _pick(rng, words)
    preferred = wording is not Wording.SHOWN and rng.random() < _HELD_OUT_SHARE
    if (preferred or wording is Wording.NEW) and _suits(words[-1], wording):
        return words[-1]
    return _pick(rng, words[:-1])


def _suits(word: str, wording: Wording) -> bool:
    return wording is Wording.HELD_OUT or _is_new(word) is (wording is Wording.NEW)


def _is_new(word: str) -> bool:
    """Say whether training never meets this held-out word, not even in other texts."""
    digest = hashlib.sha256(word.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < _NEW_SHARE


def _wanted(design: Design, rng: Rng) -> frozenset[str]:
    """Choose the one to four attributes that a search names; nearly always the category."""
    chosen = {"category"} if rng.random() < 0.92 else {"colour"}
    likely = {"colour": 6.0, "pattern": 4.0, "accent": 1.5, "material": 1.5}
    if not design.accent:
        likely |= {"pattern": 0.7, "accent": 0.0}
    likely |= {name: 3.0 / len(design.variant) + 0.5 for name, _ in design.variant}
    names, weights = list(likely), np.array(list(likely.values()))
    count = int(rng.choice([0, 1, 2, 3], p=[0.08, 0.32, 0.36, 0.24]))
    chosen |= {str(n) for n in rng.choice(names, count, replace=False, p=weights / weights.sum())}
    # An accent is only ever said of a pattern, next to the colour of the ground.
    return frozenset(chosen | {"pattern", "colour"} if "accent" in chosen else chosen)


def _said(slot: str, wanted: frozenset[str]) -> set[str]:
    if slot == "forms":
        return set(wanted - _BASIC)
    return set(_SAYS.get(slot, ())) & wanted


def _template(
    rng: Rng, style: str, language: Language, wanted: frozenset[str], new_phrasing: bool
) -> str:
    """Pick a phrasing with a place for everything that is to be said."""
    known: dict[str, list[str]] = _PHRASES[style][language]
    ordinary = [t for t in known["training"] if _fits(t, wanted)]
    unseen = [t for t in known["held_out"] if _fits(t, wanted) and "category" in wanted]
    return _pick(rng, unseen if new_phrasing and unseen else ordinary)


def _paint(rng: Rng, language: Language, wanted: frozenset[str]) -> list[str]:
    """Choose the slots that say colour, pattern and accent."""
    if "accent" not in wanted:
        return [name for name in ("colour", "pattern") if name in wanted]
    if rng.random() < 0.5:
        return ["pair", "pattern"]
    return ["ground" if language == "zh" else "colour", "dressing"]


def _fits(template: str, wanted: frozenset[str]) -> bool:
    slots = _SLOT.findall(template)
    said = {name for slot in slots for name in _said(slot, wanted)}
    needed = {name for slot in slots if slot in ("dressing", "pair") for name in _SAYS[slot]}
    return said == wanted and needed <= wanted


def _words(
    design: Design, rng: Rng, language: Language, wanted: frozenset[str], wording: Wording
) -> dict[str, str]:
    """Return the words for the slots; empty for what is not to be said."""
    tables: dict[str, Sequence[str]] = {
        "category": getattr(CATEGORIES[design.category], language),
        "colour": getattr(COLOURS[design.colour], language),
        "pattern": getattr(PATTERNS[design.pattern], language),
        "material": getattr(MATERIALS[design.material], language),
    }
    words = {
        name: _synonym(rng, options, wording) if name in wanted else ""
        for name, options in tables.items()
    }
    joint = " " if language == "en" else ""
    words["forms"] = joint.join(_forms(design, rng, language, wanted))
    words |= _accented(design, rng, language, wording) if "accent" in wanted else {}
    return words


def _forms(design: Design, rng: Rng, language: Language, wanted: frozenset[str]) -> list[str]:
    known = CATEGORIES[design.category].words
    side = 0 if language == "en" else 1
    return [_pick(rng, known[gene][side]) for gene in design.variant if gene[0] in wanted]


def _accented(design: Design, rng: Rng, language: Language, wording: Wording) -> dict[str, str]:
    """Return the slots that say the accent colour of a patterned product."""
    if not design.accent:
        return {}
    ground, accent = COLOURS[design.colour], COLOURS[design.accent]
    pattern = PATTERNS[design.pattern]
    if language == "zh":
        figure = _synonym(rng, pattern.zh, wording)
        pair = ground.short + accent.short
        return {"ground": ground.short + "底", "dressing": accent.short + figure, "pair": pair}
    first, second = (_synonym(rng, colour.en, wording) for colour in (ground, accent))
    return {"dressing": f"with {second} {pattern.noun}", "pair": f"{first} and {second}"}


def _advertised(design: Design, rng: Rng) -> frozenset[str]:
    """Choose what a shop title names: the category always, the rest often."""
    often = {"colour": 0.93, "pattern": 0.92 if design.accent else 0.25, "material": 0.6}
    often |= {name: 0.7 for name, _ in design.variant}
    named = {name for name, share in often.items() if rng.random() < share} | {"category"}
    if design.accent and {"colour", "pattern"} <= named and rng.random() < 0.4:
        named.add("accent")
    return frozenset(named)


def _decoration(design: Design, words: Mapping[str, str], language: Language) -> str:
    """Say the pattern so that it can follow the colour in a sentence."""
    if not design.accent:
        return ""
    if language == "zh":
        return f"配{words['dressing']}"
    return " " + words["dressing"]


def _fill(template: str, words: Mapping[str, str]) -> str:
    """Put the words into a template, and drop what joined words that are not there."""
    text = _SLOT.sub(lambda slot: words.get(slot[1], ""), template)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(\s*[/·,]\s*)(?:[/·,]\s*)+", r"\1", text)
    text = re.sub(r"\s+([,.，。])", r"\1", text)
    text = re.sub(
        r"[·/]+(?=｜)|的(?=$)|要(?=$)|【】|\s(?:in|by|that is)\s*$|[,|｜/·\s]+$|^[的,/·\s]+",
        "",
        text,
    )
    text = re.sub(r"\b(in|by)(?= (?:in|by|with|size)\b)", "", text)
    return re.sub(r"\s+", " ", text).strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

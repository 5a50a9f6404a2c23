"""Wishes that start from a product: what else it could be, and how people say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from crosslens.sample.catalogue import changed
from crosslens.sample.design import CATEGORIES, COLOURS, PATTERNS, Design, load_table
from crosslens.sample.words import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")
Slots = dict[str, Sequence[str]]
_WISHES: Mapping[str, Any] = load_table("wishes")


@dataclass(frozen=True)
class Wished:
    """
    One way in which a product could be another.

    Attributes:
        kind: colour, pattern, plain, variant or without.
        slots: language → slot → synonyms.
        designs: all that fulfil it.
    """

    kind: str
    slots: Mapping[Language, Slots]
    designs: tuple[Design, ...]

    def said(self, template: str, language: Language, pick: Callable[[Sequence[str]], str]) -> str:
        """Put words into a template, each picked from its synonyms."""
        return template.format(**{name: pick(all) for name, all in self.slots[language].items()})


def wished(design: Design) -> Iterator[Wished]:
    """Yield every change of one attribute: other colours, patterns and forms, and no pattern."""
    return chain(_other_colours(design), _other_patterns(design), _other_forms(design))


def without(design: Design) -> Iterator[Wished]:
    """Yield the wishes for a form that is not the product's own, whichever else."""
    for gene, own in design.variant:
        others = (option for option in CATEGORIES[design.category].genes[gene] if option != own)
        designs = tuple(changed(design, gene, option) for option in others)
        if designs:
            yield Wished("without", _slots(design, form=(gene, own)), designs)


def phrasings(
    wish: Wished, language: Language, rng: np.random.Generator, count: int, *, held_out: bool
) -> tuple[str, ...]:
    """
    Say a wish in up to `count` ways, none twice.

    Args:
        held_out: in ways that training never has; with their most usual words.
    """
    templates = _WISHES[wish.kind][language]["held_out" if held_out else "training"]
    order = rng.permutation(len(templates))[:count]
    pick = _first if held_out else lambda options: _known(options, rng)
    return tuple(dict.fromkeys(wish.said(templates[n], language, pick) for n in order))


def _first(options: Sequence[str]) -> str:
    return options[0]


def _known(options: Sequence[str], rng: np.random.Generator) -> str:
    """Pick a synonym that training knows: the last of three or more is kept for tests."""
    few = options[:-1] if len(options) > 2 else options
    return few[int(rng.integers(len(few)))]


def _other_colours(design: Design) -> Iterator[Wished]:
    for colour in COLOURS:
        if colour != design.colour:
            yield Wished("colour", _slots(design, colour=colour), (replace(design, colour=colour),))


def _other_patterns(design: Design) -> Iterator[Wished]:
    """Yield other patterns, of any accent where there was none; and no pattern any more."""
    accents = [design.accent] if design.accent else list(COLOURS)
    for pattern in PATTERNS:
        if pattern not in ("solid", design.pattern):
            designs = tuple(replace(design, pattern=pattern, accent=accent) for accent in accents)
            yield Wished("pattern", _slots(design, pattern=pattern), designs)
    if design.accent:
        plain = replace(design, pattern="solid", accent="")
        yield Wished("plain", _slots(design, pattern=design.pattern), (plain,))


def _other_forms(design: Design) -> Iterator[Wished]:
    for gene, own in design.variant:
        for option in CATEGORIES[design.category].genes[gene]:
            if option != own:
                said = _slots(design, form=(gene, option))
                yield Wished("variant", said, (changed(design, gene, option),))


def _slots(
    design: Design, *, colour: str = "", pattern: str = "", form: tuple[str, str] | None = None
) -> dict[Language, Slots]:
    """Return the words for the slots of a wish."""
    said: dict[Language, Slots] = {}
    kind = CATEGORIES[design.category]
    for side, language in enumerate(LANGUAGES):
        said[language] = {
            "category": getattr(kind, language),
            "colour": getattr(COLOURS[colour], language) if colour else ("",),
            "pattern": getattr(PATTERNS[pattern], language) if pattern else ("",),
            "noun": (PATTERNS[pattern].noun,) if pattern else ("",),
            "form": kind.words[form][side] if form else ("",),
        }
    return said

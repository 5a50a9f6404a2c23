"""Which products the sample catalogue holds: families, single copies and who sells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from types import MappingProxyType
from typing import cast

import numpy as np

from crosslens.errors import InvalidRequest
from crosslens.sample.design import (
    CATEGORIES,
    COLOURS,
    MATERIALS,
    PATTERNS,
    Design,
    accents,
    load_table,
    random_design,
)
from crosslens.sample.words import Language

MOST = 50_000
VIEW_SHARES = (0.48, 0.32, 0.2)
PRODUCTS_PER_COPY = 27
COPIED = ("recompressed", "cropped", "shrunk")
SHOPS: Mapping[str, Language] = MappingProxyType(
    {str(row["name"]): cast("Language", row["language"]) for row in load_table("shops").values()}
)
Rng = np.random.Generator


@dataclass(frozen=True)
class Listing:
    """
    A product as one shop sells it.

    Attributes:
        look: seed of its pictures, brand and size.
        offer: seed of its words and price.
        views: how many pictures it has, 1 to 3.
        copy_of: the listing whose product another shop sells here under another title.
        copied: what was done to the other shop's pictures, one of COPIED.
    """

    id: str
    design: Design
    look: int
    offer: int
    views: int
    shop: str
    copy_of: str = ""
    copied: str = ""

    @property
    def language(self) -> Language:
        """The language in which the shop writes."""
        return SHOPS[self.shop]


def invent(products: int, seed: int) -> list[Listing]:
    """
    Invent a catalogue, shuffled: always the same for the same seed.

    Products come in families that share a form and differ in one attribute; about one listing in
    27 sells a product of another listing under another title.

    Raises:
        InvalidRequest: products is not 1 to 50,000.
    """
    if not 1 <= products <= MOST:
        raise InvalidRequest(f"products is {products:,}, allowed is 1 to {MOST:,}")
    rng = np.random.default_rng([seed, products])
    copies = products // PRODUCTS_PER_COPY
    numbers = dict.fromkeys(CATEGORIES, 0)
    designs = islice(_designs(rng), products - copies)
    listings = [_listing(rng, design, numbers) for design in designs]
    chosen = rng.choice(len(listings), copies, replace=False)
    listings += [_copy(rng, listings[n], numbers) for n in chosen]
    return [listings[n] for n in rng.permutation(len(listings))]


def facts(design: Design) -> dict[str, str]:
    """Return what can be asked about a product, by attribute."""
    found = {"category": design.category, "colour": design.colour, "pattern": design.pattern}
    found |= {"material": design.material, **dict(design.variant)}
    return found | ({"accent": design.accent} if design.accent else {})


def changed(design: Design, gene: str, option: str) -> Design:
    """Return the design with another option of one named form."""
    variant = tuple((name, option if name == gene else own) for name, own in design.variant)
    return replace(design, variant=variant)


def _designs(rng: Rng) -> Iterator[Design]:
    """Yield designs without end, one family per category and round, none of them twice."""
    seen: set[Design] = set()
    for turn in count():
        for category in rng.permutation(sorted(CATEGORIES)):
            patterned = (turn + int(rng.integers(2))) % 2 == 0
            for design in _family(rng, str(category), patterned=patterned):
                if design not in seen:
                    seen.add(design)
                    yield design


def _family(rng: Rng, category: str, *, patterned: bool) -> list[Design]:
    """Draw a product, and three that differ from it in one attribute: the colour of one does."""
    pattern = _pick(rng, tuple(PATTERNS)[1:]) if patterned else "solid"
    first = random_design(rng, category=category, pattern=pattern)
    colours = [replace(first, colour=colour) for colour in _other_colours(rng, first)]
    others = [*colours[1:], changed(first, *_other_form(rng, first))]
    if patterned:
        others.append(replace(first, pattern="solid", accent=""))
    if patterned or not MATERIALS[first.material].clear:
        others.append(_other_pattern(rng, first))
    return [first, *colours[:1], *(others[n] for n in rng.permutation(len(others))[:2])]


def _other_colours(rng: Rng, design: Design) -> list[str]:
    """Draw two other colours, from which the accent can still be told."""
    others = [
        colour
        for colour in COLOURS
        if colour != design.colour and (not design.accent or design.accent in accents(colour))
    ]
    return [str(colour) for colour in rng.choice(others, min(2, len(others)), replace=False)]


def _other_form(rng: Rng, design: Design) -> tuple[str, str]:
    gene, own = design.variant[int(rng.integers(len(design.variant)))]
    options = [option for option in CATEGORIES[design.category].genes[gene] if option != own]
    return gene, _pick(rng, options)


def _other_pattern(rng: Rng, design: Design) -> Design:
    others = [name for name in PATTERNS if name not in ("solid", design.pattern)]
    accent = design.accent or _pick(rng, accents(design.colour))
    return replace(design, pattern=_pick(rng, others), accent=accent)


def _listing(rng: Rng, design: Design, numbers: dict[str, int]) -> Listing:
    look, offer = (int(rng.integers(2**31)) for _ in range(2))
    views = 1 + int(rng.choice(len(VIEW_SHARES), p=VIEW_SHARES))
    return Listing(_id(design, numbers), design, look, offer, views, _pick(rng, tuple(SHOPS)))


def _copy(rng: Rng, own: Listing, numbers: dict[str, int]) -> Listing:
    return replace(
        own,
        id=_id(own.design, numbers),
        offer=int(rng.integers(2**31)),
        views=1,
        shop=_pick(rng, [shop for shop in SHOPS if shop != own.shop]),
        copy_of=own.id,
        copied=_pick(rng, COPIED),
    )


def _id(design: Design, numbers: dict[str, int]) -> str:
    numbers[design.category] += 1
    return f"{design.category.replace(' ', '-').lower()}-{numbers[design.category]:02}"


def _pick(rng: Rng, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]

"""What a shop says of a product: one row of the sample catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosslens.sample.catalogue import Listing
from crosslens.sample.design import CATEGORIES, load_table
from crosslens.sample.words import Language, attributes, description, title

DESCRIBED_SHARE = 0.88
SHORT_SHARE, LONG_SHARE = 0.03, 0.03
OTHER: dict[Language, Language] = {"en": "zh", "zh": "en"}
Rng = np.random.Generator


def row(listing: Listing, pictures: list[str]) -> dict[str, Any]:
    """
    Return a product as the importer reads it.

    Title and description are in the shop's language; those of the other language stand beside them
    as `title_en`, `description_en` or `title_zh`, `description_zh`, where keywords find them too.
    """
    rng = np.random.default_rng([listing.offer, 1])
    own, other = listing.language, OTHER[listing.language]
    described = rng.random() < DESCRIBED_SHARE
    kind = float(rng.random())
    found: dict[str, Any] = {"id": listing.id}
    for language, suffix in ((own, ""), (other, f"_{other}")):
        found[f"title{suffix}"] = _title(listing, language, kind)
        if described:
            found[f"description{suffix}"] = description(listing.design, rng, language)
    found |= {"category": listing.design.category, "attributes": _attributes(listing)}
    return found | {"image": pictures[0], "other_images": pictures[1:]}


def _attributes(listing: Listing) -> dict[str, str | float]:
    found = attributes(listing.design, seed=listing.look)
    found["shop"] = listing.shop
    if listing.copy_of:  # another shop asks another price, which also ends in .90 or .00
        share = np.random.default_rng([listing.offer, 2]).uniform(0.85, 1.15)
        found["price"] = float(max(1, round(float(found["price"]) * share))) - 0.1
    del found["category"]
    return found


def _title(listing: Listing, language: Language, kind: float) -> str:
    """Write a title; `kind` in [0, 1) makes a few of them very short or very long."""
    design = listing.design
    rng = np.random.default_rng([listing.offer, 3])
    if kind < SHORT_SHARE:
        name: str = getattr(CATEGORIES[design.category], language)[0]
        return name[:1].upper() + name[1:]
    text = title(design, rng, language, style="title", seed=listing.look)
    if kind < 1 - LONG_SHARE:
        return text
    said = title(design, rng, language, style="full")
    praise = rng.choice(load_table("phrases")["noise"][language], 4, replace=False)
    joint = ", " if language == "en" else " "
    return joint.join([text, said, *map(str, praise)])

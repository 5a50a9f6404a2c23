"""Suggest titles for products that have pictures and no title worth the name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from crosslens.catalog.product import Product
from crosslens.errors import InvalidRequest
from crosslens.search.engine import Searcher
from crosslens.search.present import Hit
from crosslens.search.request import SearchRequest
from crosslens.values import Kind, fold

DEPTH = 20
_NO_WORD = re.compile(r"[\W\d_]*(img|dsc|dscn|image|pic|photo|screenshot)?[\W\d_]*", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f-]{16,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """
    A title that the pictures of a product deserve.

    Attributes:
        score: of the best product that has it: its cosine with the pictures.
        products: those that have it, best first.
    """

    title: str
    score: float
    products: tuple[int, ...]


def is_untitled(product: Product) -> bool:
    """Say whether a title tells nothing: a number, a digest, or the name of a picture file."""
    title = product.title.strip()
    stem = PurePath(product.fields.source_key or "").stem
    return bool(
        _NO_WORD.fullmatch(title)
        or _DIGEST.fullmatch(title)
        or (stem and fold(title) == fold(stem) and not any(c.isspace() for c in title))
    )


def suggest(engine: Searcher, product: Product, *, limit: int = 5) -> list[Suggestion]:
    """
    Look for titles of other products that fit the pictures of this one (`image2text`).

    Raises:
        InvalidRequest: the product has no picture.
    """
    if not product.pictures:
        raise InvalidRequest(f"product {product.id} has no picture to take a title from")
    request = SearchRequest(product_id=product.id, kind=Kind.IMAGE2TEXT, limit=DEPTH)
    return _joined(engine.search(request).hits)[:limit]


def _joined(hits: Iterable[Hit]) -> list[Suggestion]:
    """Join hits of equal titles; they come best first."""
    same: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        if not is_untitled(hit.product):
            same[fold(hit.product.title)].append(hit)
    return [
        Suggestion(found[0].product.title, found[0].score, tuple(h.product.id for h in found))
        for found in same.values()
    ]

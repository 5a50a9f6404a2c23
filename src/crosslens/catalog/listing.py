"""In which order the catalogue can be read, page by page or from a mark on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from crosslens.catalog.product import Product
from crosslens.values import fold

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
TITLE_KEY = 100  # characters: more than a page shows, and short enough for an index everywhere


class Order(StrEnum):
    """What products can be ordered by; those with equal values stand by id."""

    ID = "id"
    CREATED = "created"  # ids are given out in this order, so it is the same and as fast
    UPDATED = "updated"
    TITLE = "title"  # its first 100 characters, folded: "apple" stands beside "Apple"


@dataclass(frozen=True, slots=True)
class Mark:
    """
    Where a reading stopped: at the product with this value and id, which comes not again.

    Attributes:
        value: the folded title, or the time of the last edit in microseconds since 1970, or the id.
    """

    value: int | str
    id: int


def mark(product: Product, order: Order) -> Mark:
    """Return the mark that a reading in this order leaves behind at a product."""
    if order is Order.TITLE:
        return Mark(title_key(product.fields.title), product.id)
    if order is Order.UPDATED:
        return Mark((product.updated - _EPOCH) // _MICROSECOND, product.id)
    return Mark(product.id, product.id)


def title_key(title: str) -> str:
    """Return what a title is sorted by, compared by code points: at most 100 characters."""
    return fold(title)[:TITLE_KEY]

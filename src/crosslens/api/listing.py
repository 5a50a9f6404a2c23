"""Leafing through the catalogue: pages, cursors, filters."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crosslens.catalog.listing import Mark, Order, mark
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import InvalidRequest
from crosslens.values import AttributeType
from crosslens.vectors import filters
from crosslens.vectors.filters import Filter

DEEPEST = 10_000  # products before a numbered page; a cursor has no such bound
SCANNED = 20_000  # products that one filtered page looks at
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which page.

    Attributes:
        after: the cursor's mark; then `page` counts for nothing.
    """

    order: Order = Order.CREATED
    descending: bool = True
    page: int = 1
    page_size: int = 20
    after: Mark | None = None
    where: Filter | None = None

    @property
    def offset(self) -> int:
        """Products before the page."""
        return 0 if self.after else (self.page - 1) * self.page_size

    def __post_init__(self) -> None:
        if self.offset > DEEPEST:
            raise InvalidRequest(
                f"page {self.page} begins after {self.offset:,} products, allowed are {DEEPEST:,}",
                hint="follow next_cursor instead",
            )


@dataclass(frozen=True, slots=True)
class Listed:
    """
    A page.

    Attributes:
        total: products that fit, `exact` or those among the first that were looked at.
        next: where to go on; None at the end.
    """

    products: list[Product]
    total: int
    exact: bool
    next: Mark | None


def leaf(catalog: CatalogStore, types: Mapping[str, AttributeType], wanted: Wanted) -> Listed:
    """
    Read a page.

    Raises:
        InvalidFilter: the filter does not fit the declared attributes.
    """
    if wanted.where is None:
        return _plain(catalog, wanted)
    return _filtered(catalog, types, wanted, filters.check(wanted.where, types))


def to_cursor(wanted: Wanted, at: Mark) -> str:
    """Write down where a reading stopped, and in which order it was."""
    place = [wanted.order.value, wanted.descending, at.value, at.id]
    text = json.dumps(place, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def from_cursor(text: str) -> tuple[Order, bool, Mark]:
    """
    Read a cursor.

    Raises:
        InvalidRequest: it is not one that `to_cursor` wrote.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        order, descending, value, id = json.loads(base64.urlsafe_b64decode(padded))
        kind = str if order == Order.TITLE else int
        if type(descending) is not bool or type(value) is not kind or type(id) is not int:
            raise ValueError("other types")
        if not all(abs(n) < 2**63 for n in (value, id) if isinstance(n, int)):
            raise ValueError("out of range")
        return Order(order), descending, Mark(value, id)
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise InvalidRequest("cursor is not one of ours", hint="use next_cursor as it is") from exc


def _plain(catalog: CatalogStore, wanted: Wanted) -> Listed:
    found = catalog.listed(
        limit=wanted.page_size + 1,
        order=wanted.order,
        descending=wanted.descending,
        offset=wanted.offset,
        after=wanted.after,
    )
    shown = found[: wanted.page_size]
    more = mark(shown[-1], wanted.order) if len(found) > len(shown) else None
    return Listed(shown, catalog.summary().products, True, more)


def _filtered(
    catalog: CatalogStore, types: Mapping[str, AttributeType], wanted: Wanted, where: Filter
) -> Listed:
    """Look at products in order: this is how filters are meant, the same over every database."""
    shown: list[Product] = []
    fitting = 0
    last = None
    for seen, product in enumerate(_from(catalog, wanted)):
        if seen == SCANNED:
            at = mark(shown[-1], wanted.order) if len(shown) == wanted.page_size else last
            return Listed(shown, fitting, False, at)
        last = mark(product, wanted.order)
        if filters.holds(where, filters.indexed(product.fields.attributes, types)):
            fitting += 1
            if wanted.offset < fitting <= wanted.offset + wanted.page_size:
                shown.append(product)
    more = fitting > wanted.offset + len(shown)
    exact = wanted.after is None
    return Listed(shown, fitting, exact, mark(shown[-1], wanted.order) if more and shown else None)


def _from(catalog: CatalogStore, wanted: Wanted) -> Iterator[Product]:
    after = wanted.after
    while found := catalog.listed(
        limit=_AT_ONCE, order=wanted.order, descending=wanted.descending, after=after
    ):
        yield from found
        after = mark(found[-1], wanted.order)

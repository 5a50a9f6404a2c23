"""Leafing through the catalogue: pages, cursors, filters."""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
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
class Place:
    """
    Where a cursor stands: at a product.

    Attributes:
        value: as in `Mark`; None for titles, which are too long for an address and are looked up.
    """

    value: int | None
    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which page.

    Attributes:
        after: where the cursor stands; then `page` counts for nothing.
        find: what title, source key or id must hold, whatever its case.
    """

    order: Order = Order.CREATED
    descending: bool = True
    page: int = 1
    page_size: int = 20
    after: Place | None = None
    where: Filter | None = None
    find: str | None = None

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
    after = None if wanted.after is None else _found(catalog, wanted.order, wanted.after)
    if wanted.where is None and wanted.find is None:
        return _plain(catalog, wanted, after)
    where = None if wanted.where is None else filters.check(wanted.where, types)
    found = folded(wanted.find or "")
    return _filtered(
        catalog,
        wanted,
        after,
        lambda p: _holds(p, found) and (where is None or _fits(p, where, types)),
    )


def to_cursor(wanted: Wanted, at: Mark) -> str:
    """Write down where a reading stopped, and in which order it was."""
    value = None if wanted.order is Order.TITLE else at.value
    text = json.dumps([wanted.order, wanted.descending, value, at.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def from_cursor(text: str) -> tuple[Order, bool, Place]:
    """
    Read a cursor.

    Raises:
        InvalidRequest: it is not one that `to_cursor` wrote.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        order, descending, value, id = json.loads(base64.urlsafe_b64decode(padded))
        numbers = [id] if order == Order.TITLE and value is None else [id, value]
        if type(descending) is not bool or any(type(number) is not int for number in numbers):
            raise ValueError("other types")
        if any(abs(number) >= 2**63 for number in numbers):
            raise ValueError("out of range")
        return Order(order), descending, Place(value, id)
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise InvalidRequest("cursor is not one of ours", hint="use next_cursor as it is") from exc


def _found(catalog: CatalogStore, order: Order, place: Place) -> Mark:
    if place.value is not None:
        return Mark(place.value, place.id)
    product = catalog.read([place.id]).get(place.id)  # also a removed one keeps its title
    if product is None:
        raise InvalidRequest("cursor is not one of ours", hint="use next_cursor as it is")
    return mark(product, order)


def folded(text: str) -> str:
    """Return text in one form for all ways of writing it: width, case."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _holds(product: Product, found: str) -> bool:
    fields = product.fields
    return (
        found in folded(fields.title)
        or found in folded(fields.source_key or "")
        or found == str(product.id)
    )


def _fits(product: Product, where: Filter, types: Mapping[str, AttributeType]) -> bool:
    return filters.holds(where, filters.indexed(product.fields.attributes, types))


def _plain(catalog: CatalogStore, wanted: Wanted, after: Mark | None) -> Listed:
    found = catalog.listed(
        limit=wanted.page_size + 1,
        order=wanted.order,
        descending=wanted.descending,
        offset=wanted.offset,
        after=after,
    )
    shown = found[: wanted.page_size]
    more = mark(shown[-1], wanted.order) if len(found) > len(shown) else None
    return Listed(shown, catalog.summary().products, True, more)


def _filtered(
    catalog: CatalogStore,
    wanted: Wanted,
    after: Mark | None,
    fits: Callable[[Product], bool],
) -> Listed:
    """Look at products in order: this is how filters are meant, the same over every database."""
    shown: list[Product] = []
    fitting = 0
    last = None
    for seen, product in enumerate(_from(catalog, wanted, after)):
        if seen == SCANNED:
            at = mark(shown[-1], wanted.order) if len(shown) == wanted.page_size else last
            return Listed(shown, fitting, False, at)
        last = mark(product, wanted.order)
        if fits(product):
            fitting += 1
            if wanted.offset < fitting <= wanted.offset + wanted.page_size:
                shown.append(product)
    more = fitting > wanted.offset + len(shown)
    exact = wanted.after is None
    return Listed(shown, fitting, exact, mark(shown[-1], wanted.order) if more and shown else None)


def _from(catalog: CatalogStore, wanted: Wanted, after: Mark | None) -> Iterator[Product]:
    while found := catalog.listed(
        limit=_AT_ONCE, order=wanted.order, descending=wanted.descending, after=after
    ):
        yield from found
        after = mark(found[-1], wanted.order)

"""Leafing through the catalogue: pages, cursors, filters."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from crosslens.catalog.listing import TITLE_KEY, Mark, Order, mark
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import InvalidRequest
from crosslens.values import AttributeType, fold
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
        after: where the cursor stands; then `page` counts for nothing.
        find: what title, source key or id must hold, whatever its case.
    """

    order: Order = Order.CREATED
    descending: bool = True
    page: int = 1
    page_size: int = 20
    after: Mark | None = None
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
    if wanted.where is None and wanted.find is None:
        return _plain(catalog, wanted)
    where = None if wanted.where is None else filters.check(wanted.where, types)
    found = fold(wanted.find or "").strip()
    return _filtered(
        catalog,
        wanted,
        lambda p: _holds(p, found) and (where is None or _fits(p, where, types)),
    )


def to_cursor(wanted: Wanted, at: Mark) -> str:
    """Write down where a reading stopped, and in which order it was."""
    told = [wanted.order, wanted.descending, at.value, at.id]
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
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
        if type(descending) is not bool:
            raise ValueError("other types")
        _check_number(id)
        if order == Order.TITLE:
            _check_title(value)
        else:
            _check_number(value)
        return Order(order), descending, Mark(value, id)
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise InvalidRequest("cursor is not one of ours", hint="use next_cursor as it is") from exc


def _check_number(value: object) -> None:
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("no number that a database can hold")


def _check_title(value: object) -> None:
    if type(value) is not str or len(value) > TITLE_KEY or "\0" in value:
        raise ValueError("no start of a title")
    value.encode()  # lone surrogates are values that no database can hold


def _holds(product: Product, found: str) -> bool:
    fields = product.fields
    held = (fold(fields.title), fold(fields.source_key or ""))
    return any(found in text for text in held) or found == str(product.id)


def _fits(product: Product, where: Filter, types: Mapping[str, AttributeType]) -> bool:
    return filters.holds(where, filters.indexed(product.fields.attributes, types))


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
    return Listed(shown, catalog.count(), True, more)


def _filtered(catalog: CatalogStore, wanted: Wanted, fits: Callable[[Product], bool]) -> Listed:
    """Look at products in order: this is how filters are meant, the same over every database."""
    shown: list[Product] = []
    fitting = 0
    last = None
    for seen, product in enumerate(_from(catalog, wanted)):
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


def _from(catalog: CatalogStore, wanted: Wanted) -> Iterator[Product]:
    after = wanted.after
    while found := catalog.listed(
        limit=_AT_ONCE, order=wanted.order, descending=wanted.descending, after=after
    ):
        yield from found
        after = mark(found[-1], wanted.order)

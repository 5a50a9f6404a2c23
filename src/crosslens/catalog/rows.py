"""Rows ↔ products: the statements that read them and the values that write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, islice
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, select, tuple_
from sqlalchemy.dialects import sqlite

from crosslens.catalog.listing import Mark, Order
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.schema import pictures, products

Row = dict[str, Any]

AT_ONCE = 500  # values in one IN list: every engine takes as many
_LARGEST_ID = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

PRODUCT_COLUMNS = select(
    products.c.id,
    products.c.source_key,
    products.c.title,
    products.c.description,
    products.c.attributes,
    products.c.created,
    products.c.updated,
    products.c.revision,
    products.c.retired,
)
# A page of hits is read by a statement of fixed size: an IN list that expands is built anew at each
# call, which costs as much as the reading itself. No id is 0, so empty slots match nothing.
SLOTS = 16
_SLOTS: list[BindParameter[int]] = [bindparam(f"id{n}") for n in range(SLOTS)]
_BY_ID = PRODUCT_COLUMNS.where(products.c.id.in_(bindparam("ids", expanding=True)))
_FEW_BY_ID = PRODUCT_COLUMNS.where(products.c.id.in_(_SLOTS))
_BY_KEY = PRODUCT_COLUMNS.where(products.c.source_key.in_(bindparam("keys", expanding=True)))
_ORDERED = {Order.UPDATED: products.c.updated, Order.TITLE: products.c.title}
_PICTURE_COLUMNS = select(
    pictures.c.product_id,
    pictures.c.sha256,
    pictures.c.width,
    pictures.c.height,
    pictures.c.format,
    pictures.c.size,
).order_by(pictures.c.product_id, pictures.c.position)
_PICTURES = _PICTURE_COLUMNS.where(pictures.c.product_id.in_(bindparam("ids", expanding=True)))
_FEW_PICTURES = _PICTURE_COLUMNS.where(pictures.c.product_id.in_(_SLOTS))


def as_micros(when: datetime) -> int:
    """Return microseconds since 1970 in UTC."""
    return (when - _EPOCH) // _MICROSECOND


def as_datetime(micros: int) -> datetime:
    """Return the UTC time of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def possible(ids: Iterable[int]) -> list[int]:
    """Keep the ids that a 64-bit column can hold, each once, in order."""
    return [int(id) for id in dict.fromkeys(ids) if 0 < id <= _LARGEST_ID]  # also NumPy's


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, Product]:
    """Read products by id, in the order asked; unknown ids are left out."""
    wanted = possible(ids)
    rows = list(_rows_of(connection, wanted, few=_FEW_BY_ID, many=_BY_ID))
    found = {product.id: product for product in to_products(connection, rows)}
    return {id: found[id] for id in wanted if id in found}


def by_keys(connection: Connection, keys: Sequence[str]) -> dict[str, Product]:
    """Read products by source key; unknown keys are left out."""
    wanted = chunks(dict.fromkeys(keys))
    parts = [connection.execute(_BY_KEY, {"keys": part}).all() for part in wanted]
    found = to_products(connection, list(chain(*parts)))
    return {key: product for product in found if (key := product.fields.source_key) is not None}


def ordered_ids(order: Order, *, descending: bool, after: Mark | None) -> Select[Any]:
    """Return a statement for the ids of live products in an order, from a mark on."""
    id, column = products.c.id, _ORDERED.get(order, products.c.id)
    keys = (column,) if column is id else (column, id)
    statement = select(id).where(products.c.retired.is_(False))
    if after is not None:
        here = tuple_(*keys)
        last = (after.id,) if column is id else (after.value, after.id)
        statement = statement.where(here < last if descending else here > last)
    return statement.order_by(*(key.desc() if descending else key.asc() for key in keys))


def query(connection: Connection, statement: Select[Any], /, **values: Any) -> list[Product]:
    """Run a statement over `PRODUCT_COLUMNS`."""
    return to_products(connection, connection.execute(statement, values).all())


def to_products(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Product]:
    """Add the pictures to rows of `PRODUCT_COLUMNS`."""
    shown = _pictures_of(connection, [row[0] for row in rows])
    return [
        Product(
            id,
            ProductFields.stored(title, description, _attributes(attributes), source_key),
            tuple(shown.get(id, ())),
            _EPOCH + timedelta(microseconds=created),
            _EPOCH + timedelta(microseconds=updated),
            revision,
            bool(retired),
        )
        for (
            id, source_key, title, description, attributes, created, updated, revision, retired,
        ) in rows
    ]  # fmt: skip


@cache
def _sqlite_text(statement: Select[Any]) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))


def _attributes(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


def _pictures_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[Picture]]:
    shown: dict[int, list[Picture]] = {}
    for id, *facts in _rows_of(connection, ids, few=_FEW_PICTURES, many=_PICTURES):
        shown.setdefault(id, []).append(Picture(*facts))
    return shown


def _rows_of(
    connection: Connection, ids: Sequence[int], *, few: Select[Any], many: Select[Any]
) -> Iterator[Sequence[Any]]:
    """
    Yield the rows of ids.

    SQLite is asked for a page of hits in its own words, compiled once: there the reading itself
    is quicker than what surrounds a statement; its JSON and truth values come as they are stored.
    """
    if len(ids) <= SLOTS and connection.dialect.name == "sqlite":
        sql = _sqlite_text(few)
        yield from connection.exec_driver_sql(sql, (*ids, *[0] * (SLOTS - len(ids)))).all()
        return
    for part in chunks(ids):
        yield from connection.execute(many, {"ids": part}).all()


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Cut into lists short enough for IN."""
    rest = iter(values)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def product_row(product: Product) -> Row:
    """Return the columns of a product."""
    return {
        "id": product.id,
        "source_key": product.fields.source_key,
        "title": product.fields.title,
        "description": product.fields.description,
        "attributes": product.fields.attributes,
        "created": as_micros(product.created),
        "updated": as_micros(product.updated),
        "revision": product.revision,
        "retired": product.retired,
    }


def picture_rows(product: Product) -> Iterator[Row]:
    """Return the columns of each of its pictures."""
    for position, picture in enumerate(product.pictures):
        yield {
            "product_id": product.id,
            "position": position,
            "sha256": picture.sha256,
            "width": picture.width,
            "height": picture.height,
            "format": picture.format,
            "size": picture.size,
        }

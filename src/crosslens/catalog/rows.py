"""Rows ↔ products: the statements that read them and the values that write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, false, or_, select

from crosslens.catalog.listing import Mark, Order, title_key
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.schema import pictures, products
from crosslens.values import Attributes

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
# A page of hits from SQLite is one row of JSON: fetching row by row gives up the interpreter lock
# at each of them, which costs searches side by side more than the reading itself. No id is 0, so
# empty slots match nothing. A statement of fixed text is prepared once per connection.
SLOTS = (16, 64, 256)
_PAGE = """
    SELECT json_group_array(json_array(
        p.id, p.source_key, p.title, p.description, json(p.attributes),
        p.created, p.updated, p.revision, p.retired,
        (SELECT json_group_array(json_array(sha256, width, height, format, size))
         FROM (SELECT * FROM pictures WHERE product_id = p.id ORDER BY position))))
    FROM products AS p WHERE p.id IN ({slots})
"""
_PAGES = {slots: _PAGE.format(slots=", ".join("?" * slots)) for slots in SLOTS}
_ATTRIBUTES = """
    SELECT json_group_array(json_array(id, json(attributes)))
    FROM products WHERE NOT retired AND id IN ({slots})
"""
_ATTRIBUTES_AT_ONCE = _ATTRIBUTES.format(slots=", ".join("?" * AT_ONCE))
_ATTRIBUTES_BY_ID = select(products.c.id, products.c.attributes).where(
    products.c.retired == false(), products.c.id.in_(bindparam("ids", expanding=True))
)
_BY_ID = PRODUCT_COLUMNS.where(products.c.id.in_(bindparam("ids", expanding=True)))
_BY_KEY = PRODUCT_COLUMNS.where(products.c.source_key.in_(bindparam("keys", expanding=True)))
_ORDERED = {Order.UPDATED: products.c.updated, Order.TITLE: products.c.title_key}
_PICTURES = (
    select(
        pictures.c.product_id,
        pictures.c.sha256,
        pictures.c.width,
        pictures.c.height,
        pictures.c.format,
        pictures.c.size,
    )
    .where(pictures.c.product_id.in_(bindparam("ids", expanding=True)))
    .order_by(pictures.c.product_id, pictures.c.position)
)


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
    if len(wanted) <= SLOTS[-1] and connection.dialect.name == "sqlite":
        read = _page(connection, wanted)
    else:
        parts = [connection.execute(_BY_ID, {"ids": part}).all() for part in chunks(wanted)]
        read = to_products(connection, list(chain(*parts)))
    found = {product.id: product for product in read}
    return {id: found[id] for id in wanted if id in found}


def _page(connection: Connection, ids: Sequence[int]) -> list[Product]:
    slots = next(slots for slots in SLOTS if len(ids) <= slots)
    values = (*ids, *[0] * (slots - len(ids)))
    rows = json.loads(connection.exec_driver_sql(_PAGES[slots], values).scalar_one())
    return [_product(row, [Picture(*facts) for facts in shown]) for *row, shown in rows]


def attributes(connection: Connection, ids: Sequence[int]) -> dict[int, Attributes]:
    """Read the attributes of live products by id, in any order; others are left out."""
    read = _attributes if connection.dialect.name == "sqlite" else _attributes_of_server
    return dict(chain.from_iterable(read(connection, part) for part in chunks(possible(ids))))


def _attributes(connection: Connection, ids: Sequence[int]) -> Sequence[tuple[int, Attributes]]:
    values = (*ids, *[0] * (AT_ONCE - len(ids)))
    rows: list[tuple[int, Attributes]] = json.loads(
        connection.exec_driver_sql(_ATTRIBUTES_AT_ONCE, values).scalar_one()
    )
    return rows


def _attributes_of_server(
    connection: Connection, ids: Sequence[int]
) -> Sequence[tuple[int, Attributes]]:
    rows = connection.execute(_ATTRIBUTES_BY_ID, {"ids": ids}).all()
    return [(id, attributes) for id, attributes in rows]


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
    statement = select(id).where(products.c.retired == false())
    if after is not None:
        statement = statement.where(_beyond(column, after, descending=descending))
    return statement.order_by(*(key.desc() if descending else key.asc() for key in keys))


def _beyond(column: Any, after: Mark, *, descending: bool) -> ColumnElement[bool]:
    """Say what comes after a mark, so that every engine finds it by the index of the order."""
    id: Any = products.c.id
    if column is id:
        return and_(id < after.id if descending else id > after.id)
    if descending:
        return and_(column <= after.value, or_(column < after.value, id < after.id))
    return and_(column >= after.value, or_(column > after.value, id > after.id))


def query(connection: Connection, statement: Select[Any], /, **values: Any) -> list[Product]:
    """Run a statement over `PRODUCT_COLUMNS`."""
    return to_products(connection, connection.execute(statement, values).all())


def to_products(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Product]:
    """Add the pictures to rows of `PRODUCT_COLUMNS`."""
    shown = _pictures_of(connection, [row[0] for row in rows])
    return [_product(row, shown.get(row[0], ())) for row in rows]


def _product(row: Sequence[Any], shown: Sequence[Picture]) -> Product:
    id, source_key, title, description, attributes, created, updated, revision, retired = row
    return Product(
        id,
        ProductFields.stored(title, description, attributes, source_key),
        tuple(shown),
        _EPOCH + timedelta(microseconds=created),
        _EPOCH + timedelta(microseconds=updated),
        revision,
        bool(retired),
    )


def _pictures_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[Picture]]:
    shown: dict[int, list[Picture]] = {}
    for part in chunks(ids):
        for id, *facts in connection.execute(_PICTURES, {"ids": part}).all():
            shown.setdefault(id, []).append(Picture(*facts))
    return shown


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
        "title_key": title_key(product.fields.title),
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

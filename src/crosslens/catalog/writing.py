"""A write transaction in SQL: buffered, so that a batch costs a few statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    true,
    update,
)

from crosslens.catalog import outbox, rows, sql_receipts
from crosslens.catalog.clock import Clock
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.receipts import Receipt
from crosslens.catalog.rows import Row, as_micros
from crosslens.catalog.schema import counters, pictures, products
from crosslens.errors import Conflict, NotFound

_COUNTER = select(counters.c.value).where(counters.c.name == bindparam("counter")).with_for_update()
_SET_COUNTER = (
    update(counters).where(counters.c.name == bindparam("counter")).values(value=bindparam("last"))
)
_ADD_TO_COUNTER = (
    update(counters)
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value + bindparam("more"))
)
RETIRED, SHOWN = "retired", "picture"  # counters of products and of pictures
_KEY_OWNER = select(products.c.id).where(products.c.source_key == bindparam("key"))
_UPDATE = update(products).where(products.c.id == bindparam("product"))
_FORGET_PICTURES = delete(pictures).where(pictures.c.product_id == bindparam("product"))


class SqlTransaction:
    """A `Transaction`: inserts and announcements wait until something reads, or the end."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._last: dict[str, int] = {}  # counters read in this transaction
        self._used: set[str] = set()  # those that have moved on
        self._products: list[Row] = []
        self._pictures: list[Row] = []
        self._keys: set[str] = set()
        self._announced: dict[int, int] = {}
        self._counted: Counter[str] = Counter()

    def take_turn(self) -> None:
        """
        Wait for other writers, so that nothing read from here on is changed by them meanwhile.

        Each writer counts changes in the end, so they follow each other anyway; waiting first,
        instead of last, leaves no way for two of them to wait for each other. SQLite has waited
        when the transaction began.
        """
        if self._connection.dialect.name != "sqlite":
            self._counter("change")

    def insert(self, fields: ProductFields, pictures: Sequence[Picture]) -> Product:
        """Store a new product at revision 1."""
        self._check_key_is_free(fields.source_key)
        now = self._now()
        product = Product(
            self._next_id(), fields, tuple(pictures), now, now, revision=1, retired=False
        )
        self._products.append(rows.product_row(product))
        self._pictures.extend(rows.picture_rows(product))
        self._counted[SHOWN] += len(product.pictures)
        if fields.source_key is not None:
            self._keys.add(fields.source_key)
        self._announced[product.id] = product.revision
        return product

    def update(
        self,
        product_id: int,
        fields: ProductFields,
        pictures: Sequence[Picture],
        *,
        revision: int | None = None,
    ) -> Product:
        """Replace what is known of a product; revision + 1."""
        current = self._current(product_id, revision)
        if fields.source_key != current.fields.source_key:
            self._check_key_is_free(fields.source_key)
        product = replace(current, fields=fields, pictures=tuple(pictures), retired=False)
        return self._replace(current, product)

    def retire(self, product_id: int, *, revision: int | None = None) -> Product:
        """Take a product out of every search; revision + 1."""
        current = self._current(product_id, revision)
        if current.retired:
            raise NotFound(f"product {product_id} is retired already")
        return self._replace(current, replace(current, retired=True))

    def by_source_keys(self, keys: Sequence[str]) -> dict[str, Product]:
        """Read products by source key."""
        self._flush_products()
        return rows.by_keys(self._connection, keys)

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id."""
        self._flush_products()
        return rows.by_ids(self._connection, product_ids)

    def announce(self, product_ids: Sequence[int]) -> None:
        """Announce products at the revision they have now."""
        self._flush_products()
        self._announced.update(outbox.revisions_of(self._connection, product_ids))

    def keep(self, receipt: Receipt) -> None:
        """Keep a receipt with what is written."""
        sql_receipts.keep(self._connection, receipt, now=as_micros(self._now()))

    def flush(self) -> None:
        """Write what is buffered; the caller commits."""
        self._flush_products()
        if self._announced:
            last = outbox.announce(
                self._connection,
                self._announced,
                last_id=self._counter("change"),
                now=as_micros(self._now()),
            )
            self._move("change", last)
            self._announced = {}
        for counter in sorted(self._used):
            values = {"counter": counter, "last": self._last[counter]}
            self._connection.execute(_SET_COUNTER, values)
        for counter, more in sorted(self._counted.items()):
            if more:
                self._connection.execute(_ADD_TO_COUNTER, {"counter": counter, "more": more})
        self._counted.clear()

    def _flush_products(self) -> None:
        if self._products:
            self._connection.execute(insert(products), self._products)
        if self._pictures:
            self._connection.execute(insert(pictures), self._pictures)
        self._products, self._pictures, self._keys = [], [], set()

    def _current(self, product_id: int, revision: int | None) -> Product:
        current = self.read([product_id]).get(product_id)
        if current is None:
            raise NotFound(f"there is no product {product_id}")
        if revision is not None and revision != current.revision:
            raise Conflict(
                f"product {product_id} is at revision {current.revision}, not {revision}",
                hint="read it again and repeat the edit",
            )
        return current

    def _replace(self, current: Product, product: Product) -> Product:
        product = replace(product, revision=current.revision + 1, updated=self._now())
        row = rows.product_row(product)
        del row["id"]
        self._connection.execute(_UPDATE, {"product": product.id, **row})
        if product.pictures != current.pictures:
            self._connection.execute(_FORGET_PICTURES, {"product": product.id})
            self._pictures.extend(rows.picture_rows(product))
        self._announced[product.id] = product.revision
        self._counted[RETIRED] += product.retired - current.retired
        self._counted[SHOWN] += _shown(product) - _shown(current)
        return product

    def _check_key_is_free(self, key: str | None) -> None:
        if key is None:
            return
        if key in self._keys or self._connection.scalar(_KEY_OWNER, {"key": key}) is not None:
            raise Conflict(f"another product has the source key {key!r}")

    def _next_id(self) -> int:
        self._move("product", self._counter("product") + 1)
        return self._last["product"]

    def _move(self, name: str, last: int) -> None:
        self._last[name] = last
        self._used.add(name)

    def _counter(self, name: str) -> int:
        if name not in self._last:
            self._last[name] = self._connection.scalar(_COUNTER, {"counter": name}) or 0
        return self._last[name]

    def _now(self) -> datetime:
        return self._clock()


def recount(connection: Connection) -> None:
    """Count what is kept by counting, as after writes of a version that did not."""
    connection.scalar(_COUNTER, {"counter": "change"})  # no other writer meanwhile
    gone = select(func.count()).select_from(products).where(products.c.retired == true())
    shown = select(func.count()).select_from(pictures.join(products))
    counted = {RETIRED: gone, SHOWN: shown.where(products.c.retired == false())}
    for counter, count in counted.items():
        values = {"counter": counter, "last": connection.scalar(count) or 0}
        connection.execute(_SET_COUNTER, values)


def _shown(product: Product) -> int:
    return 0 if product.retired else len(product.pictures)

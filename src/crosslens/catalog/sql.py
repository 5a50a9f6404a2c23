"""The catalogue in SQL: SQLite in WAL mode by default, servers through the same statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, false, func, select

from crosslens.catalog import outbox, rows, sql_receipts
from crosslens.catalog.changes import Backlog, Change, Parked
from crosslens.catalog.clock import Clock, SetClock
from crosslens.catalog.connection import CONNECTIONS, open_engine, writing
from crosslens.catalog.failures import translated
from crosslens.catalog.listing import Mark, Order
from crosslens.catalog.product import Product
from crosslens.catalog.races import until_won
from crosslens.catalog.receipts import Receipt
from crosslens.catalog.rows import PRODUCT_COLUMNS, as_micros
from crosslens.catalog.schema import counters, pictures, products
from crosslens.catalog.store import Summary
from crosslens.catalog.writing import RETIRED, SHOWN, SqlTransaction
from crosslens.values import Attributes

T = TypeVar("T")
_BATCH = 5_000

_LIVE = products.c.retired == false()
# Ids are given out without a gap and products are never deleted, so the last id counts them all.
_COUNTS = select(counters.c.name, counters.c.value).where(
    counters.c.name.in_(("product", RETIRED, SHOWN))
)
_POSITION = select(counters.c.value).where(counters.c.name == "change")
_STREAM = (
    PRODUCT_COLUMNS.where(_LIVE, products.c.id > bindparam("after"))
    .order_by(products.c.id)
    .limit(bindparam("most"))
)


class SqlCatalog:
    """
    A `CatalogStore` in a SQL database.

    Args:
        url: sqlite:////srv/shop/catalog.db, whose file is made if absent; or mysql://, mariadb://,
            postgresql:// with user:password@host:port/database, whose tables are made if absent.
            What was committed survives a killed process; a power failure may undo the last
            transactions of SQLite as a whole (WAL, synchronous=NORMAL), never half of one.
        clock: the time; None is a server's own, or this machine's for SQLite.
        busy_s: how long a writer waits for another.
        connections: most connections to a server.

    Raises:
        InvalidRequest: not a database URL, or SQLite without a file.
        MissingExtra: the driver of a server is not installed.
        Conflict: the schema is newer than this version, older on a server, or of another program.
        Unavailable: the database cannot be opened.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        busy_s: float = 30.0,
        connections: int = CONNECTIONS,
    ) -> None:
        self._common_time = common_time = SetClock()
        self._clock = clock or common_time
        self._engine = open_engine(url, busy_s=busy_s, clock=common_time, connections=connections)
        self._writer = writing(self._engine)

    def __repr__(self) -> str:
        return f"SqlCatalog({self._engine.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a write transaction; it waits for its turn here."""
        with self._writing() as connection:
            writes = SqlTransaction(connection, self._clock)
            writes.take_turn()
            yield writes
            writes.flush()

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id, in the order asked."""
        with self._reading() as connection:
            return rows.by_ids(connection, product_ids)

    def attributes(self, product_ids: Sequence[int]) -> dict[int, Attributes]:
        """Read the attributes of live products."""
        with self._reading() as connection:
            return rows.attributes(connection, product_ids)

    def by_source_keys(self, keys: Sequence[str]) -> dict[str, Product]:
        """Read products by source key."""
        with self._reading() as connection:
            return rows.by_keys(connection, keys)

    def stream(self, *, after: int = 0, batch: int = 500) -> Iterator[list[Product]]:
        """Yield live products by rising id; each batch is a transaction of its own."""
        while True:
            with self._reading() as connection:
                found = rows.query(connection, _STREAM, after=after, most=batch)
            if not found:
                return
            yield found
            after = found[-1].id

    def page(self, *, limit: int, offset: int = 0, newest_first: bool = True) -> list[Product]:
        """Read live products ordered by id."""
        order = products.c.id.desc() if newest_first else products.c.id.asc()
        ids = select(products.c.id).where(_LIVE).order_by(order)
        with self._reading() as connection:
            shown = connection.scalars(ids.limit(max(limit, 0)).offset(max(offset, 0))).all()
            return list(rows.by_ids(connection, shown).values())

    def listed(
        self,
        *,
        limit: int,
        order: Order = Order.ID,
        descending: bool = False,
        offset: int = 0,
        after: Mark | None = None,
    ) -> list[Product]:
        """Read live products in an order; titles stand as the database compares them."""
        ids = rows.ordered_ids(order, descending=descending, after=after)
        with self._reading() as connection:
            shown = connection.scalars(ids.limit(max(limit, 0)).offset(max(offset, 0))).all()
            return list(rows.by_ids(connection, shown).values())

    def count(self) -> int:
        """Count live products."""
        return self.summary().products

    def summary(self) -> Summary:
        """Read how many products and pictures there are; quick however many."""
        with self._reading() as connection:
            counts = {row.name: int(row.value) for row in connection.execute(_COUNTS)}
        retired = counts[RETIRED]
        return Summary(counts["product"] - retired, pictures=counts[SHOWN], retired=retired)

    def receipt(self, caller: str, key: str) -> Receipt | None:
        """Return the receipt that a caller's key was used for, within a day."""
        with self._reading() as connection:
            return sql_receipts.find(connection, caller, key, now=as_micros(self._clock()))

    def forget_receipts(self) -> int:
        """Delete the receipts that are too old to count; return how many."""
        now = as_micros(self._clock())
        return self._written(lambda connection: sql_receipts.forget(connection, now=now))

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """Yield (id, revision, pictures) of live products by rising id."""
        shown = select(func.count()).where(pictures.c.product_id == products.c.id)
        columns = select(products.c.id, products.c.revision, shown.scalar_subquery()).where(_LIVE)
        for row in self._keyset(columns, products.c.id, 0):
            yield row[0], row[1], row[2]

    def pictures_in_use(self) -> Iterator[str]:
        """Yield the SHA-256 of every picture of a live product, each once, in order."""
        used = select(pictures.c.sha256).distinct().select_from(pictures.join(products))
        for (sha256,) in self._keyset(used.where(_LIVE), pictures.c.sha256, ""):
            yield sha256

    def _keyset(self, columns: Any, key: Any, after: int | str) -> Iterator[Sequence[Any]]:
        while True:
            page = columns.where(key > after).order_by(key).limit(_BATCH)
            with self._reading() as connection:
                found = connection.execute(page).all()
            if not found:
                return
            yield from found
            after = found[-1][0]

    def lease(self, *, limit: int, lease_s: float, owner: str) -> list[Change]:
        """Take changes that are due, those due longest first."""
        now = as_micros(self._clock())
        until = now + _micros(lease_s)
        return self._written(
            lambda connection: outbox.lease(
                connection, limit=limit, owner=owner, now=now, until=until
            )
        )

    def prolong(self, changes: Sequence[Change], *, lease_s: float, owner: str) -> None:
        """Let leases that are still the owner's end later."""
        until = as_micros(self._clock()) + _micros(lease_s)
        self._written(
            lambda connection: outbox.prolong(connection, changes, owner=owner, until=until)
        )

    def settle(self, changes: Sequence[Change], *, owner: str) -> None:
        """Acknowledge changes whose lease is still the owner's."""
        now = as_micros(self._clock())
        if changes:
            self._written(
                lambda connection: outbox.settle(connection, changes, owner=owner, now=now)
            )

    def postpone(
        self, change: Change, *, owner: str, error: str, delay_s: float, park: bool = False
    ) -> None:
        """Give a change back with its error."""
        now = as_micros(self._clock())
        due = None if park else now + _micros(delay_s)
        self._written(
            lambda connection: outbox.postpone(
                connection, change, owner=owner, error=error, now=now, due=due
            )
        )

    def owners(self) -> list[str]:
        """List who holds a lease that has not run out."""
        with self._reading() as connection:
            return outbox.owners(connection, now=as_micros(self._clock()))

    def release(self, owner: str) -> int:
        """End the leases of an owner that is known to be dead."""
        now = as_micros(self._clock())
        return self._written(lambda connection: outbox.release(connection, owner, now=now))

    def announce(self, product_ids: Sequence[int]) -> int:
        """Announce products again and return how many they are."""
        ids = rows.possible(product_ids)

        def announced() -> int:
            with self.transaction() as writes:
                writes.announce(ids)
            return len(ids)

        return until_won(announced)

    def position(self) -> int:
        """Return the id of the newest change ever announced."""
        with self._reading() as connection:
            return connection.scalar(_POSITION) or 0

    def changed_since(self, position: int) -> Iterator[list[int]]:
        """Yield ids of products announced after a position, in batches."""
        while True:
            with self._reading() as connection:
                found = outbox.changed_since(connection, position)
            if found:
                yield [product_id for _, product_id in found]
                position = found[-1][0]
            if len(found) < outbox.CHANGED_AT_ONCE:  # else it would run after writers for ever
                return

    def backlog(self) -> Backlog:
        """Count what waits."""
        with self._reading() as connection:
            return outbox.backlog(connection, now=as_micros(self._clock()))

    def parked(self, *, limit: int = 100) -> list[Parked]:
        """List parked changes with their errors."""
        with self._reading() as connection:
            return outbox.parked(connection, limit=limit)

    def waiting(self, product_ids: Sequence[int]) -> Mapping[int, Parked | None]:
        """Say which of these products have an unsettled change."""
        with self._reading() as connection:
            return outbox.waiting(connection, rows.possible(product_ids))

    def clock_ahead_s(self) -> float:
        """Return the seconds by which this machine's clock is ahead of the server's."""
        return self._common_time.ahead_s()

    def close(self) -> None:
        """Release connections."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(), self._engine.connect() as connection:
            yield connection

    def _written(self, action: Callable[[Connection], T]) -> T:
        def attempt() -> T:
            with self._writing() as connection:
                return action(connection)

        return until_won(attempt)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with translated(), self._writer.begin() as connection:
            yield connection


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)

"""The catalogue and its media in memory: the readable reference of both seams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import RLock

from crosslens.catalog.changes import Backlog, Change, Parked
from crosslens.catalog.clock import Clock, utc_now
from crosslens.catalog.listing import Mark, Order, mark
from crosslens.catalog.media import digest
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.receipts import KEPT, Receipt
from crosslens.catalog.store import Summary
from crosslens.errors import Conflict, NotFound
from crosslens.values import Attributes


@dataclass(frozen=True, slots=True)
class _Announced:
    """A product's newest change and what became of it; settled ones are kept for their id."""

    change: Change
    announced_at: datetime
    due_at: datetime
    settled: bool = False
    parked: bool = False
    error: str = ""
    owner: str | None = None
    until: datetime | None = None

    def is_leased(self, now: datetime) -> bool:
        return self.until is not None and self.until > now

    @property
    def waits(self) -> bool:
        return not self.settled and not self.parked


class MemoryCatalog:
    """A `CatalogStore` that one process forgets when it ends."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = RLock()
        self._products: dict[int, Product] = {}
        self._announced: dict[int, _Announced] = {}
        self._position = 0
        self._receipts: dict[tuple[str, str], tuple[Receipt, datetime]] = {}

    @contextmanager
    def transaction(self) -> Iterator[_MemoryTransaction]:
        """Open a write transaction; one at a time."""
        with self._lock:
            kept = dict(self._receipts)
            before = (dict(self._products), dict(self._announced), self._position, kept)
            try:
                writes = _MemoryTransaction(self)
                yield writes
                for product_id in writes.written:
                    self._announce(product_id)
            except BaseException:
                self._products, self._announced, self._position, self._receipts = before
                raise

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id, in the order asked."""
        with self._lock:
            return {id: self._products[id] for id in product_ids if id in self._products}

    def attributes(self, product_ids: Sequence[int]) -> dict[int, Attributes]:
        """Read the attributes of live products."""
        read = self.read(product_ids).items()
        return {id: product.fields.attributes for id, product in read if not product.retired}

    def by_source_keys(self, keys: Sequence[str]) -> dict[str, Product]:
        """Read products by source key."""
        with self._lock:
            owners = {product.fields.source_key: product for product in self._products.values()}
            return {key: owners[key] for key in keys if key in owners}

    def stream(self, *, after: int = 0, batch: int = 500) -> Iterator[list[Product]]:
        """Yield live products by rising id, in batches."""
        while found := [product for product in self._live() if product.id > after][:batch]:
            yield found
            after = found[-1].id

    def page(self, *, limit: int, offset: int = 0, newest_first: bool = True) -> list[Product]:
        """Read live products ordered by id."""
        ordered = sorted(self._live(), key=lambda product: product.id, reverse=newest_first)
        return ordered[max(offset, 0) :][: max(limit, 0)]

    def listed(
        self,
        *,
        limit: int,
        order: Order = Order.ID,
        descending: bool = False,
        offset: int = 0,
        after: Mark | None = None,
    ) -> list[Product]:
        """Read live products in an order, from the start or after a mark."""
        places = {id: (at.value, at.id) for id, at in self._marks(order).items()}
        ordered = sorted(self._live(), key=lambda p: places[p.id], reverse=descending)
        if after is not None:
            last = (after.value, after.id)
            ordered = [
                p for p in ordered if places[p.id] != last and (places[p.id] < last) == descending
            ]
        return ordered[max(offset, 0) :][: max(limit, 0)]

    def _marks(self, order: Order) -> dict[int, Mark]:
        return {product.id: mark(product, order) for product in self._live()}

    def count(self) -> int:
        """Count live products."""
        return len(self._live())

    def receipt(self, caller: str, key: str) -> Receipt | None:
        """Return the receipt that a caller's key was used for, within a day."""
        with self._lock:
            kept, made = self._receipts.get((caller, key), (None, self._clock()))
            return kept if made > self._clock() - KEPT else None

    def forget_receipts(self) -> int:
        """Delete the receipts that are too old to count; return how many."""
        with self._lock:
            old = [name for name in self._receipts if self.receipt(*name) is None]
            for name in old:
                del self._receipts[name]
            return len(old)

    def summary(self) -> Summary:
        """Count products and pictures."""
        live = self._live()
        return Summary(
            products=len(live),
            pictures=sum(len(product.pictures) for product in live),
            retired=len(self._products) - len(live),
        )

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """Yield (id, revision, pictures) of live products by rising id."""
        for product in self._live():
            yield product.id, product.revision, len(product.pictures)

    def pictures_in_use(self) -> Iterator[str]:
        """Yield the SHA-256 of every picture of a live product, each once, in order."""
        shown = (picture.sha256 for product in self._live() for picture in product.pictures)
        yield from sorted(set(shown))

    def lease(self, *, limit: int, lease_s: float, owner: str) -> list[Change]:
        """Take changes that are due, those due longest first."""
        with self._lock:
            now = self._clock()
            until = now + timedelta(seconds=lease_s)
            due = [row for row in self._announced.values() if row.waits and row.due_at <= now]
            due.sort(key=lambda row: (row.due_at, row.change.id))
            taken = [row.change for row in due[: max(limit, 0)]]
            for change in taken:
                self._set(change.product_id, owner=owner, until=until, due_at=until)
            return taken

    def prolong(self, changes: Sequence[Change], *, lease_s: float, owner: str) -> None:
        """Let leases that are still the owner's end later."""
        with self._lock:
            until = self._clock() + timedelta(seconds=lease_s)
            for change in changes:
                row = self._announced.get(change.product_id)
                if row is not None and row.owner == owner and row.change.id == change.id:
                    self._set(change.product_id, until=until, due_at=until)

    def settle(self, changes: Sequence[Change], *, owner: str) -> None:
        """Acknowledge changes whose lease is still the owner's."""
        with self._lock:
            for change in changes:
                if self._release(change, owner):
                    settled = replace(self._announced[change.product_id].change, tries=0)
                    self._set(change.product_id, change=settled, settled=True, error="")

    def postpone(
        self, change: Change, *, owner: str, error: str, delay_s: float, park: bool = False
    ) -> None:
        """Give a change back with its error."""
        with self._lock:
            if self._release(change, owner):
                failed = self._announced[change.product_id].change
                self._set(
                    change.product_id,
                    change=replace(failed, tries=failed.tries + 1),
                    due_at=self._clock() + timedelta(seconds=0 if park else delay_s),
                    parked=park,
                    error=error,
                )

    def owners(self) -> list[str]:
        """List who holds a lease that has not run out."""
        with self._lock:
            return sorted({row.owner for row in self._held() if row.owner is not None})

    def release(self, owner: str) -> int:
        """End the leases of an owner that is known to be dead."""
        with self._lock:
            held = [row.change.product_id for row in self._held() if row.owner == owner]
            for product_id in held:
                self._set(product_id, owner=None, until=None, due_at=self._clock())
            return len(held)

    def _held(self) -> list[_Announced]:
        now = self._clock()
        rows = self._announced.values()
        return [row for row in rows if row.waits and row.until is not None and row.until > now]

    def _release(self, change: Change, owner: str) -> bool:
        """End the owner's lease; say whether the change is still the product's newest."""
        row = self._announced.get(change.product_id)
        if row is None or row.owner != owner:
            return False
        self._set(change.product_id, owner=None, until=None)
        if row.change.id > change.id:
            self._set(change.product_id, due_at=self._clock())
            return False
        return True

    def _set(self, product_id: int, **fields: object) -> None:
        row = self._announced[product_id]
        self._announced[product_id] = replace(row, **fields)  # type: ignore[arg-type]

    def announce(self, product_ids: Sequence[int]) -> int:
        """Announce products again and return how many they are."""
        with self._lock:
            wanted = [id for id in dict.fromkeys(product_ids) if id > 0]
            for product_id in wanted:
                self._announce(product_id)
            return len(wanted)

    def _announce(self, product_id: int) -> None:
        now = self._clock()
        known = self._products.get(product_id)
        old = self._announced.get(product_id)
        self._position += 1
        change = Change(self._position, product_id, known.revision if known else 0)
        row = _Announced(change, announced_at=now, due_at=now)
        if old is not None and old.is_leased(now):
            row = replace(row, owner=old.owner, until=old.until, due_at=old.due_at)
        elif old is not None and old.waits:  # it keeps its place in the queue
            row = replace(old, change=change, due_at=min(old.due_at, now), error="")
        self._announced[product_id] = row

    def position(self) -> int:
        """Return the id of the newest change ever announced."""
        return self._position

    def changed_since(self, position: int) -> Iterator[list[int]]:
        """Yield ids of products announced after a position, in one batch."""
        with self._lock:
            changes = sorted(
                (row.change for row in self._announced.values()), key=lambda change: change.id
            )
        if later := [change.product_id for change in changes if change.id > position]:
            yield later

    def backlog(self) -> Backlog:
        """Count what waits."""
        with self._lock:
            now = self._clock()
            rows = [row for row in self._announced.values() if not row.settled]
        waiting = [row.announced_at for row in rows if row.waits and not row.is_leased(now)]
        oldest = min(waiting, default=now)
        return Backlog(
            waiting=len(waiting),
            leased=sum(row.is_leased(now) for row in rows),
            parked=sum(row.parked for row in rows),
            oldest_s=max(0.0, (now - oldest).total_seconds()),
        )

    def parked(self, *, limit: int = 100) -> list[Parked]:
        """List parked changes with their errors, those parked first first."""
        with self._lock:
            rows = [row for row in self._announced.values() if row.parked]
        rows.sort(key=lambda row: (row.due_at, row.change.id))
        return [_parked(row) for row in rows[: max(limit, 0)]]

    def waiting(self, product_ids: Sequence[int]) -> Mapping[int, Parked | None]:
        """Say which of these products have an unsettled change."""
        with self._lock:
            rows = {id: self._announced[id] for id in product_ids if id in self._announced}
        return {
            id: _parked(row) if row.parked else None for id, row in rows.items() if not row.settled
        }

    def clock_ahead_s(self) -> float:
        """Return 0: there is one clock."""
        return 0.0

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _live(self) -> list[Product]:
        with self._lock:
            return [product for product in self._products.values() if not product.retired]


class _MemoryTransaction:
    def __init__(self, catalog: MemoryCatalog) -> None:
        self._catalog = catalog
        self.written: dict[int, None] = {}  # in order, each announced once at the end
        self.read = catalog.read
        self.by_source_keys = catalog.by_source_keys

    def insert(self, fields: ProductFields, pictures: Sequence[Picture]) -> Product:
        self._check_key_is_free(fields.source_key)
        now = self._catalog._clock()
        id = len(self._catalog._products) + 1  # products are retired, never deleted
        return self._store(
            Product(id, fields, tuple(pictures), now, now, revision=1, retired=False)
        )

    def update(
        self,
        product_id: int,
        fields: ProductFields,
        pictures: Sequence[Picture],
        *,
        revision: int | None = None,
    ) -> Product:
        current = self._current(product_id, revision)
        if fields.source_key != current.fields.source_key:
            self._check_key_is_free(fields.source_key)
        return self._revise(
            replace(current, fields=fields, pictures=tuple(pictures), retired=False)
        )

    def retire(self, product_id: int, *, revision: int | None = None) -> Product:
        current = self._current(product_id, revision)
        if current.retired:
            raise NotFound(f"product {product_id} is retired already")
        return self._revise(replace(current, retired=True))

    def keep(self, receipt: Receipt) -> None:
        if self._catalog.receipt(receipt.caller, receipt.key) is not None:
            raise Conflict(f"the key {receipt.key!r} was used already")
        name = receipt.caller, receipt.key
        self._catalog._receipts[name] = receipt, self._catalog._clock()

    def _revise(self, product: Product) -> Product:
        now = self._catalog._clock()
        return self._store(replace(product, revision=product.revision + 1, updated=now))

    def _store(self, product: Product) -> Product:
        self._catalog._products[product.id] = product
        self.written[product.id] = None
        return product

    def _current(self, product_id: int, revision: int | None) -> Product:
        current = self._catalog._products.get(product_id)
        if current is None:
            raise NotFound(f"there is no product {product_id}")
        if revision is not None and revision != current.revision:
            raise Conflict(
                f"product {product_id} is at revision {current.revision}, not {revision}",
                hint="read it again and repeat the edit",
            )
        return current

    def _check_key_is_free(self, key: str | None) -> None:
        if key is not None and self.by_source_keys([key]):
            raise Conflict(f"another product has the source key {key!r}")


class MemoryMedia:
    """A `MediaStore` that one process forgets when it ends."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._stored: dict[str, tuple[bytes, datetime]] = {}

    def put(self, content: bytes) -> str:
        """Store bytes and return their SHA-256; a repeat makes them young again."""
        sha256 = digest(content)
        self._stored[sha256] = (bytes(content), self._clock())
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the bytes."""
        try:
            return self._stored[sha256][0]
        except KeyError as exc:
            raise NotFound(f"no picture is stored under {sha256[:80]!r}") from exc

    def delete(self, sha256: str, *, older_than_s: float = 0.0) -> None:
        """Forget the bytes, if they are at least so old."""
        stored = self._stored.get(sha256)
        if stored is not None and self._is_older(stored[1], older_than_s):
            del self._stored[sha256]

    def digests(self, *, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield what is at least so old, in order."""
        for sha256, (_, since) in sorted(self._stored.items()):
            if self._is_older(since, older_than_s):
                yield sha256

    def link(self, sha256: str, *, kind: str) -> str | None:
        """Give out no links."""
        return None

    def _is_older(self, since: datetime, seconds: float) -> bool:
        return (self._clock() - since).total_seconds() >= seconds


def _parked(row: _Announced) -> Parked:
    return Parked(row.change.product_id, row.change.tries, row.error)

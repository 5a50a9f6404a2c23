"""Settle changes: lease, read each product as it is now, encode, write or delete, acknowledge."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from time import monotonic

from crosslens.catalog.changes import Change
from crosslens.catalog.product import Product
from crosslens.errors import (
    CrosslensError,
    IndexBroken,
    Overloaded,
    StorageFull,
    Unavailable,
    WrongSpace,
)
from crosslens.indexing.owner import is_dead, new_owner
from crosslens.indexing.queue import Queue
from crosslens.indexing.rows import RowMaker
from crosslens.telemetry import logger
from crosslens.telemetry.callers import Errand
from crosslens.telemetry.tracing import span
from crosslens.vectors.index import ProductRows, VectorIndex

BURY_EVERY_S = 60.0
TRANSIENT = (Unavailable, Overloaded, StorageFull, IndexBroken)  # the product is not to blame
LONGEST_S = 300.0
LONGEST_AWAY_S = 30.0  # what was away is back for all at once


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How a worker works.

    Attributes:
        batch: products per lease.
        lease_s: seconds before another worker may take what this one holds.
        max_tries: failures of one product after which its change is parked.
        first_delay_s: wait after the first failure; doubles each time, up to five minutes, or to
            half a minute where the product is not to blame.
        idle_s: wait when nothing is due.
        threads: batches encoded side by side.
    """

    batch: int = 64
    lease_s: float = 60.0
    max_tries: int = 5
    first_delay_s: float = 1.0
    idle_s: float = 0.2
    threads: int = 1

    def delay_s(self, tries: int, *, most_s: float = LONGEST_S) -> float:
        """Return the wait before try number `tries` + 1."""
        return min(self.first_delay_s * 2.0 ** min(tries, 30), most_s)


@dataclass(frozen=True, slots=True)
class _Batch:
    errand: Errand
    changes: list[Change]
    rows: Future[list[ProductRows]]
    gone: list[int]


class Worker:
    """
    Keep one index true to the catalogue; several workers may share a catalogue.

    Two batches are in flight: while one is written, the next is encoded.

    Args:
        more: called when nothing is due; announces what else should be looked at, and says whether
            there was anything.
    """

    def __init__(
        self,
        catalog: Queue,
        index: VectorIndex,
        maker: RowMaker,
        *,
        pace: Pace | None = None,
        on_settled: Callable[[int], None] = lambda changes: None,
        more: Callable[[], bool] = lambda: False,
    ) -> None:
        self._catalog = catalog
        self._index = index
        self._maker = maker
        self._pace = pace or Pace()
        self._threads = max(self._pace.threads, 1)
        self._on_settled = on_settled
        self._more = more
        self._owner = new_owner()
        self._buried_at = -BURY_EVERY_S
        self._log = logger("worker")
        self._tending = threading.Thread()

    def drain(self, stop: threading.Event | None = None) -> int:
        """
        Settle everything that is due now.

        Args:
            stop: when set, finish the batches in flight and return.

        Returns:
            How many changes were settled.
        """
        self._bury_the_dead()
        settled = 0
        flying: deque[_Batch] = deque()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="encode") as pool:
            while True:
                if not (stop and stop.is_set()) and (batch := self._begin(pool)):
                    flying.append(batch)
                    if len(flying) <= self._threads:
                        continue
                if not flying:
                    if (stop and stop.is_set()) or not self._more():
                        return settled
                    continue
                done = self._finish(flying.popleft())
                self._on_settled(done)
                settled += done
                self._tend()

    def finish(self, stop: threading.Event, *, patience_s: float = 10.0) -> int:
        """
        Settle everything, waiting for what was postponed and is due soon.

        Args:
            patience_s: seconds without progress after which the rest is left for later.

        Returns:
            How many changes were settled.
        """
        settled, since = self.drain(stop), monotonic()
        while self._catalog.backlog().waiting and monotonic() - since < patience_s:
            if stop.wait(self._pace.idle_s):
                break
            if done := self.drain(stop):
                settled, since = settled + done, monotonic()
        return settled

    def run(self, stop: threading.Event) -> int:
        """
        Settle changes until told to stop; survives failures of catalogue and index.

        Returns:
            How many changes were settled.

        Raises:
            WrongSpace: the index is for other bundles now, as after a switch by another process;
                what was leased is given back.
        """
        failures = settled = 0
        while not stop.is_set():
            try:
                settled += self.drain(stop)
                failures = 0
                stop.wait(self._pace.idle_s)
            except WrongSpace:
                raise
            except CrosslensError as exc:
                failures += 1
                self._log.warning("worker waits", error=str(exc), failures=failures)
                stop.wait(self._pace.delay_s(failures, most_s=LONGEST_AWAY_S))
        return settled

    def _bury_the_dead(self) -> None:
        """Take over what a killed process of this machine held; looks once a minute."""
        now = monotonic()
        if now - self._buried_at < BURY_EVERY_S:
            return
        self._buried_at = now
        for owner in filter(is_dead, self._catalog.owners()):
            released = self._catalog.release(owner)
            self._log.warning("leases of a dead worker ended", owner=owner, changes=released)

    def _tend(self) -> None:
        """Optimize beside the work once enough has been written, one at a time."""
        if self._tending.is_alive() or not self._index.needs_optimize():
            return
        self._tending = threading.Thread(target=self._optimize, name="optimize")
        self._tending.start()

    def _optimize(self) -> None:
        try:
            self._index.optimize()
        except CrosslensError as exc:  # searching is slower until the next try, nothing is lost
            self._log.warning("index not optimized", error=str(exc))

    def _begin(self, pool: ThreadPoolExecutor) -> _Batch | None:
        pace = self._pace
        changes = self._catalog.lease(limit=pace.batch, lease_s=pace.lease_s, owner=self._owner)
        if not changes:
            return None
        errand = Errand("settle", {change.product_id: change.revision for change in changes})
        with errand.going_on():
            with span("catalog.read", products=len(changes)):
                products = self._catalog.read([change.product_id for change in changes])
            live = [product for product in products.values() if not product.retired]
            kept = {product.id for product in live}
            gone = [c.product_id for c in changes if c.product_id not in kept]
            rows = pool.submit(copy_context().run, self._rows, live)
        return _Batch(errand, changes, rows, gone)

    def _finish(self, batch: _Batch) -> int:
        try:
            with batch.errand.going_on():
                return self._settled(batch)
        finally:
            batch.errand.end()

    def _settled(self, batch: _Batch) -> int:
        try:
            self._write(batch.rows.result(), batch.gone)
        except TRANSIENT as exc:
            self._postpone(batch.changes, exc)
            return 0
        except WrongSpace:  # no product is to blame, and none can be written
            self._catalog.release(self._owner)
            raise
        except Exception:  # noqa: BLE001 - whatever one product does, the others are settled
            return sum(self._settle_alone(change) for change in batch.changes)
        with span("catalog.settle", changes=len(batch.changes)):
            self._catalog.settle(batch.changes, owner=self._owner)
        self._log.info("settled", products=len(batch.changes), gone=len(batch.gone))
        return len(batch.changes)

    def _settle_alone(self, change: Change) -> int:
        """Settle one change of a batch that failed, so that only the poison one waits."""
        try:
            product = self._catalog.read([change.product_id]).get(change.product_id)
            live = [] if product is None or product.retired else [product]
            self._write(self._rows(live), [] if live else [change.product_id])
        except Exception as exc:  # noqa: BLE001 - a poison product is parked with its reason
            self._postpone([change], exc)
            return 0
        self._catalog.settle([change], owner=self._owner)
        return 1

    def _rows(self, products: Sequence[Product]) -> list[ProductRows]:
        with span("encode", of="products", products=len(products)):
            return self._maker.rows(products, self._index.spec)

    def _write(self, rows: Sequence[ProductRows], gone: Sequence[int]) -> None:
        if rows:
            with span("index.upsert", products=len(rows)):
                self._index.upsert(rows)
        if gone:
            with span("index.delete", products=len(gone)):
                self._index.delete(gone)
            self._maker.forget(gone)

    def _postpone(self, changes: Sequence[Change], exc: Exception) -> None:
        if isinstance(exc, TRANSIENT):
            self._log.warning("changes postponed", changes=len(changes), error=_reason(exc))
            for change in changes:
                delay_s = self._pace.delay_s(change.tries, most_s=LONGEST_AWAY_S)
                self._put_back(change, exc, delay_s)
            return
        for change in changes:
            park = change.tries + 1 >= self._pace.max_tries
            self._log.warning(
                "change parked" if park else "change postponed",
                product=change.product_id,
                tries=change.tries + 1,
                error=_reason(exc),
            )
            self._put_back(change, exc, self._pace.delay_s(change.tries), park=park)

    def _put_back(
        self, change: Change, exc: Exception, delay_s: float, *, park: bool = False
    ) -> None:
        self._catalog.postpone(
            change, owner=self._owner, error=_reason(exc), delay_s=delay_s, park=park
        )


def _reason(exc: Exception) -> str:
    return str(exc) if isinstance(exc, CrosslensError) else f"{type(exc).__name__}: {exc}"

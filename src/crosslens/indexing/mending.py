"""Make a doubtful index whole: compare it with the catalogue, announce what differs, bit by bit."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from time import monotonic

from crosslens.catalog.store import CatalogStore
from crosslens.errors import IndexBroken, StorageFull, Unavailable
from crosslens.indexing.audit import ANNOUNCE, Audit, audit, parts
from crosslens.telemetry import logger
from crosslens.vectors.index import IndexStore, VectorIndex
from crosslens.vectors.trial import try_out

MOST_ROUNDS = 5
AGAIN_S = 60.0
KNOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class Filling:
    """How far an index is that does not hold everything yet."""

    indexed: int
    of: int
    reason: str

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1."""
        return self.indexed / self.of

    def __str__(self) -> str:
        return f"the index is being filled: {self.indexed} of {self.of} products are in it"


class Mending:
    """
    Compare the live index with the catalogue whenever it is in doubt, until it is whole.

    What differs goes through the queue of changes, so that a kill loses nothing of it: bit by bit,
    whenever the queue is empty, so that what people change meanwhile need not wait. An index that
    fails the comparison is set aside.
    """

    def __init__(self, catalog: CatalogStore, store: IndexStore) -> None:
        self._catalog = catalog
        self._store = store
        self._left: deque[int] = deque()
        self._rounds = 0
        self._not_before = 0.0
        self._counted = False
        self._known: tuple[float, Filling | None] = (0.0, None)
        self._log = logger("index")

    def more(self) -> bool:
        """
        Announce the next products to be looked at again, when nothing else is to be done.

        Returns:
            Whether there were any.
        """
        if self._left:
            return self._announce()
        if self._counted and not self._store.doubtful:
            return False
        if monotonic() < self._not_before or self._unsettled():
            return False
        try:
            return self._compare()
        except (StorageFull, Unavailable) as exc:
            self._log.warning("index not compared", error=str(exc))
            self._not_before = monotonic() + AGAIN_S
            return False

    def filling(self) -> Filling | None:
        """Say how far the live index is, None where it is whole; a second old at most."""
        at, known = self._known
        if monotonic() - at > KNOWN_S:
            known = filling(self._catalog, self._store)
            self._known = (monotonic(), known)
        return known

    def _unsettled(self) -> int:
        backlog = self._catalog.backlog()
        return backlog.waiting + backlog.leased

    def _compare(self) -> bool:
        doubtful = self._store.doubtful or _counts_differ(self._catalog, self._store.live())
        self._counted = True
        wrong = self._wrong() if doubtful else []
        if not wrong:
            self._rounds = 0
            self._store.trust()
            return False
        self._rounds += 1
        if self._rounds > MOST_ROUNDS:
            self._log.error("index differs from the catalogue for good", products=len(wrong))
            self._not_before = float("inf")
            return False
        self._log.warning("index compared with the catalogue", products=len(wrong))
        self._left.extend(wrong)
        return self._announce()

    def _wrong(self) -> list[int]:
        """Return what differs though nothing is announced of it, by rising id."""
        position = self._catalog.position()
        try:
            found = _looked_at(self._catalog, self._store.live())
        except IndexBroken as exc:
            self._store.begin_anew(exc.message)
            found = _looked_at(self._catalog, self._store.live())
        wrong = {*found.missing, *found.stale, *found.orphaned}
        for part in parts(tuple(wrong)):
            wrong.difference_update(self._catalog.waiting(part))
        if wrong:
            for product_ids in self._catalog.changed_since(position):
                wrong.difference_update(product_ids)
        return sorted(wrong)

    def _announce(self) -> bool:
        part = [self._left.popleft() for _ in range(min(ANNOUNCE, len(self._left)))]
        self._catalog.announce(part)
        return True


def filling(catalog: CatalogStore, store: IndexStore) -> Filling | None:
    """Say how far the live index is, None where it is whole."""
    if not store.doubtful:
        return None
    indexed, of = store.live().counts().products, catalog.summary().products
    if indexed >= of:
        return None
    damage = store.damage
    return Filling(indexed, of, damage.reason if damage else "it is new, or was not closed")


def _counts_differ(catalog: CatalogStore, index: VectorIndex) -> bool:
    """Say whether an index of which nothing is in doubt holds other numbers than it should."""
    held, summary, parked = index.counts(), catalog.summary(), catalog.backlog().parked
    if parked:
        return abs(held.products - summary.products) > parked
    return (held.products, held.pictures) != (summary.products, summary.pictures)


def _looked_at(catalog: CatalogStore, index: VectorIndex) -> Audit:
    """
    Put an index in order, try it out, and compare it.

    Raises:
        IndexBroken: it fails.
    """
    index.optimize()
    try_out(index)
    return audit(catalog, index)

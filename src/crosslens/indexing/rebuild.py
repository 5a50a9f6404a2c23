"""Build a new index beside the live one, replay what changed meanwhile, check it, switch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from sys import maxsize
from time import perf_counter

from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import IndexBroken, WrongSpace
from crosslens.indexing.audit import audit
from crosslens.indexing.rows import RowMaker
from crosslens.indexing.worker import TRANSIENT
from crosslens.vectors.index import Draft, IndexStore, ProductRows, VectorIndex

BATCH = 64
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """
    What a rebuild did.

    Attributes:
        products: written to the new index.
        replayed: changes repeated for it before the switch.
        left_out: products that cannot be encoded; announced, so that the worker parks them with
            the reason.
    """

    products: int
    replayed: int
    left_out: tuple[int, ...]
    seconds: float


def rebuild(  # noqa: PLR0913 - who is told, who is asked, who must change with it
    catalog: CatalogStore,
    store: IndexStore,
    maker: RowMaker,
    *,
    threads: int = 1,
    progress: Progress = lambda done, total: None,
    switching: Callable[[], AbstractContextManager[object]] = nullcontext,
    accept: Callable[[VectorIndex], None] = lambda index: None,
) -> Rebuilt:
    """
    Replace the live index by one of the wanted spec; searching goes on throughout.

    `switching` is entered for the switch alone: by those who must change with the index.
    `accept` looks at the new index before that; if it raises, the live one stays.

    Changes settled while the draft fills reach only the old index, so everything announced since
    the start is replayed into the draft, and what is announced around the switch is announced
    once more for the new index: settling twice is harmless, settling never is not.

    Raises:
        IndexBroken: the draft does not hold what the catalogue holds; the live index stays.
    """
    started = perf_counter()
    position = catalog.position()
    draft = store.draft()
    filling = _Filling(draft.index, catalog, maker, threads)
    try:
        filling.fill(progress)
        draft.index.optimize()
        replayed, position = filling.replay(position)
        accept(draft.index)
        late, position = filling.replay(position)
        _check(draft.index, catalog, position, filling.left_out)
    except BaseException:
        draft.discard()
        raise
    with switching():
        _switch(draft, catalog, position, filling.left_out)
        store.trust()
    left_out = tuple(sorted(filling.left_out))
    return Rebuilt(filling.written, replayed + late, left_out, perf_counter() - started)


@dataclass(slots=True)
class _Filling:
    """An index being filled; products that cannot be encoded are left out and remembered."""

    index: VectorIndex
    catalog: CatalogStore
    maker: RowMaker
    threads: int
    written: int = 0
    left_out: set[int] = field(default_factory=set)

    def fill(self, progress: Progress) -> None:
        """Write the whole catalogue; batches are encoded side by side."""
        total, done = self.catalog.summary().products, 0
        waiting: deque[tuple[int, Future[list[ProductRows]]]] = deque()
        with ThreadPoolExecutor(self.threads, thread_name_prefix="rebuild") as pool:
            for products in self.catalog.stream(batch=BATCH):
                waiting.append((len(products), pool.submit(self._rows, products)))
                if len(waiting) > self.threads:
                    done += self._write(*waiting.popleft())
                    progress(done, total)
            while waiting:
                done += self._write(*waiting.popleft())
                progress(done, total)

    def replay(self, position: int) -> tuple[int, int]:
        """
        Repeat until a round finds nothing new, or no less than the one before: writes keep pace
        with it, and what is left will be announced around the switch.

        Returns:
            How many changes were replayed, and the change up to which all were.
        """
        replayed, last = 0, maxsize
        while (reached := self.catalog.position()) != position:
            found = 0
            for product_ids in self.catalog.changed_since(position):
                found += len(product_ids)
                self._apply(product_ids)
            replayed, position = replayed + found, reached
            if found >= last:
                break
            last = found
        return replayed, position

    def _apply(self, product_ids: Sequence[int]) -> None:
        products = self.catalog.read(product_ids)
        live = [product for product in products.values() if not product.retired]
        for start in range(0, len(live), BATCH):
            self.index.upsert(self._rows(live[start : start + BATCH]))
        kept = {product.id for product in live} - self.left_out
        self.index.delete([product_id for product_id in product_ids if product_id not in kept])

    def _write(self, products: int, rows: Future[list[ProductRows]]) -> int:
        made = rows.result()
        self.index.upsert(made)
        self.written += len(made)
        return products

    def _rows(self, products: Sequence[Product]) -> list[ProductRows]:
        """Encode; if a batch fails, one by one, so that only the poison one is left out."""
        self.left_out.difference_update(product.id for product in products)
        try:
            return self.maker.rows(products, self.index.spec)
        except TRANSIENT:
            raise
        except Exception:  # noqa: BLE001 - whatever one product does, the others are indexed
            return [row for product in products for row in self._alone(product)]

    def _alone(self, product: Product) -> list[ProductRows]:
        try:
            return self.maker.rows([product], self.index.spec)
        except (*TRANSIENT, WrongSpace):
            raise
        except Exception:  # noqa: BLE001 - the worker will park it with the reason
            self.left_out.add(product.id)
            return []


def _check(index: VectorIndex, catalog: CatalogStore, position: int, left_out: Set[int]) -> None:
    """Compare revisions of everything that did not change since the replay."""
    found = audit(catalog, index)
    wrong = {*found.missing, *found.stale} - left_out
    if wrong:
        for product_ids in catalog.changed_since(position):
            wrong.difference_update(product_ids)
    if wrong:
        raise IndexBroken(f"the new index lacks or misstates {len(wrong)} products; not switched")


def _switch(draft: Draft, catalog: CatalogStore, position: int, left_out: Set[int]) -> None:
    draft.take_over()
    # all of them first: what is announced is the newest change, and would be found again for ever
    changed = {id for product_ids in catalog.changed_since(position) for id in product_ids}
    catalog.announce(sorted(changed | left_out))

"""Build a new index beside the live one, replay what changed meanwhile, check it, switch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import IndexBroken
from crosslens.indexing.rows import RowMaker
from crosslens.vectors.index import Draft, IndexStore, ProductRows, VectorIndex

BATCH = 64
REPLAY_ROUNDS = 20  # each is shorter than the one before, unless writes outrun the encoder
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: products written, changes replayed before the switch, seconds."""

    products: int
    replayed: int
    seconds: float


def rebuild(
    catalog: CatalogStore,
    store: IndexStore,
    maker: RowMaker,
    *,
    threads: int = 1,
    progress: Progress = lambda done, total: None,
) -> Rebuilt:
    """
    Replace the live index by one of the wanted spec; searching goes on throughout.

    Changes settled while the draft fills reach only the old index, so everything announced since
    the start is replayed into the draft, and what is announced around the switch is announced
    once more for the new index: settling twice is harmless, settling never is not.

    Raises:
        IndexBroken: the draft does not hold what the catalogue holds; the live index stays.
    """
    started = perf_counter()
    position = catalog.position()
    draft = store.draft()
    try:
        written = _fill(draft.index, catalog, maker, threads, progress)
        draft.index.optimize()
        replayed, position = _replay(draft.index, catalog, maker, position)
        _check(draft.index, catalog, position)
    except BaseException:
        draft.discard()
        raise
    _switch(draft, catalog, position)
    return Rebuilt(written, replayed, perf_counter() - started)


def _fill(
    index: VectorIndex, catalog: CatalogStore, maker: RowMaker, threads: int, progress: Progress
) -> int:
    total, done = catalog.summary().products, 0
    with ThreadPoolExecutor(threads, thread_name_prefix="rebuild") as pool:
        waiting = []
        for products in catalog.stream(batch=BATCH):
            waiting.append(pool.submit(maker.rows, products, index.spec))
            if len(waiting) > threads:
                done += _write(index, waiting.pop(0).result())
                progress(done, total)
        for future in waiting:
            done += _write(index, future.result())
            progress(done, total)
    return done


def _write(index: VectorIndex, rows: list[ProductRows]) -> int:
    index.upsert(rows)
    return len(rows)


def _replay(
    index: VectorIndex, catalog: CatalogStore, maker: RowMaker, position: int
) -> tuple[int, int]:
    """Repeat until a round finds nothing new; return how many and up to which change."""
    replayed = 0
    for _ in range(REPLAY_ROUNDS):
        reached = catalog.position()
        if reached == position:
            break
        for product_ids in catalog.changed_since(position):
            replayed += len(product_ids)
            _apply(index, maker, product_ids, catalog.read(product_ids).values())
        position = reached
    return replayed, position


def _apply(
    index: VectorIndex, maker: RowMaker, product_ids: list[int], products: Iterable[Product]
) -> None:
    live = [product for product in products if not product.retired]
    kept = {product.id for product in live}
    for start in range(0, len(live), BATCH):
        index.upsert(maker.rows(live[start : start + BATCH], index.spec))
    index.delete([product_id for product_id in product_ids if product_id not in kept])


def _check(index: VectorIndex, catalog: CatalogStore, position: int) -> None:
    """Compare revisions of everything that did not change since the replay."""
    held = {product_id: (rev, pictures) for product_id, rev, pictures in index.revisions()}
    wrong = {
        product_id
        for product_id, revision, pictures in catalog.revisions()
        if held.get(product_id) != (revision, pictures)
    }
    if wrong:
        for product_ids in catalog.changed_since(position):
            wrong.difference_update(product_ids)
    if wrong:
        raise IndexBroken(f"the new index lacks or misstates {len(wrong)} products; not switched")


def _switch(draft: Draft, catalog: CatalogStore, position: int) -> None:
    draft.take_over()
    for product_ids in catalog.changed_since(position):
        catalog.announce(product_ids)

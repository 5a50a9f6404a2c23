"""Prove that catalogue and index agree, or name what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crosslens.catalog.store import CatalogStore
from crosslens.vectors.index import VectorIndex

ANNOUNCE = 1_000  # products at once


@dataclass(frozen=True, slots=True)
class Audit:
    """
    Differences by product id.

    Attributes:
        missing: in the catalogue, not in the index.
        stale: in both, at another revision or with other pictures.
        orphaned: in the index, not (or no longer) in the catalogue.
    """

    products: int
    missing: Sequence[int]
    stale: Sequence[int]
    orphaned: Sequence[int]

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.stale or self.orphaned)


def audit(catalog: CatalogStore, index: VectorIndex) -> Audit:
    """Compare every revision of the catalogue with the index."""
    held = {product_id: (rev, pictures) for product_id, rev, pictures in index.revisions()}
    missing, stale, products = [], [], 0
    for product_id, revision, pictures in catalog.revisions():
        products += 1
        found = held.pop(product_id, None)
        if found is None:
            missing.append(product_id)
        elif found != (revision, pictures):
            stale.append(product_id)
    return Audit(products, missing, stale, sorted(held))


def repair(catalog: CatalogStore, found: Audit) -> int:
    """Announce what differs, so that the worker looks again; return how many products."""
    product_ids = [*found.missing, *found.stale, *found.orphaned]
    for part in parts(product_ids):
        catalog.announce(part)
    return len(product_ids)


def parts(product_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut products into as many as are announced at once."""
    for start in range(0, len(product_ids), ANNOUNCE):
        yield product_ids[start : start + ANNOUNCE]

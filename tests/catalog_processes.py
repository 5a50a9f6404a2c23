"""What other processes do to a catalogue in tests; a module of its own, since each imports it."""

from __future__ import annotations

from contextlib import closing

from crosslens.catalog.product import ProductFields
from crosslens.catalog.sql import SqlCatalog

PRODUCTS, EDITS = 20, 8


def open_and_insert(url: str) -> int:
    with closing(SqlCatalog(url)) as store, store.transaction() as writes:
        return writes.insert(ProductFields("x"), ()).revision


def handle(url: str, owner: str) -> list[tuple[int, int]]:
    """Settle until every product is at its last revision; return what was handled."""
    done = []
    with closing(SqlCatalog(url)) as store:
        while store.position() < PRODUCTS * (EDITS + 1) or store.backlog().waiting:
            changes = store.lease(limit=5, lease_s=60, owner=owner)
            done += [(change.product_id, change.revision) for change in changes]
            store.settle(changes, owner=owner)
    return done


def edit_everything(url: str) -> int:
    """Edit each product some times, each in a transaction; return how many edits counted."""
    edited = 0
    with closing(SqlCatalog(url)) as store:
        for n in range(EDITS):
            for id in range(1, PRODUCTS + 1):
                with store.transaction() as writes:
                    edited += writes.update(id, ProductFields(f"title {n}"), ()).revision == n + 2
    return edited

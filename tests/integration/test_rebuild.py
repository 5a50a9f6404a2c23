"""A rebuild over SQLite, whose changes are read page by page while others are made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crosslens.catalog.product import Product, ProductFields
from crosslens.catalog.sql import SqlCatalog
from crosslens.indexing import rebuild as rebuilding
from crosslens.indexing.audit import audit
from crosslens.indexing.rebuild import rebuild
from crosslens.indexing.worker import Worker
from crosslens.vectors.index import IndexSpec, ProductRows
from house import House


@pytest.mark.timeout(60)
def test_what_changes_between_the_last_look_and_the_switch_is_announced_once_and_the_switch_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House()
    catalog = SqlCatalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    with catalog.transaction() as writes:
        for n in range(5):
            writes.insert(ProductFields(f"shirt {n}"), ())
    check = rebuilding._check

    def late_edit(*looked_at: object) -> None:
        check(*looked_at)  # type: ignore[arg-type]
        with catalog.transaction() as writes:
            writes.update(2, ProductFields("hat"), ())

    monkeypatch.setattr(rebuilding, "_check", late_edit)
    before = catalog.position()
    rebuild(catalog, house.store, house.maker, threads=1, progress=lambda done, total: None)
    assert catalog.position() - before == 2, "the edit, and its second announcement"
    assert 2 in catalog.waiting([2])
    catalog.close()


@pytest.mark.timeout(60)
def test_a_rebuild_ends_however_steadily_products_are_written(tmp_path: Path) -> None:
    house = House()
    catalog = SqlCatalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    with catalog.transaction() as writes:
        for n in range(5):
            writes.insert(ProductFields(f"shirt {n}"), ())
    catalog.settle(catalog.lease(limit=9, lease_s=60, owner="me"), owner="me")

    class Beset:
        """A maker that finds two products edited whenever it has encoded some."""

        def rows(self, products: Sequence[Product], spec: IndexSpec) -> list[ProductRows]:
            with catalog.transaction() as writes:
                for id in (2, 4):
                    writes.update(id, ProductFields(f"hat {catalog.position()}"), ())
            return house.maker.rows(products, spec)

    done = rebuild(catalog, house.store, Beset())  # type: ignore[arg-type]
    assert done.replayed < 20
    Worker(catalog, house.store.live(), house.maker).drain()
    assert audit(catalog, house.store.live()).clean
    catalog.close()

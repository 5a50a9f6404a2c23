"""
What a killed process leaves: Zvec may refuse the next write and lose what it acknowledges after.

So an index that was not closed is mended before it is written, and compared with the catalogue.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crosslens import settings, wiring
from crosslens.catalog.product import ProductFields
from crosslens.indexing.audit import audit
from crosslens.vectors.zvec import ZvecStore
from crosslens.vectors.zvec_index import ZvecIndex
from crosslens.wiring import App


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with wiring.build(settings.load(tmp_path)) as app:
        for n in range(5):
            app.editor.add(ProductFields(f"shirt {n}"))
        app.worker().drain()
    return tmp_path


def as_if_killed(home: Path) -> None:
    (marker,) = (home / "index").glob("generation-*/closed")
    marker.unlink()


def test_an_index_that_was_closed_is_not_suspected(home: Path) -> None:
    with wiring.build(settings.load(home)) as app:
        assert app.index_store.doubtful is False


def test_an_index_that_was_killed_is_mended_by_its_first_write(home: Path) -> None:
    as_if_killed(home)
    with wiring.build(settings.load(home)) as app:
        assert app.index_store.doubtful is True
        app.editor.add(ProductFields("a coat"))
        app.worker().drain()
        assert audit(app.catalog, app.index).clean
    with wiring.build(settings.load(home)) as app:
        assert app.index_store.doubtful is False


def test_reading_alone_leaves_the_suspicion_to_the_next_writer(home: Path) -> None:
    as_if_killed(home)
    for _ in range(2):
        with wiring.build(settings.load(home)) as app:
            assert app.index.counts().products == 5
            assert app.index_store.doubtful is True


def test_rows_that_a_killed_engine_lost_after_acknowledging_them_are_indexed_again(
    home: Path,
) -> None:
    with wiring.build(settings.load(home)) as app:
        app.index.delete([1, 2])
    as_if_killed(home)
    with wiring.build(settings.load(home)) as app:
        app.worker().drain()
        assert audit(app.catalog, app.index).clean


class _FailsOnce:
    """A collection whose next write fails, as a sealed one does."""

    def __init__(self, collection: object) -> None:
        self._collection = collection
        self._left = 1
        self.optimized = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._collection, name)

    def upsert(self, docs: object) -> object:
        if self._left:
            self._left = 0
            raise RuntimeError("field is sealed")
        return self._collection.upsert(docs)  # type: ignore[attr-defined]

    def optimize(self) -> None:
        self.optimized += 1
        self._collection.optimize()  # type: ignore[attr-defined]


def test_after_a_failed_write_the_next_one_waits_until_the_index_is_mended(home: Path) -> None:
    with wiring.build(settings.load(home)) as app:
        index = zvec_index(app)
        failing = _FailsOnce(index._text)
        index._text = failing
        product = app.editor.add(ProductFields("a coat"))
        app.worker().drain()
        app.catalog.announce([product.id])
        app.worker().drain()
        assert failing.optimized >= 1
        assert audit(app.catalog, app.index).clean


def zvec_index(app: App) -> ZvecIndex:
    store = app.index_store
    assert isinstance(store, ZvecStore)
    held = store.live()._held
    assert held is not None
    assert isinstance(held.index, ZvecIndex)
    return held.index

"""An index in doubt is compared, filled through the queue, and trusted once it is whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crosslens.errors import IndexBroken, StorageFull
from crosslens.indexing import mending as module
from crosslens.indexing.audit import Audit, audit
from crosslens.indexing.mending import Filling, Mending, filling
from crosslens.vectors.index import ProductRows
from crosslens.vectors.memory import MemoryIndex
from doubtful import DoubtfulStore
from fakes import jpeg
from house import House


@pytest.fixture
def house() -> House:
    house = House()
    house.store = DoubtfulStore(house.spec)
    return house


def settle(house: House, mending: Mending | None = None) -> int:
    worker = house.worker()
    worker._more = (mending or Mending(house.catalog, house.store)).more
    return worker.drain()


def clean(house: House) -> bool:
    return audit(house.catalog, house.store.live()).clean


def test_a_lost_index_is_filled_from_the_catalogue_and_then_trusted(house: House) -> None:
    for n in range(5):
        house.add(f"shirt {n}", jpeg((n, n, n)))
    settle(house)
    house.store = DoubtfulStore(house.spec)
    assert settle(house) == 5
    assert clean(house)
    assert house.store.doubts is False


def test_an_index_that_is_whole_is_only_compared(house: House) -> None:
    house.add("shirt")
    house.worker().drain()
    assert settle(house) == 0
    assert house.store.doubts is False


def test_what_nobody_doubts_is_compared_when_the_numbers_differ() -> None:
    house = House()
    for n in range(3):
        house.add(f"shirt {n}")
    house.worker().drain()
    house.store.live().delete([2])
    assert settle(house) == 1
    assert clean(house)


def test_what_nobody_doubts_is_left_alone_when_the_numbers_agree() -> None:
    house = House()
    house.add("shirt")
    house.worker().drain()
    position = house.catalog.position()
    assert settle(house) == 0
    assert house.catalog.position() == position


def test_what_people_change_meanwhile_does_not_wait_for_the_filling(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANNOUNCE", 2)
    for n in range(6):
        house.add(f"shirt {n}")
    settle(house)
    house.store = DoubtfulStore(house.spec)
    mending = Mending(house.catalog, house.store)
    assert mending.more()
    assert house.catalog.backlog().waiting == 2
    edited = house.editor.edit(6, title="a coat")
    worker = house.worker()
    worker.drain()
    held = {product: revision for product, revision, _ in house.store.live().revisions()}
    assert held == {1: 1, 2: 1, 6: edited.revision}
    assert filling(house.catalog, house.store) == Filling(3, 6, "it is new, or was not closed")
    assert settle(house, mending) == 4
    assert clean(house)
    assert house.store.doubts is False


def test_an_index_that_fails_when_it_is_asked_is_begun_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("shirt", jpeg())
    settle(house)
    house.store.doubts = True
    healthy = MemoryIndex.nearest

    def broken(index: MemoryIndex, *args: object, **kwargs: object) -> object:
        if index.counts().products:
            raise IndexBroken("the graph is damaged")
        return healthy(index, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryIndex, "nearest", broken)
    worker = house.worker()
    worker._more = Mending(house.catalog, house.store).more
    assert worker._more()
    assert house.store.reasons == ["the graph is damaged"]
    assert filling(house.catalog, house.store) == Filling(0, 1, "the graph is damaged")
    monkeypatch.undo()
    assert worker.drain() == 1
    assert clean(house)
    assert house.store.doubts is False


def test_a_parked_product_does_not_keep_an_index_in_doubt(house: House) -> None:
    house.add("shirt")
    poison = house.add("poison", jpeg())
    house.media.delete(poison.pictures[0].sha256)
    house.worker(max_tries=1).drain()
    assert house.catalog.backlog().parked == 1
    house.store.doubts = True
    settle(house)
    assert house.store.doubts is False


def test_what_waits_is_settled_before_anything_is_compared(house: House) -> None:
    house.add("shirt")
    mending = Mending(house.catalog, house.store)
    assert mending.more() is False
    assert house.store.doubts is True


class ForgetfulIndex(MemoryIndex):
    """Acknowledges everything and keeps nothing."""

    def upsert(self, rows: Sequence[ProductRows]) -> None:
        pass


def test_an_index_that_keeps_nothing_is_not_filled_for_ever(house: House) -> None:
    house.add("shirt")
    house.store.live().switch(ForgetfulIndex(house.spec))
    assert settle(house) == 1 + module.MOST_ROUNDS
    assert house.store.doubts is True


def test_a_full_disk_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Audit] = []

    def full(*_: object) -> Audit:
        looks.append(Audit(0, [], [], []))
        raise StorageFull("no space is left")

    monkeypatch.setattr(module, "audit", full)
    mending = Mending(house.catalog, house.store)
    assert [mending.more(), mending.more()] == [False, False]
    assert len(looks) == 1
    assert house.store.doubts is True
    assert house.store.reasons == []

from __future__ import annotations

import os
import subprocess

import pytest

from crosslens.errors import StorageFull, Unavailable, UnreadablePicture
from crosslens.indexing import worker as worker_module
from crosslens.indexing.audit import audit, repair
from crosslens.indexing.owner import is_dead, new_owner
from crosslens.indexing.rebuild import rebuild
from crosslens.search.request import SearchRequest
from crosslens.values import Kind, Vectors
from fakes import jpeg
from house import House


def clean(house: House) -> bool:
    return audit(house.catalog, house.store.live()).clean


def test_what_is_written_is_found_after_the_worker_has_settled_it() -> None:
    house = House()
    product = house.add("red dress", jpeg())
    assert not clean(house)
    assert house.worker().drain() == 1
    assert clean(house)
    house.editor.edit(product.id, title="green coat")
    house.editor.edit(product.id, title="green wool coat")
    assert house.worker().drain() == 1, "twenty quick edits settle as one"
    hits = house.engine().search(SearchRequest("wool", kind=Kind.HYBRID, alpha=0.0)).hits
    assert [hit.product.title for hit in hits] == ["green wool coat"]


def test_a_removed_product_leaves_the_index_too() -> None:
    house = House()
    product = house.add("red dress", jpeg())
    house.worker().drain()
    house.editor.remove(product.id)
    assert audit(house.catalog, house.store.live()).orphaned == [product.id]
    house.worker().drain()
    assert clean(house)
    assert house.store.live().counts().products == 0


class _Poison:
    """A picture encoder that fails on one picture, for whatever reason it is told."""

    def __init__(self, real: object, poison: bytes, error: Exception) -> None:
        self.space = real.space
        self._real, self._poison, self._error = real, poison, error

    def encode_pictures(self, pictures: list[bytes]) -> Vectors:
        if self._poison in pictures:
            raise self._error
        return self._real.encode_pictures(pictures)


def poisoned(house: House, poison: bytes, error: Exception) -> None:
    encoders = house.encoders
    bad = _Poison(encoders.pictures, poison, error)
    changed = type(encoders)(encoders.text, encoders.words, bad, bad)
    house.maker = type(house.maker)(changed, house.media, house.maker.tokens, {})


@pytest.mark.parametrize(
    "error", [UnreadablePicture("no picture"), ZeroDivisionError("a bug")], ids=["known", "bug"]
)
def test_a_poison_product_is_parked_with_its_reason_and_the_others_are_settled(
    error: Exception,
) -> None:
    house = House()
    poison = jpeg((1, 2, 3))
    for n in range(5):
        house.add(f"shirt {n}", jpeg((9, 9, n * 40)))
    bad = house.add("poison", poison)
    poisoned(house, poison, error)
    worker = house.worker(max_tries=3, first_delay_s=1.0)
    assert worker.drain() == 5
    for _ in range(3):
        house.clock.advance(600)
        worker.drain()
    parked = house.catalog.parked()
    assert [p.product_id for p in parked] == [bad.id]
    assert str(error) in parked[0].error
    assert house.catalog.backlog().waiting == 0
    assert audit(house.catalog, house.store.live()).missing == [bad.id]


def test_a_parked_product_is_settled_once_it_is_edited() -> None:
    house = House()
    poison = jpeg((1, 2, 3))
    bad = house.add("poison", poison)
    poisoned(house, poison, UnreadablePicture("no picture"))
    worker = house.worker(max_tries=1)
    worker.drain()
    assert house.catalog.backlog().parked == 1
    house.editor.edit(bad.id, pictures=[jpeg()])
    worker.drain()
    assert house.catalog.backlog().parked == 0
    assert clean(house)


class _Away:
    """An index that refuses writes until it is back."""

    def __init__(self, index: object, error: Exception) -> None:
        self._index, self.error = index, error

    def __getattr__(self, name: str) -> object:
        return getattr(self._index, name)

    def upsert(self, rows: object) -> None:
        if self.error is not None:
            raise self.error
        self._index.upsert(rows)


@pytest.mark.parametrize("error", [Unavailable("away"), StorageFull("full")])
def test_an_index_that_is_away_parks_nothing_and_loses_nothing(error: Exception) -> None:
    house = House()
    for n in range(7):
        house.add(f"shirt {n}", jpeg((n, n, n)))
    index = _Away(house.store.live(), error)
    worker = house.worker(index, max_tries=2, first_delay_s=1.0)
    for _ in range(10):
        assert worker.drain() == 0
        house.clock.advance(30)  # however long it was away, nobody waits longer for its return
    assert house.catalog.backlog().parked == 0
    index.error = None
    assert worker.drain() == 7
    assert clean(house)


def test_a_change_whose_worker_died_is_settled_by_another_once_the_lease_has_run_out() -> None:
    house = House()
    house.add("red dress")
    assert len(house.catalog.lease(limit=10, lease_s=60, owner="dead")) == 1
    assert house.worker().drain() == 0
    house.clock.advance(61)
    assert house.worker().drain() == 1
    assert clean(house)


def test_what_a_killed_process_of_this_machine_held_is_taken_over_at_once() -> None:
    house = House()
    house.add("red dress")
    process = subprocess.Popen(["true"])
    process.wait()
    dead = new_owner().replace(f"/{os.getpid()}/", f"/{process.pid}/")
    alive = new_owner()
    house.catalog.lease(limit=10, lease_s=60, owner=dead)
    house.add("blue dress")
    house.catalog.lease(limit=10, lease_s=60, owner=alive)
    assert house.catalog.owners() == sorted([dead, alive])
    assert house.worker().drain() == 1
    assert house.catalog.owners() == [alive]


def test_the_dead_are_looked_for_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    house, now, looks = House(), [1_000.0], []
    monkeypatch.setattr(worker_module, "monotonic", lambda: now[0])
    monkeypatch.setattr(house.catalog, "owners", lambda: looks.append(now[0]) or [])
    worker = house.worker()
    for seconds in (0, 1, 58, 2, 1):
        now[0] += seconds
        worker.drain()
    assert looks == [1_000.0, 1_061.0]


def test_an_owner_of_another_machine_is_never_called_dead() -> None:
    assert not is_dead("elsewhere/1/1")
    assert not is_dead("nonsense")
    assert not is_dead(new_owner())


def test_audit_names_what_differs_and_repair_mends_it() -> None:
    house = House()
    products = [house.add(f"shirt {n}", jpeg((n, 0, 0))) for n in range(4)]
    house.worker().drain()
    index = house.store.live()
    index.delete([products[0].id])
    index.upsert(house.maker.rows([products[1]], index.spec))
    house.editor.edit(products[1].id, title="newer")
    house.catalog.settle(house.catalog.lease(limit=9, lease_s=9, owner="x"), owner="x")
    stranger = house.add("stranger")
    house.worker().drain()
    house.editor.remove(stranger.id)
    house.catalog.settle(house.catalog.lease(limit=9, lease_s=9, owner="x"), owner="x")
    found = audit(house.catalog, index)
    assert (found.missing, found.stale, found.orphaned) == (
        [products[0].id],
        [products[1].id],
        [stranger.id],
    )
    assert repair(house.catalog, found) == 3
    house.worker().drain()
    assert clean(house)


def test_a_rebuild_replays_what_changed_while_it_ran() -> None:
    house = House()
    products = [house.add(f"shirt {n}", jpeg((n, 0, 0))) for n in range(200)]
    house.worker().drain()
    done = []

    def meddle(n: int, total: int) -> None:
        if not done:
            house.editor.edit(products[0].id, title="edited during the rebuild")
            house.editor.remove(products[1].id)
            house.add("added during the rebuild", jpeg())
            house.worker().drain()  # reaches only the old index
        done.append(n)

    rebuilt = rebuild(house.catalog, house.store, house.maker, progress=meddle)
    assert rebuilt.products == 200 or rebuilt.products == 201
    assert rebuilt.replayed == 3
    assert clean(house)
    assert house.engine().search(SearchRequest("edited", kind=Kind.HYBRID, alpha=0.0)).hits


def test_a_product_that_cannot_be_encoded_does_not_stop_a_rebuild() -> None:
    house = House()
    poison = jpeg((1, 2, 3))
    house.add("fine", jpeg())
    bad = house.add("poison", poison)
    house.worker().drain()
    poisoned(house, poison, UnreadablePicture("no picture"))
    rebuilt = rebuild(house.catalog, house.store, house.maker)
    assert (rebuilt.products, rebuilt.left_out) == (1, (bad.id,))
    house.worker(max_tries=1).drain()
    assert [p.product_id for p in house.catalog.parked()] == [bad.id]


def test_a_rebuild_that_fails_leaves_the_live_index_as_it_was() -> None:
    house = House()
    poison = jpeg((1, 2, 3))
    house.add("fine", jpeg())
    house.add("poison", poison)
    house.worker().drain()
    poisoned(house, poison, Unavailable("media away"))
    with pytest.raises(Unavailable):
        rebuild(house.catalog, house.store, house.maker)
    assert clean(house)

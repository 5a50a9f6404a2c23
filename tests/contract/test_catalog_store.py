"""What every catalogue promises, in memory or in SQL."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crosslens.catalog.changes import Backlog, Change, Parked
from crosslens.catalog.listing import Order, mark
from crosslens.catalog.memory import MemoryCatalog
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.receipts import Receipt
from crosslens.catalog.sql import SqlCatalog
from crosslens.catalog.store import CatalogStore, Summary
from crosslens.errors import Conflict, NotFound
from fakes import FakeClock
from servers import empty

LEASE_S = 30.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def on_server(request: pytest.FixtureRequest, clock: FakeClock) -> SqlCatalog:
    """One database per server and run, emptied: making one anew takes longer than most tests."""
    url = request.getfixturevalue(f"{request.param}_catalog")
    empty(url)
    return SqlCatalog(url, clock=clock)


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def catalog(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> Iterator[CatalogStore]:
    makers: dict[str, Callable[[], CatalogStore]] = {
        "memory": lambda: MemoryCatalog(clock),
        "sqlite": lambda: SqlCatalog(f"sqlite:///{tmp_path / 'catalog.db'}", clock=clock),
    }
    store = makers.get(request.param, lambda: on_server(request, clock))()
    yield store
    store.close()


def picture(n: int = 1) -> Picture:
    return Picture(f"{n:064x}", 640, 480, "jpeg", 1_000 + n)


def insert(
    catalog: CatalogStore, title: str = "linen shirt", *pictures: Picture, key: str | None = None
) -> Product:
    with catalog.transaction() as writes:
        return writes.insert(ProductFields(title, source_key=key), pictures)


def insert_many(catalog: CatalogStore, count: int) -> list[Product]:
    with catalog.transaction() as writes:
        return [writes.insert(ProductFields(f"product {n}"), ()) for n in range(count)]


def lease(catalog: CatalogStore, owner: str = "a", limit: int = 100) -> list[Change]:
    return catalog.lease(limit=limit, lease_s=LEASE_S, owner=owner)


def ids(changes: list[Change]) -> list[int]:
    return [change.product_id for change in changes]


class TestProducts:
    def test_a_product_is_read_back_as_it_was_written(self, catalog, clock):
        fields = ProductFields(
            "女士亚麻衬衫 “夏季”",
            "description with ünïcode and 🎈",
            {"colour": "red", "price": 19.99, "new": True, "sizes": ["S", "M"], "名称": "值"},
            "shop:1",
        )
        with catalog.transaction() as writes:
            written = writes.insert(fields, [picture(1), picture(2)])
        assert catalog.read([written.id]) == {written.id: written}
        assert written.fields == fields
        assert written.pictures == (picture(1), picture(2))
        assert (written.revision, written.retired) == (1, False)
        assert written.created == written.updated == clock.now

    def test_attribute_types_survive(self, catalog):
        attributes = {"yes": True, "one": 1.0, "text": "1", "list": ["1"], "tiny": 5e-324}
        with catalog.transaction() as writes:
            written = writes.insert(ProductFields("x", attributes=attributes), ())
        read = catalog.read([written.id])[written.id].fields.attributes
        assert {name: (type(value), value) for name, value in read.items()} == {
            name: (type(value), value) for name, value in attributes.items()
        }

    def test_long_chinese_titles_are_kept_whole(self, catalog):
        """Reference bug P10: about 66 Chinese characters were the most."""
        title = "长" * 2_000
        written = insert(catalog, title)
        assert catalog.read([written.id])[written.id].title == title

    def test_the_longest_description_and_most_pictures_are_kept(self, catalog):
        with catalog.transaction() as writes:
            shown = [picture(n) for n in range(100)]
            written = writes.insert(ProductFields("x", "🎈" * 100_000), shown)
        assert catalog.read([written.id])[written.id] == written

    def test_products_are_read_in_the_order_asked_and_unknown_ids_are_left_out(self, catalog):
        first, second, third = insert_many(catalog, 3)
        found = catalog.read([third.id, 999, first.id, third.id, -1, 0, 2**63, 2**70])
        assert list(found) == [third.id, first.id]
        assert second.id not in found

    def test_more_products_are_read_than_one_statement_takes(self, catalog):
        products = insert_many(catalog, 1_201)
        assert len(catalog.read([product.id for product in products])) == 1_201

    def test_attributes_are_read_alone_of_products_that_are_live(self, catalog):
        shirt = {"colour": "rød", "price": 19.99, "new": True, "sizes": ["S", "M"], "名称": "值"}
        with catalog.transaction() as writes:
            kept = writes.insert(ProductFields("a", attributes=shirt), [picture()])
            bare = writes.insert(ProductFields("b"), ())
            gone = writes.insert(ProductFields("c", attributes=shirt), ())
        with catalog.transaction() as writes:
            writes.retire(gone.id)
        asked = [gone.id, kept.id, 999, bare.id, kept.id, -1, 0, 2**70]
        assert catalog.attributes(asked) == {kept.id: shirt, bare.id: {}}
        assert catalog.attributes([]) == {}

    def test_attributes_of_more_products_are_read_than_one_statement_takes(self, catalog):
        products = insert_many(catalog, 1_201)
        assert len(catalog.attributes([product.id for product in products])) == 1_201

    def test_a_picture_may_be_shown_twice_and_by_several_products(self, catalog):
        first = insert(catalog, "a", picture(1), picture(1))
        second = insert(catalog, "b", picture(1))
        assert catalog.read([first.id])[first.id].pictures == (picture(1), picture(1))
        assert catalog.read([second.id])[second.id].pictures == (picture(1),)
        assert list(catalog.pictures_in_use()) == [picture(1).sha256]

    def test_an_update_replaces_fields_and_pictures_and_counts_revisions(self, catalog, clock):
        old = insert(catalog, "old", picture(1), picture(2), key="k")
        clock.advance(1.5)
        with catalog.transaction() as writes:
            new = writes.update(old.id, ProductFields("new", source_key="k"), [picture(3)])
        assert catalog.read([old.id]) == {old.id: new}
        assert (new.revision, new.title, new.pictures) == (2, "new", (picture(3),))
        assert new.created == old.created
        assert (new.updated - new.created).total_seconds() == 1.5

    def test_pictures_change_their_order(self, catalog):
        product = insert(catalog, "x", picture(1), picture(2))
        with catalog.transaction() as writes:
            writes.update(product.id, product.fields, [picture(2), picture(1)])
        assert catalog.read([product.id])[product.id].pictures == (picture(2), picture(1))

    def test_a_product_written_several_times_in_one_transaction_is_right(self, catalog):
        with catalog.transaction() as writes:
            product = writes.insert(ProductFields("one", source_key="k"), [picture(1)])
            writes.update(product.id, ProductFields("two"), [picture(2), picture(3)])
            assert writes.read([product.id])[product.id].title == "two"
            last = writes.update(product.id, ProductFields("three", source_key="k"), [picture(4)])
            assert writes.by_source_keys(["k"]) == {"k": last}
        assert catalog.read([product.id]) == {product.id: last}
        assert [change.revision for change in lease(catalog)] == [3]

    def test_an_update_at_another_revision_is_a_conflict(self, catalog):
        product = insert(catalog)
        with pytest.raises(Conflict, match="at revision 1, not 7"), catalog.transaction() as writes:
            writes.update(product.id, product.fields, (), revision=7)
        with catalog.transaction() as writes:
            assert writes.update(product.id, product.fields, (), revision=1).revision == 2

    def test_what_never_was_can_neither_be_updated_nor_retired(self, catalog):
        for impossible in (7, 0, -1, 2**70):
            with pytest.raises(NotFound), catalog.transaction() as writes:
                writes.update(impossible, ProductFields("x"), ())
            with pytest.raises(NotFound), catalog.transaction() as writes:
                writes.retire(impossible)

    def test_a_retired_product_is_read_by_id_and_key_and_listed_nowhere(self, catalog):
        product = insert(catalog, "x", picture(), key="k")
        with catalog.transaction() as writes:
            retired = writes.retire(product.id)
        assert (retired.retired, retired.revision) == (True, 2)
        assert catalog.read([product.id]) == {product.id: retired}
        assert catalog.by_source_keys(["k"]) == {"k": retired}
        assert list(catalog.stream()) == list(catalog.revisions()) == []
        assert catalog.page(limit=10) == []
        assert list(catalog.pictures_in_use()) == []
        assert catalog.summary() == Summary(products=0, pictures=0, retired=1)

    def test_retiring_twice_or_at_another_revision_fails(self, catalog):
        product = insert(catalog)
        with pytest.raises(Conflict), catalog.transaction() as writes:
            writes.retire(product.id, revision=2)
        with catalog.transaction() as writes:
            writes.retire(product.id, revision=1)
        with pytest.raises(NotFound), catalog.transaction() as writes:
            writes.retire(product.id)

    def test_an_update_brings_a_retired_product_back(self, catalog):
        product = insert(catalog)
        with catalog.transaction() as writes:
            writes.retire(product.id)
        with catalog.transaction() as writes:
            back = writes.update(product.id, product.fields, ())
        assert (back.retired, back.revision) == (False, 3)
        assert catalog.page(limit=1) == [back]


class TestSourceKeys:
    def test_a_key_has_one_product(self, catalog):
        insert(catalog, key="k")
        with pytest.raises(Conflict, match="source key 'k'"):
            insert(catalog, key="k")
        assert catalog.summary().products == 1

    def test_a_key_is_taken_within_a_transaction_too(self, catalog):
        def insert_twice() -> None:
            with catalog.transaction() as writes:
                writes.insert(ProductFields("a", source_key="k"), ())
                writes.insert(ProductFields("b", source_key="k"), ())

        with pytest.raises(Conflict):
            insert_twice()
        assert catalog.summary().products == 0

    def test_a_transaction_goes_on_after_a_conflict_that_was_handled(self, catalog):
        insert(catalog, key="k")
        with catalog.transaction() as writes:
            with pytest.raises(Conflict):
                writes.insert(ProductFields("b", source_key="k"), ())
            writes.insert(ProductFields("c", source_key="other"), ())
        assert set(catalog.by_source_keys(["other", "k"])) == {"other", "k"}

    def test_a_retired_product_keeps_its_key(self, catalog):
        product = insert(catalog, key="k")
        with catalog.transaction() as writes:
            writes.retire(product.id)
        with pytest.raises(Conflict):
            insert(catalog, key="k")

    def test_an_update_cannot_take_the_key_of_another(self, catalog):
        insert(catalog, key="k")
        other = insert(catalog)
        with pytest.raises(Conflict), catalog.transaction() as writes:
            writes.update(other.id, ProductFields("x", source_key="k"), ())

    def test_a_key_that_was_given_up_is_free(self, catalog):
        product = insert(catalog, key="k")
        with catalog.transaction() as writes:
            writes.update(product.id, ProductFields("x"), ())
        assert insert(catalog, key="k").id != product.id

    def test_keys_differ_by_case_and_many_products_have_none(self, catalog):
        insert(catalog, key="k")
        insert(catalog, key="K")
        insert(catalog)
        insert(catalog)
        assert set(catalog.by_source_keys(["k", "K", "x"])) == {"k", "K"}

    def test_more_keys_are_read_than_one_statement_takes(self, catalog):
        keys = [f"key {n}" for n in range(1_201)]
        with catalog.transaction() as writes:
            for key in keys:
                writes.insert(ProductFields("x", source_key=key), ())
        assert set(catalog.by_source_keys(keys)) == set(keys)


class TestLists:
    def test_streaming_yields_each_live_product_once_by_rising_id(self, catalog):
        products = insert_many(catalog, 7)
        with catalog.transaction() as writes:
            writes.retire(products[3].id)
        batches = list(catalog.stream(after=products[0].id, batch=2))
        assert [len(batch) for batch in batches] == [2, 2, 1]
        expected = [product for product in products[1:] if product.id != products[3].id]
        assert [product for batch in batches for product in batch] == expected

    def test_writing_while_streaming_disturbs_neither(self, catalog):
        insert_many(catalog, 4)
        seen = []
        for batch in catalog.stream(batch=2):
            seen += [product.id for product in batch]
            if len(seen) == 2:
                insert(catalog, "new")
        assert len(seen) == len(set(seen)) == 5

    def test_pages_follow_each_other(self, catalog):
        known = [product.id for product in insert_many(catalog, 5)]
        newest = [catalog.page(limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert [[product.id for product in page] for page in newest] == [
            known[:2:-1], known[2:0:-1], known[:1], [],
        ]  # fmt: skip
        assert [p.id for p in catalog.page(limit=3, newest_first=False)] == known[:3]

    def test_revisions_and_pictures_are_counted_for_the_audit(self, catalog):
        first = insert(catalog, "a", picture(1), picture(2))
        second = insert(catalog, "b")
        with catalog.transaction() as writes:
            writes.update(second.id, second.fields, [picture(3)])
        assert list(catalog.revisions()) == [(first.id, 1, 2), (second.id, 2, 1)]
        assert catalog.summary() == Summary(products=2, pictures=3, retired=0)

    def test_an_empty_catalogue_answers_everything(self, catalog):
        assert catalog.read([]) == catalog.by_source_keys([]) == catalog.waiting([]) == {}
        assert list(catalog.stream()) == catalog.page(limit=5) == lease(catalog) == []
        assert catalog.summary() == Summary(0, 0, 0)
        assert catalog.backlog() == Backlog(0, 0, 0, 0.0)
        assert catalog.position() == 0
        assert list(catalog.changed_since(0)) == []
        assert catalog.announce([]) == 0
        catalog.settle([], owner="a")


class TestTransactions:
    def test_the_row_and_its_announcement_are_one(self, catalog):
        """Reference bug P3: vector first, SQL second, and a failure between them for ever."""

        def fail_half_way() -> None:
            with catalog.transaction() as writes:
                product = writes.insert(ProductFields("x", source_key="k"), [picture()])
                assert writes.read([product.id])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_half_way()
        assert catalog.summary() == Summary(0, 0, 0)
        assert catalog.backlog() == Backlog(0, 0, 0, 0.0)
        assert catalog.position() == 0
        assert insert(catalog, key="k").revision == 1
        assert catalog.backlog().waiting == 1

    def test_a_failed_edit_leaves_product_and_change_as_they_were(self, catalog):
        product = insert(catalog, "x", picture())
        catalog.settle(lease(catalog), owner="a")

        def fail_at_the_end() -> None:
            with catalog.transaction() as writes:
                writes.update(product.id, ProductFields("y"), ())
                writes.retire(product.id)
                writes.update(product.id, ProductFields("y"), (), revision=1)

        with pytest.raises(Conflict):
            fail_at_the_end()
        assert catalog.read([product.id]) == {product.id: product}
        assert catalog.backlog().waiting == 0

    def test_threads_writing_at_once_all_succeed(self, catalog):
        def write(owner: int) -> None:
            for n in range(10):
                insert(catalog, f"{owner} {n}", picture(n), key=f"{owner} {n}")

        threads = [threading.Thread(target=write, args=(owner,)) for owner in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert catalog.summary() == Summary(products=40, pictures=40, retired=0)
        assert catalog.position() == catalog.backlog().waiting == 40


class TestChanges:
    def test_each_write_is_announced_at_its_revision(self, catalog):
        product = insert(catalog)
        assert lease(catalog) == [Change(1, product.id, 1)]
        assert catalog.position() == 1

    def test_a_product_appears_once_with_its_newest_change(self, catalog):
        product = insert(catalog)
        for title in ("a", "b"):
            with catalog.transaction() as writes:
                writes.update(product.id, ProductFields(title), ())
        assert lease(catalog) == [Change(3, product.id, 3)]

    def test_changes_are_leased_in_the_order_they_are_due(self, catalog, clock):
        first = insert(catalog)
        clock.advance(1)
        second, third = insert_many(catalog, 2)
        assert ids(lease(catalog, limit=2)) == [first.id, second.id]
        assert ids(lease(catalog, limit=2)) == [third.id]
        assert lease(catalog, limit=0) == lease(catalog, limit=-1) == []

    def test_a_product_that_changes_all_the_time_keeps_its_place(self, catalog, clock):
        first, second = insert_many(catalog, 2)
        clock.advance(1)
        third = insert(catalog)
        catalog.announce([second.id])
        assert ids(lease(catalog)) == [first.id, second.id, third.id]

    def test_a_product_is_leased_to_one_owner_at_a_time(self, catalog):
        product = insert(catalog)
        assert ids(lease(catalog, "a")) == [product.id]
        assert lease(catalog, "b") == lease(catalog, "a") == []

    def test_a_change_whose_worker_died_is_leased_again(self, catalog, clock):
        insert(catalog)
        taken = lease(catalog, "a")
        clock.advance(LEASE_S - 0.001)
        assert lease(catalog, "b") == []
        clock.advance(0.001)
        assert lease(catalog, "b") == taken

    def test_a_settled_change_is_forgotten(self, catalog, clock):
        insert_many(catalog, 3)
        catalog.settle(lease(catalog), owner="a")
        clock.advance(10 * LEASE_S)
        assert lease(catalog) == []
        assert catalog.backlog() == Backlog(0, 0, 0, 0.0)

    def test_a_change_announced_after_the_lease_stays_and_is_due_at_once(self, catalog):
        product = insert(catalog)
        taken = lease(catalog)
        with catalog.transaction() as writes:
            writes.update(product.id, ProductFields("newer"), ())
        assert lease(catalog, "b") == []  # still a's
        catalog.settle(taken, owner="a")
        assert lease(catalog, "b") == [Change(2, product.id, 2)]

    def test_a_lease_that_has_passed_to_another_owner_stays_that_owners(self, catalog, clock):
        insert(catalog)
        late = lease(catalog, "a")
        clock.advance(LEASE_S)
        taken = lease(catalog, "b")
        catalog.settle(late, owner="a")
        catalog.postpone(late[0], owner="a", error="late", delay_s=0, park=True)
        assert catalog.backlog().leased == 1
        assert lease(catalog, "c") == []
        catalog.settle(taken, owner="b")
        assert catalog.backlog() == Backlog(0, 0, 0, 0.0)

    def test_a_lease_is_prolonged_while_it_is_the_owners(self, catalog, clock):
        insert(catalog)
        taken = lease(catalog, "a")
        catalog.prolong(taken, lease_s=10 * LEASE_S, owner="stranger")
        catalog.prolong(taken, lease_s=10 * LEASE_S, owner="a")
        clock.advance(9 * LEASE_S)
        assert lease(catalog, "b") == []
        clock.advance(LEASE_S)
        assert lease(catalog, "b") == taken

    def test_prolonging_keeps_nothing_that_is_settled_or_was_announced_again(self, catalog, clock):
        first, second = insert(catalog), insert(catalog)
        taken = lease(catalog, "a")
        catalog.settle(taken[:1], owner="a")
        with catalog.transaction() as writes:
            writes.update(second.id, ProductFields("newer"), ())
        catalog.prolong(taken, lease_s=10 * LEASE_S, owner="a")
        clock.advance(LEASE_S)
        assert [change.product_id for change in lease(catalog, "b")] == [second.id]
        assert first.id not in catalog.waiting([first.id, second.id])

    def test_a_lease_that_ran_out_unnoticed_can_still_be_settled(self, catalog, clock):
        insert(catalog)
        late = lease(catalog, "a")
        clock.advance(LEASE_S + 1)
        catalog.settle(late, owner="a")
        assert lease(catalog, "b") == []

    def test_settling_some_leaves_the_others_leased(self, catalog):
        insert_many(catalog, 3)
        taken = lease(catalog)
        catalog.settle(taken[:2], owner="a")
        assert catalog.backlog().leased == 1

    def test_settling_what_was_never_leased_does_nothing(self, catalog):
        product = insert(catalog)
        catalog.settle([Change(1, product.id, 1), Change(9, 99, 1)], owner="a")
        assert ids(lease(catalog)) == [product.id]

    def test_a_postponed_change_is_due_again_after_its_delay_with_its_tries(self, catalog, clock):
        product = insert(catalog)
        [change] = lease(catalog)
        catalog.postpone(change, owner="a", error="encoder away", delay_s=5)
        assert lease(catalog) == []
        assert catalog.waiting([product.id]) == {product.id: None}
        clock.advance(5)
        [again] = lease(catalog)
        assert again == Change(change.id, product.id, 1, tries=1)
        catalog.postpone(again, owner="a", error="encoder away", delay_s=0)
        assert lease(catalog)[0].tries == 2

    def test_a_parked_change_waits_until_it_is_announced_again(self, catalog, clock):
        product = insert(catalog)
        [change] = lease(catalog)
        catalog.postpone(change, owner="a", error="坏 picture", delay_s=5, park=True)
        clock.advance(1_000)
        assert lease(catalog) == []
        assert catalog.parked() == [Parked(product.id, 1, "坏 picture")]
        assert catalog.waiting([product.id]) == {product.id: Parked(product.id, 1, "坏 picture")}
        assert catalog.backlog() == Backlog(waiting=0, leased=0, parked=1, oldest_s=0.0)
        assert catalog.announce([product.id]) == 1
        assert catalog.parked() == []
        assert lease(catalog) == [Change(2, product.id, 1, tries=0)]

    def test_a_newer_change_is_not_postponed_with_the_older(self, catalog):
        product = insert(catalog)
        [change] = lease(catalog)
        catalog.announce([product.id])
        catalog.postpone(change, owner="a", error="x", delay_s=60, park=True)
        assert catalog.parked() == []
        assert lease(catalog) == [Change(2, product.id, 1, tries=0)]

    def test_an_edit_makes_a_postponed_product_due_at_once(self, catalog):
        product = insert(catalog)
        [change] = lease(catalog)
        catalog.postpone(change, owner="a", error="x", delay_s=600)
        catalog.announce([product.id])
        assert lease(catalog) == [Change(2, product.id, 1, tries=0)]

    def test_retired_and_unknown_products_are_announced_too(self, catalog):
        product = insert(catalog)
        with catalog.transaction() as writes:
            writes.retire(product.id)
        catalog.settle(lease(catalog), owner="a")
        assert catalog.announce([product.id, 77, 77]) == 2
        assert lease(catalog) == [Change(3, product.id, 2), Change(4, 77, 0)]

    def test_a_product_whose_id_was_announced_before_it_was_born_is_announced_once(self, catalog):
        catalog.announce([1])
        product = insert(catalog)
        assert product.id == 1
        assert lease(catalog) == [Change(2, 1, 1)]

    def test_more_products_are_announced_than_one_statement_takes(self, catalog):
        known = [product.id for product in insert_many(catalog, 1_201)]
        assert catalog.announce(known) == 1_201
        taken = lease(catalog, limit=5_000)
        assert len(taken) == 1_201
        catalog.settle(taken, owner="a")
        assert catalog.backlog().waiting == 0

    def test_the_position_never_falls(self, catalog):
        insert(catalog)
        catalog.settle(lease(catalog), owner="a")
        assert catalog.position() == 1
        insert(catalog)
        assert catalog.position() == 2

    def test_changes_since_a_position_are_known_also_when_settled(self, catalog):
        first, second = insert_many(catalog, 2)
        start = catalog.position()
        third = insert(catalog)
        with catalog.transaction() as writes:
            writes.retire(first.id)
        catalog.announce([88])
        catalog.settle(lease(catalog), owner="a")
        since = [id for batch in catalog.changed_since(start) for id in batch]
        assert since == [third.id, first.id, 88]
        everything = [id for batch in catalog.changed_since(0) for id in batch]
        assert everything == [second.id, third.id, first.id, 88]
        assert list(catalog.changed_since(catalog.position())) == []

    def test_reading_changes_ends_though_each_page_is_followed_by_more(self, catalog):
        insert_many(catalog, 3)
        seen = 0
        for batch in catalog.changed_since(0):
            seen += len(batch)
            insert_many(catalog, 2)
        assert seen == 3

    def test_the_backlog_counts_products_and_the_age_of_the_oldest(self, catalog, clock):
        first, _, third = insert_many(catalog, 3)
        clock.advance(10)
        insert(catalog)
        [change] = lease(catalog, limit=1)
        assert change.product_id == first.id
        assert catalog.backlog() == Backlog(waiting=3, leased=1, parked=0, oldest_s=10.0)
        catalog.announce([third.id])
        assert catalog.backlog().oldest_s == 10.0
        clock.advance(LEASE_S)
        assert catalog.backlog() == Backlog(waiting=4, leased=0, parked=0, oldest_s=40.0)

    def test_waiting_tells_unsettled_products_only(self, catalog):
        first, second = insert_many(catalog, 2)
        catalog.settle(lease(catalog, limit=1), owner="a")
        assert catalog.waiting([first.id, second.id, 99]) == {second.id: None}

    def test_parked_changes_are_listed_up_to_a_limit(self, catalog):
        insert_many(catalog, 3)
        for change in lease(catalog):
            catalog.postpone(change, owner="a", error="x", delay_s=0, park=True)
        assert [parked.product_id for parked in catalog.parked(limit=2)] == [1, 2]

    def test_threads_never_lease_the_same_product(self, catalog):
        insert_many(catalog, 200)
        taken: list[list[int]] = [[], [], []]

        def work(at: int) -> None:
            while changes := lease(catalog, f"worker {at}", limit=7):
                taken[at] += ids(changes)

        threads = [threading.Thread(target=work, args=(at,)) for at in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken[0] + taken[1] + taken[2]) == list(range(1, 201))


def test_a_dead_owner_is_released_and_the_living_keep_their_leases(catalog: CatalogStore) -> None:
    with catalog.transaction() as writes:
        products = [writes.insert(ProductFields(f"shirt {n}"), []) for n in range(4)]
    dead = catalog.lease(limit=2, lease_s=LEASE_S, owner="dead")
    alive = catalog.lease(limit=2, lease_s=LEASE_S, owner="alive")
    assert (len(dead), len(alive)) == (2, 2)
    assert catalog.owners() == ["alive", "dead"]
    assert catalog.release("dead") == 2
    assert catalog.owners() == ["alive"]
    again = catalog.lease(limit=9, lease_s=LEASE_S, owner="heir")
    assert {c.product_id for c in again} == {c.product_id for c in dead}
    catalog.settle(dead, owner="dead")  # too late: the lease is the heir's
    assert catalog.backlog().leased == len(products)


def test_owners_whose_leases_ran_out_are_not_listed(
    catalog: CatalogStore, clock: FakeClock
) -> None:
    with catalog.transaction() as writes:
        writes.insert(ProductFields("shirt"), [])
    catalog.lease(limit=1, lease_s=LEASE_S, owner="slow")
    clock.advance(LEASE_S + 1)
    assert catalog.owners() == []
    assert catalog.release("slow") == 0


def test_products_are_listed_in_any_order_whole_or_from_a_mark_on(
    catalog: CatalogStore, clock: FakeClock
) -> None:
    for title in ("b", "c", "a", "b"):
        insert(catalog, title)
        clock.advance(1)
    with catalog.transaction() as writes:
        writes.update(2, ProductFields("c"), ())
        writes.retire(4)
    insert(catalog, "b")
    expected = {
        Order.ID: [1, 2, 3, 5],
        Order.CREATED: [1, 2, 3, 5],
        Order.UPDATED: [1, 3, 2, 5],
        Order.TITLE: [3, 1, 5, 2],
    }
    for order, ids in expected.items():
        for descending in (False, True):
            wanted = ids[::-1] if descending else ids
            options = {"order": order, "descending": descending}
            whole = catalog.listed(limit=10, **options)
            assert [p.id for p in whole] == wanted, options
            assert [p.id for p in catalog.listed(limit=2, offset=1, **options)] == wanted[1:3]
            for place, product in enumerate(whole):
                rest = catalog.listed(limit=10, after=mark(product, order), **options)
                assert [p.id for p in rest] == wanted[place + 1 :], options


def test_few_and_many_products_are_read_alike(catalog: CatalogStore) -> None:
    odd = 'quote " backslash \\ line\nbreak \u2028 emoji 👟 中文 \x07'
    attributes = {"a": odd, "n": 0.1, "big": 1e300, "t": True, "list": ["x", odd], "空": "值"}
    with catalog.transaction() as writes:
        for n in range(300):
            fields = ProductFields(f"{odd} {n}", odd, attributes, f"key {n} {odd}")
            writes.insert(fields, [picture(n), picture(n + 1)] if n % 3 else [])
    every = catalog.read(list(range(1, 301)))
    assert len(every) == 300
    for count in (1, 7, 16, 17, 64, 65, 256, 257):
        ids = list(range(300, 300 - count, -1))
        few = catalog.read(ids)
        assert list(few) == ids
        assert all(few[id] == every[id] for id in ids)
    assert catalog.read([]) == {}
    assert catalog.read([0, -1, 999, 2**70]) == {}


def test_titles_are_listed_folded_so_that_case_and_width_part_nobody(catalog: CatalogStore) -> None:
    for title in ("pear", "Apple", "ａpple", "apple", "PEAR", "苹果"):
        insert(catalog, title)
    listed = catalog.listed(limit=9, order=Order.TITLE)
    assert [p.title for p in listed] == ["Apple", "ａpple", "apple", "pear", "PEAR", "苹果"]


def test_titles_that_begin_alike_for_long_are_all_on_some_page(catalog: CatalogStore) -> None:
    for n in (3, 1, 2):
        insert(catalog, "长" * 1_990 + str(n))
    found, after = [], None
    while page := catalog.listed(limit=1, order=Order.TITLE, after=after):
        found += [product.id for product in page]
        after = mark(page[0], Order.TITLE)
    assert found == [1, 2, 3]


def receipt(key: str = "order-17", *, caller: str = "shop", content: bytes = b"{}") -> Receipt:
    return Receipt(caller, key, "f" * 64, 201, {"etag": '"1"'}, content)


class TestReceipts:
    def test_a_receipt_is_read_back_as_it_was_kept(self, catalog):
        kept = receipt(content="{长}".encode() * 100_000)
        with catalog.transaction() as writes:
            writes.keep(kept)
        assert catalog.receipt("shop", "order-17") == kept
        for other in (("shop", "order-18"), ("", "order-17"), ("shop", "ORDER-17")):
            assert catalog.receipt(*other) is None

    def test_a_key_is_used_once_and_what_came_with_its_second_use_is_undone(self, catalog):
        with catalog.transaction() as writes:
            writes.keep(receipt())

        def again():
            with catalog.transaction() as writes:
                writes.insert(ProductFields("again"), ())
                writes.keep(receipt(content=b"other"))

        with pytest.raises(Conflict, match="order-17"):
            again()
        assert catalog.summary().products == 0
        assert catalog.receipt("shop", "order-17").content == b"{}"

    def test_a_receipt_is_kept_with_what_was_written_or_not_at_all(self, catalog):
        def broken():
            with catalog.transaction() as writes:
                writes.keep(receipt())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            broken()
        assert catalog.receipt("shop", "order-17") is None

    def test_after_a_day_a_receipt_counts_no_more_and_can_be_forgotten(self, catalog, clock):
        with catalog.transaction() as writes:
            writes.keep(receipt("old"))
            writes.keep(receipt("used again"))
        clock.advance(86_400)
        assert catalog.receipt("shop", "old") is None
        with catalog.transaction() as writes:
            writes.keep(receipt("used again", content=b"new"))
        assert catalog.forget_receipts() == 1
        assert catalog.receipt("shop", "used again").content == b"new"
        assert catalog.forget_receipts() == 0

    def test_of_writers_with_one_key_one_writes(self, catalog):
        barrier, outcomes = threading.Barrier(8), []

        def write():
            barrier.wait()
            try:
                with catalog.transaction() as writes:
                    writes.insert(ProductFields("x"), ())
                    writes.keep(receipt())
                outcomes.append("written")
            except Conflict:
                outcomes.append("refused")

        writers = [threading.Thread(target=write) for _ in range(8)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert sorted(outcomes) == ["refused"] * 7 + ["written"]
        assert catalog.summary().products == 1

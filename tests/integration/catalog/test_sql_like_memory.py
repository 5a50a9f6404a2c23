"""Whatever is done to it, the catalogue in SQL does what the readable one in memory does."""

import tempfile
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crosslens.catalog.changes import Change
from crosslens.catalog.memory import MemoryCatalog
from crosslens.catalog.product import Picture, ProductFields
from crosslens.catalog.sql import SqlCatalog
from crosslens.catalog.store import CatalogStore
from crosslens.errors import CrosslensError
from fakes import FakeClock

IDS = st.integers(0, 6)
KEYS = st.none() | st.sampled_from(["a", "b", "c"])
REVISIONS = st.none() | st.integers(1, 4)
PICTURES = st.lists(
    st.integers(0, 3).map(lambda n: Picture(f"{n:064x}", n + 1, 1, "png", n)), max_size=3
)
FIELDS = st.builds(
    ProductFields,
    st.sampled_from(["shirt", "女士衬衫", "x" * 2_000]),
    st.sampled_from(["", "words"]),
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([1, True, "x", ["x", "y"]])),
    KEYS,
)
OWNERS = st.sampled_from(["a", "b"])


class Both(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.sql = SqlCatalog(f"sqlite:///{self.folder.name}/catalog.db", clock=self.clock)
        self.memory = MemoryCatalog(self.clock)
        self.leased: list[Change] = []

    def teardown(self) -> None:
        self.sql.close()
        self.folder.cleanup()

    def both(self, act: Callable[[CatalogStore], Any]) -> Any:
        told = [outcome(act, self.sql), outcome(act, self.memory)]
        assert told[0] == told[1]
        return told[0]

    @rule(fields=FIELDS, pictures=PICTURES)
    def insert(self, fields, pictures):
        self.both(lambda store: write(store, lambda tx: tx.insert(fields, pictures)))

    @rule(id=IDS, fields=FIELDS, pictures=PICTURES, revision=REVISIONS)
    def update(self, id, fields, pictures, revision):
        self.both(
            lambda store: write(
                store, lambda tx: tx.update(id, fields, pictures, revision=revision)
            )
        )

    @rule(id=IDS, revision=REVISIONS)
    def retire(self, id, revision):
        self.both(lambda store: write(store, lambda tx: tx.retire(id, revision=revision)))

    @rule(many=st.lists(st.tuples(FIELDS, PICTURES), max_size=4), again=IDS)
    def write_several_in_one_transaction(self, many, again):
        def act(tx):
            made = [tx.insert(fields, pictures) for fields, pictures in many]
            changed = [tx.update(p.id, p.fields, p.pictures[::-1]) for p in made[:2]]
            return made, changed, tx.retire(again), tx.by_source_keys(["a", "b"])

        self.both(lambda store: write(store, act))

    @rule(ids=st.lists(IDS, max_size=4))
    def announce(self, ids):
        self.both(lambda store: store.announce(ids))

    @rule(seconds=st.sampled_from([0.5, 5, 29, 30, 100]))
    def advance(self, seconds):
        self.clock.advance(seconds)

    @rule(limit=st.integers(-1, 4), owner=OWNERS)
    def lease(self, limit, owner):
        self.leased += self.both(lambda store: store.lease(limit=limit, lease_s=30, owner=owner))

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), owner=OWNERS)
    def settle(self, data, owner):
        some = data.draw(st.lists(st.sampled_from(self.leased), max_size=3))
        self.both(lambda store: store.settle(some, owner=owner))

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), owner=OWNERS, delay_s=st.sampled_from([0, 10]), park=st.booleans())
    def postpone(self, data, owner, delay_s, park):
        change = data.draw(st.sampled_from(self.leased))
        self.both(
            lambda store: store.postpone(
                change, owner=owner, error="why", delay_s=delay_s, park=park
            )
        )

    @invariant()
    def they_show_the_same(self):
        self.both(lambda store: store.read(range(8)))
        self.both(lambda store: store.by_source_keys(["a", "b", "c"]))
        self.both(lambda store: [product for batch in store.stream(batch=2) for product in batch])
        self.both(lambda store: store.page(limit=2, offset=1))
        self.both(lambda store: store.summary())
        self.both(lambda store: list(store.revisions()))
        self.both(lambda store: list(store.pictures_in_use()))

    @invariant()
    def they_have_the_same_to_do(self):
        self.both(lambda store: store.position())
        self.both(lambda store: [id for batch in store.changed_since(2) for id in batch])
        self.both(lambda store: store.backlog())
        self.both(lambda store: store.parked())
        self.both(lambda store: store.waiting(range(8)))


def write(store: CatalogStore, act: Callable[[Any], Any]) -> Any:
    with store.transaction() as writes:
        return act(writes)


def outcome(act: Callable[[CatalogStore], Any], store: CatalogStore) -> Any:
    try:
        return act(store)
    except CrosslensError as failure:
        return type(failure), failure.message


Both.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestBoth = Both.TestCase

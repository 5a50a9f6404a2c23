"""An index that turns to the generation which another process has made live."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from crosslens.vectors.following import CollectionGone, Following, following
from crosslens.vectors.index import IndexSpec


@dataclass(frozen=True)
class Generation:
    name: str
    spec: IndexSpec = field(default_factory=lambda: IndexSpec((), ()))


class Shelf:
    """Which generation is live, and which of them still exist."""

    def __init__(self) -> None:
        self.live, self.kept = Generation("first"), {"first"}

    def switch(self) -> None:
        self.live, self.kept = Generation("second"), {"second"}


class Index(Following[Generation]):
    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf.live, lambda former: shelf.live)
        self.shelf = shelf
        self.written: list[tuple[str, object]] = []
        self.meanwhile = lambda: None

    @following
    def ask(self) -> str:
        name = self.generation.name
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if name not in self.shelf.kept:
            raise CollectionGone(name)
        return name

    def _write(self, rows) -> None:
        self.written += [(self.generation.name, row.product_id) for row in rows]
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()

    def _erase(self, product_ids) -> None:
        self._write([SimpleNamespace(product_id=-key) for key in product_ids])


@pytest.fixture
def index() -> Index:
    return Index(Shelf())


def test_a_call_whose_generation_is_gone_asks_the_next(index: Index) -> None:
    index.shelf.switch()
    assert index.ask() == "second"


def test_a_call_asks_the_next_also_where_one_beside_it_was_first_to_notice(index: Index) -> None:
    def beside() -> None:
        index.shelf.switch()
        assert index.ask() == "second"

    index.meanwhile = beside
    assert index.ask() == "second"


def test_a_call_fails_where_no_other_generation_is_live(index: Index) -> None:
    index.shelf.kept.clear()
    with pytest.raises(CollectionGone, match="first"):
        index.ask()


def test_a_call_that_fails_otherwise_is_made_once(index: Index) -> None:
    def fail() -> None:
        raise ValueError("once")

    index.meanwhile = fail
    with pytest.raises(ValueError, match="once"):
        index.ask()


@pytest.mark.parametrize("noticed", [False, True], ids=["unnoticed", "noticed by a search"])
def test_what_is_written_during_a_switch_is_written_to_the_next(index: Index, noticed) -> None:
    def beside() -> None:
        index.shelf.switch()
        if noticed:
            index.ask()

    index.meanwhile = beside
    index.upsert([SimpleNamespace(product_id=7)])
    assert index.written == [("first", 7), ("second", 7)]
    index.shelf.live = Generation("third")
    index.delete([7])
    assert index.written[2:] == [("second", -7), ("third", -7)]

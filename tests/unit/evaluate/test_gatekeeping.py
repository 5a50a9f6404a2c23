"""A gatekeeper over a house in memory: who passes beside whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crosslens.corpora.golden import Golden, GoldenSet
from crosslens.errors import Conflict, CrosslensError, InvalidRequest
from crosslens.evaluate.gatekeeping import Gate, Gatekeeper
from crosslens.search.engine import Searcher
from crosslens.search.present import Answer
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from house import House

THINGS = [f"{colour} {thing}" for colour in ("red", "blue", "green") for thing in ("shoe", "hat")]


@dataclass
class Backwards:
    """Shows the worst first."""

    engine: Searcher

    def search(self, request: SearchRequest) -> Answer:
        found = self.engine.search(request)
        return replace(found, hits=found.hits[::-1])

    def search_many(self, requests: Sequence[SearchRequest]) -> list[Answer | CrosslensError]:
        return [self.search(request) for request in requests]


@pytest.fixture
def house() -> House:
    house = House()
    for thing in THINGS:
        house.add(thing)
    house.worker().drain()
    return house


def keeper(house: House, folder: Path, **gate: object) -> Gatekeeper:
    own = GoldenSet(folder / "shop")
    ids = {product.title: str(product.id) for product in house.catalog.page(limit=10)}
    own.add([Golden(thing, {ids[thing]: 1}) for thing in THINGS])
    asked = Gate("shop", Kind.HYBRID, **gate)  # type: ignore[arg-type]
    return Gatekeeper(asked, own.folder, house.catalog, house.media)


def test_what_answers_worse_than_what_is_in_use_does_not_pass(house: House, tmp_path: Path) -> None:
    gate = keeper(house, tmp_path, not_worse=("ndcg@10",))
    worse, good = Backwards(house.engine()), house.engine()
    with pytest.raises(Conflict, match=r"not let it pass: ndcg@10 fell by 0\.\d+ \(p = 0\.0"):
        gate.require("it", worse, lambda: good)
    gate.require("it", good, lambda: good)
    gate.require("it", good, lambda: worse)


def test_what_is_in_use_is_asked_only_where_it_is_compared_with(
    house: House, tmp_path: Path
) -> None:
    def never() -> Searcher:
        raise AssertionError("nobody compares")

    gate = keeper(house, tmp_path, least={"hit@1": 0.9})
    gate.require("it", house.engine(), never)
    with pytest.raises(Conflict, match=r"hit@1 is 0\.0000, asked was 0\.9"):
        gate.require("it", Backwards(house.engine()), never)
    wrong = keeper(house, tmp_path, least={"luck": 0.9})
    with pytest.raises(InvalidRequest, match="no measure 'luck'"):
        wrong.require("it", house.engine(), never)

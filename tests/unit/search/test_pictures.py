"""Whether an index holds pictures, asked now and then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crosslens.search.pictures import LOOK_AGAIN_S, STAYS_S, Pictures
from crosslens.search.request import SearchRequest
from fakes import jpeg
from house import House


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.pool.shutdown()


def test_the_index_is_asked_now_and_then(house: House) -> None:
    now = [0.0]
    pictures = Pictures(house.store.live(), clock=lambda: now[0])
    assert not pictures.any()
    house.add("shoe", jpeg())
    house.worker().drain()
    assert not pictures.any(), "not asked for every question"
    now[0] += LOOK_AGAIN_S
    assert pictures.any()
    now[0] += STAYS_S / 2
    assert pictures.any()


def test_a_catalogue_of_texts_is_not_searched_for_pictures(house: House) -> None:
    house.add("red shoe")
    house.worker().drain()
    found = house.engine().search(SearchRequest("shoe", explain=True))
    assert set(found.hits[0].scores) == {"text2text", "keyword"}
    house.add("blue shoe", jpeg())
    house.worker().drain()
    found = house.engine().search(SearchRequest("shoe", explain=True))
    assert "text2image" in set().union(*(hit.scores for hit in found.hits))

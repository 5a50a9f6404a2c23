from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from crosslens.compose.composer import Sum, away_from, mean
from crosslens.errors import InvalidRequest, WrongSpace
from crosslens.search.engine import SearchEngine
from crosslens.search.match import Matcher
from crosslens.search.request import SearchRequest
from crosslens.values import Kind, Space, Vectors
from crosslens.vectors.filters import parse
from fakes import jpeg
from house import CROSS, House

RED, BLUE, GREEN = (200, 20, 20), (20, 20, 200), (20, 180, 20)
COLOURS = {"red": RED, "blue": BLUE, "green": GREEN, "红色": RED}


class Painter:
    """A composer that answers with the picture of the colour that the words name."""

    name = "painter"
    space = CROSS

    def __init__(self, house: House) -> None:
        self._pictures = house.encoders.pictures

    def compose(self, pictures: Vectors, words: Sequence[str], spoken: Vectors) -> Vectors:
        if pictures.space != self.space:
            raise WrongSpace("another space")
        rows = [self._painted(text, pictures.array[n]) for n, text in enumerate(words)]
        return Vectors.normalized(CROSS, np.array(rows))

    def _painted(self, text: str, own: np.ndarray) -> np.ndarray:
        named = [colour for name, colour in COLOURS.items() if name in text]
        return self._pictures.encode_pictures([jpeg(named[0])]).array[0] if named else own


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.add("red dress", jpeg(RED), colour="Red", price=30)
    house.add("blue dress", jpeg(BLUE), colour="Blue", price=80)
    house.add("green dress", jpeg(GREEN), colour="Green", price=50)
    house.worker().drain()
    yield house
    house.pool.shutdown()


def composing(house: House) -> SearchEngine:
    engine = house.engine()
    engine._matcher = replace(engine._matcher, composer=Painter(house))
    return engine


def asked(**more: object) -> SearchRequest:
    return SearchRequest(**{"kind": Kind.COMPOSED, "words": "in green", **more})


def titles(engine: SearchEngine, **more: object) -> list[str]:
    return [hit.product.title for hit in engine.search(asked(**more)).hits]


def test_a_composer_changes_the_picture_and_nothing_needs_to_be_said_of_it(house: House) -> None:
    answer = composing(house).search(asked(pictures=(jpeg(RED),)))
    assert answer.hits[0].product.title == "green dress"
    assert answer.notes == ()
    assert titles(composing(house), pictures=(jpeg(BLUE),), words="换成红色")[0] == "red dress"


def test_without_a_composer_the_answer_says_that_vectors_were_added(house: House) -> None:
    answer = house.engine().search(asked(pictures=(jpeg(RED),)))
    assert answer.hits
    assert "no composer" in answer.notes[0]


def test_a_product_to_start_from_is_never_its_own_answer(house: House) -> None:
    for engine in (composing(house), house.engine()):
        found = titles(engine, product_id=3, words="in green")
        assert "green dress" not in found
        assert len(found) == 2


def test_filters_hold_for_composed_searches(house: House) -> None:
    found = titles(composing(house), pictures=(jpeg(RED),), where=parse("price > 60"))
    assert found == ["blue dress"]


def test_of_several_references_the_heavier_one_counts_more(house: House) -> None:
    pictures = (jpeg(RED), jpeg(BLUE))
    for weights, first in (((1.0, 0.1), "red dress"), ((0.1, 1.0), "blue dress")):
        found = titles(composing(house), pictures=pictures, words="as it is", weights=weights)
        assert found[0] == first


def test_the_weight_of_a_product_is_the_last_and_shared_by_its_pictures(house: House) -> None:
    twin = house.add("both", jpeg(RED, (40, 40)), jpeg(RED, (20, 20)))
    house.worker().drain()
    engine = composing(house)
    asking = {"pictures": (jpeg(BLUE),), "product_id": twin.id, "words": "as it is"}
    assert titles(engine, **asking, weights=(1.0, 0.1))[0] == "blue dress"
    assert titles(engine, **asking, weights=(0.1, 1.0))[0] == "red dress"


def test_weights_must_be_one_per_picture(house: House) -> None:
    with pytest.raises(InvalidRequest, match="2 weights for 1 pictures"):
        titles(composing(house), pictures=(jpeg(RED),), weights=(1.0, 2.0))


def test_unwanted_words_lead_away(house: House) -> None:
    words = house.encoders.words.encode_queries(["red"])
    wish = mean(house.encoders.pictures.encode_pictures([jpeg(RED)]))
    moved = away_from(wish, words)
    assert float(moved.array[0] @ words.array[0]) < float(wish.array[0] @ words.array[0])


def test_unwanted_words_alone_are_a_wish_too(house: House) -> None:
    assert titles(composing(house), pictures=(jpeg(RED),), words="", without="stripes")


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_empty_words_are_refused_in_words(house: House, blank: str) -> None:
    with pytest.raises(InvalidRequest, match="words that say what to change"):
        titles(composing(house), pictures=(jpeg(RED),), words=blank)


@pytest.mark.parametrize("more", [{"without": "red"}, {"weights": (1.0,)}])
def test_weights_and_unwanted_words_belong_to_composed_searches(house: House, more) -> None:
    request = SearchRequest("dress", pictures=(jpeg(RED),), kind=Kind.HYBRID, **more)
    with pytest.raises(InvalidRequest, match="belong to composed search"):
        house.engine().search(request)


@pytest.mark.parametrize("weights", [(float("nan"),), (float("inf"),), (11.0,)])
def test_weights_are_finite_and_small(weights) -> None:
    with pytest.raises(InvalidRequest, match="weights are"):
        asked(pictures=(b"x",), weights=weights)


def test_weights_that_cancel_out_leave_nothing_to_search(house: House) -> None:
    with pytest.raises(InvalidRequest, match="cancel out"):
        titles(composing(house), pictures=(jpeg(RED), jpeg(RED)), weights=(1.0, -1.0))


def test_two_requests_at_once_get_their_own_pictures(house: House) -> None:
    engine = composing(house)
    wanted = [("in green", "green dress"), ("in blue", "blue dress")] * 10
    found: dict[int, str] = {}

    def ask(n: int) -> None:
        found[n] = titles(engine, pictures=(jpeg(RED),), words=wanted[n][0])[0]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(wanted))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(len(wanted))] == [title for _, title in wanted]


def test_the_same_question_has_the_same_answer_every_time(house: House) -> None:
    engine = composing(house)
    answers = [engine.search(asked(pictures=(jpeg(RED),), words="qwzx")) for _ in range(3)]
    assert len({tuple((h.product.id, h.score) for h in a.hits) for a in answers}) == 1


def test_the_sum_is_of_equal_parts() -> None:
    space = Space("s", 2)
    one, other = (Vectors(space, np.array([row], "f4")) for row in ([1, 0], [0, 1]))
    found = Sum(space).compose(one, ["x"], other)
    assert found.array[0] == pytest.approx([2**-0.5, 2**-0.5])


def test_a_matcher_without_a_composer_is_made_as_before(house: House) -> None:
    matcher = Matcher(house.encoders, house.store.live(), str.split, house.pool)
    assert matcher.composer is None

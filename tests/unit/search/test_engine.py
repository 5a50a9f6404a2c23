from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from crosslens.errors import CrosslensError, InvalidRequest, NotFound, Unavailable, WrongSpace
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from crosslens.vectors.filters import parse
from fakes import FakeTextEncoder, jpeg
from house import TEXT, House

RED, BLUE, GREEN = (200, 20, 20), (20, 20, 200), (20, 180, 20)


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.add("red linen dress", jpeg(RED), jpeg(GREEN), colour="Red", price=30)
    house.add("blue denim jacket", jpeg(BLUE), colour="Blue", price=80)
    house.add("gift card", colour="Red", price=10)
    house.worker().drain()
    yield house
    house.pool.shutdown()


def titles(house: House, **asked: object) -> list[str]:
    return [hit.product.title for hit in house.engine().search(SearchRequest(**asked)).hits]


def test_each_kind_of_search_finds_what_it_is_for(house: House) -> None:
    assert titles(house, words="denim jacket", kind=Kind.TEXT2TEXT)[0] == "blue denim jacket"
    assert titles(house, pictures=(jpeg(BLUE),), kind=Kind.IMAGE2IMAGE)[0] == "blue denim jacket"
    assert titles(house, words="linen", kind=Kind.HYBRID, alpha=0.0) == ["red linen dress"]
    assert set(titles(house, words="linen", kind=Kind.TEXT2IMAGE)) == {
        "red linen dress",
        "blue denim jacket",
    }
    assert len(titles(house, pictures=(jpeg(RED),), kind=Kind.IMAGE2TEXT)) == 3
    composed = house.engine().search(
        SearchRequest("denim", pictures=(jpeg(RED),), kind=Kind.COMPOSED)
    )
    assert composed.hits
    assert "no composer" in composed.notes[0]


def test_several_pictures_of_a_product_are_one_hit_with_the_best_one_named(house: House) -> None:
    answer = house.engine().search(SearchRequest(pictures=(jpeg(GREEN),), kind=Kind.IMAGE2IMAGE))
    assert [hit.product.title for hit in answer.hits].count("red linen dress") == 1
    assert answer.hits[0].position == 1


def test_a_retired_product_is_gone_before_the_index_hears_of_it(house: House) -> None:
    first = house.engine().search(SearchRequest("linen", kind=Kind.HYBRID, alpha=0.0)).hits[0]
    house.editor.remove(first.product.id)
    assert titles(house, words="linen", kind=Kind.HYBRID, alpha=0.0) == []


def test_a_page_is_full_although_the_best_hits_were_deleted() -> None:
    """The reference joined after the search and could return fewer than asked for (P13)."""
    house = House()
    products = [house.add(f"shirt number {n}", jpeg((n, 2 * n, 90))) for n in range(40)]
    house.worker().drain()
    engine = house.engine()
    request = SearchRequest("shirt", kind=Kind.TEXT2TEXT, limit=10)
    for hit in engine.search(request).hits:
        house.editor.remove(hit.product.id)
    assert len(engine.search(request).hits) == 10
    for product in products[:25]:
        if not house.catalog.read([product.id])[product.id].retired:
            house.editor.remove(product.id)
    left = house.catalog.summary().products
    assert len(engine.search(request).hits) == min(10, left)


def test_more_like_this_leaves_the_product_itself_out(house: House) -> None:
    answer = house.engine().search(SearchRequest(product_id=1))
    assert answer.kind is Kind.IMAGE2IMAGE
    assert 1 not in [hit.product.id for hit in answer.hits]


def test_more_like_a_product_without_pictures_looks_for_its_title(house: House) -> None:
    assert house.engine().search(SearchRequest(product_id=3)).kind is Kind.HYBRID
    with pytest.raises(InvalidRequest, match="picture"):
        house.engine().search(SearchRequest(product_id=3, kind=Kind.IMAGE2IMAGE))


def test_more_like_an_unknown_or_deleted_product_is_not_found(house: House) -> None:
    house.editor.remove(2)
    for product_id in (2, 99):
        with pytest.raises(NotFound, match=str(product_id)):
            house.engine().search(SearchRequest(product_id=product_id))


def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    house = House()
    for n in range(30):
        house.add(f"shirt {n} cotton", jpeg((n * 8, 40, 99)))
    house.worker().drain()
    for kind in (Kind.TEXT2TEXT, Kind.HYBRID):
        whole = titles(house, words="cotton shirt", kind=kind, limit=30)
        pages = [
            titles(house, words="cotton shirt", kind=kind, limit=7, offset=o)
            for o in range(0, 35, 7)
        ]
        assert [title for page in pages for title in page] == whole
        assert len(set(whole)) == 30


def test_filters_and_facets(house: House) -> None:
    request = SearchRequest(
        "red", kind=Kind.TEXT2TEXT, where=parse("colour = red and price < 20"), facets=("colour",)
    )
    answer = house.engine().search(request)
    assert [hit.product.title for hit in answer.hits] == ["gift card"]
    everything = house.engine().search(
        SearchRequest("red", kind=Kind.TEXT2TEXT, facets=("colour", "price"), limit=1)
    )
    assert everything.facets["colour"] == {"Red": 2, "Blue": 1}
    assert everything.facets["price"] == {"10": 1, "30": 1, "80": 1}


def test_facets_count_more_than_the_page_but_neither_the_deleted_nor_the_one_asked_about() -> None:
    house = House()
    for n in range(6):
        house.add(f"shirt number {n}", colour="red" if n % 2 else "blue")
    house.worker().drain()
    house.editor.remove(2)
    for limit in (1, 10):
        asked = SearchRequest(product_id=1, kind=Kind.TEXT2TEXT, facets=("colour",), limit=limit)
        answer = house.engine().search(asked)
        assert answer.facets == {"colour": {"blue": 2, "red": 2}}
        assert len(answer.hits) == min(limit, 4)
    house.pool.shutdown()


def test_an_unknown_filter_field_is_named_with_those_there_are(house: House) -> None:
    with pytest.raises(InvalidRequest, match=r"colur.*colour"):
        house.engine().search(SearchRequest("red", where=parse("colur = red")))


def test_explaining_names_each_probe_and_its_score(house: House) -> None:
    hit = house.engine().search(SearchRequest("linen dress", explain=True)).hits[0]
    assert set(hit.scores) == {"text2text", "text2image", "keyword"}
    assert not house.engine().search(SearchRequest("linen dress")).hits[0].scores


def test_alpha_one_ranks_as_the_dense_probes_do(house: House) -> None:
    dense = titles(house, words="linen", kind=Kind.HYBRID, alpha=1.0, pictures=(jpeg(RED),))
    assert dense
    assert titles(house, words="linen", kind=Kind.HYBRID, alpha=0.0) == ["red linen dress"]


def test_a_query_of_another_space_is_refused_although_its_dimension_fits(house: House) -> None:
    """The reference searched a CLIP field with BGE vectors of equal width (P1)."""
    stranger = FakeTextEncoder(type(TEXT)("stranger@1/fp32", TEXT.dim))
    house.encoders = type(house.encoders)(
        stranger, house.encoders.words, house.encoders.pictures, house.encoders.looks
    )
    with pytest.raises(WrongSpace, match="stranger"):
        house.engine().search(SearchRequest("red", kind=Kind.TEXT2TEXT))


class _HalfBroken:
    """An index whose keyword side is away."""

    def __init__(self, index: object) -> None:
        self._index = index

    def __getattr__(self, name: str) -> object:
        return getattr(self._index, name)

    def matching(self, *_: object, **__: object) -> list:
        raise Unavailable("keyword field is away")


def test_a_partial_answer_says_what_is_missing(house: House) -> None:
    engine = house.engine(_HalfBroken(house.store.live()))
    answer = engine.search(SearchRequest("linen dress"))
    assert answer.hits
    assert answer.missing == {"keyword": "keyword field is away"}
    with pytest.raises(Unavailable):
        engine.search(SearchRequest("linen dress", kind=Kind.HYBRID, alpha=0.0))


def test_nothing_to_find_is_an_empty_answer_not_an_error() -> None:
    house = House()
    assert titles(house, words="anything") == []
    assert titles(house, pictures=(jpeg(),)) == []


ASKED = [
    SearchRequest("denim jacket", kind=Kind.TEXT2TEXT),
    SearchRequest("red", kind=Kind.TEXT2TEXT),
    SearchRequest("linen dress", explain=True),
    SearchRequest("linen", kind=Kind.HYBRID, alpha=0.0),
    SearchRequest("red", where=parse("price < 20")),
    SearchRequest("red", where=parse("price < 50")),
    SearchRequest("red", kind=Kind.TEXT2TEXT, limit=1, offset=1),
    SearchRequest(pictures=(jpeg(RED), jpeg(BLUE))),
    SearchRequest("but green", pictures=(jpeg(RED),), kind=Kind.COMPOSED),
    SearchRequest("red", facets=("colour",)),
    SearchRequest(product_id=1),
    SearchRequest("red", where=parse("colur = red")),
    SearchRequest("red", kind=Kind.IMAGE2IMAGE),
    SearchRequest(product_id=99),
    SearchRequest(pictures=(b"not a picture",)),
]


def told(outcome: object) -> object:
    if isinstance(outcome, CrosslensError):
        return type(outcome), outcome.message
    return replace(outcome, took_ms={})  # type: ignore[type-var]


def test_questions_asked_together_are_answered_as_if_each_were_asked_alone(house: House) -> None:
    house.editor.remove(2)
    engine = house.engine()
    alone = [told(engine.search_many([request])[0]) for request in ASKED]
    assert [told(outcome) for outcome in engine.search_many(ASKED)] == alone
    assert [told(outcome) for outcome in engine.search_many(ASKED[::-1])] == alone[::-1]
    assert sum(isinstance(outcome, tuple) for outcome in alone) == 4


def test_questions_asked_together_are_encoded_and_probed_together(house: House) -> None:
    words, index = house.encoders.text, _Counted(house.store.live())
    requests = [SearchRequest(f"shirt {n}", kind=Kind.TEXT2TEXT) for n in range(8)]
    before = words.calls
    assert len(house.engine(index).search_many(requests)) == 8
    assert (words.calls - before, index.calls) == (1, 1)


class _Counted:
    """An index that counts its searches."""

    def __init__(self, index: object) -> None:
        self._index = index
        self.calls = 0

    def nearest(self, *asked: object, **options: object) -> list:
        self.calls += 1
        return self._index.nearest(*asked, **options)

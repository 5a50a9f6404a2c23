import math
from dataclasses import replace

import pytest

from crosslens.errors import InvalidRequest
from crosslens.search.plan import Shares, plan
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from fakes import jpeg


def names(request: SearchRequest) -> list[str]:
    return [probe.name for probe in plan(request).probes]


@pytest.mark.parametrize("kind", [Kind.TEXT2TEXT, Kind.TEXT2IMAGE])
def test_a_kind_that_starts_from_words_asks_exactly_its_own_probe(kind: Kind) -> None:
    assert names(SearchRequest("red dress", kind=kind)) == [kind.value]


@pytest.mark.parametrize("kind", [Kind.IMAGE2IMAGE, Kind.IMAGE2TEXT])
def test_a_kind_that_starts_from_a_picture_asks_exactly_its_own_probe(kind: Kind) -> None:
    assert names(SearchRequest(pictures=(jpeg(),), kind=kind)) == [kind.value]


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        (Kind.TEXT2TEXT, {"pictures": (b"x",)}),
        (Kind.TEXT2IMAGE, {"pictures": (b"x",)}),
        (Kind.IMAGE2IMAGE, {"words": "red"}),
        (Kind.IMAGE2TEXT, {"words": "red"}),
        (Kind.COMPOSED, {"words": "red"}),
        (Kind.COMPOSED, {"pictures": (b"x",)}),
    ],
)
def test_a_kind_without_what_it_starts_from_is_refused(kind: Kind, request_: dict) -> None:
    with pytest.raises(InvalidRequest, match=kind.value):
        plan(SearchRequest(kind=kind, **request_))


def test_alpha_one_is_exactly_dense_and_alpha_zero_exactly_keywords() -> None:
    dense = plan(SearchRequest("red", kind=Kind.HYBRID, alpha=1.0))
    words = plan(SearchRequest("red", kind=Kind.HYBRID, alpha=0.0))
    assert all(probe.purpose is not None for probe in dense.probes)
    assert [probe.name for probe in words.probes] == ["keyword"]


def test_hybrid_weights_are_shares_of_one() -> None:
    for alpha in (None, 0.1, 0.5, 0.9):
        chosen = plan(SearchRequest("red", pictures=(b"x",), kind=Kind.HYBRID, alpha=alpha))
        assert math.isclose(sum(probe.weight for probe in chosen.probes), 1.0)


def test_alpha_zero_with_a_picture_only_is_refused_rather_than_empty() -> None:
    with pytest.raises(InvalidRequest, match="words"):
        plan(SearchRequest(pictures=(b"x",), kind=Kind.HYBRID, alpha=0.0))


def test_auto_takes_what_it_is_given() -> None:
    assert plan(SearchRequest("red")).kind is Kind.HYBRID
    assert plan(SearchRequest(pictures=(b"x",))).kind is Kind.IMAGE2IMAGE
    assert names(SearchRequest("red", pictures=(b"x",))) == [
        "image2image",
        "text2image",
        "keyword",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"words": ""},
        {"words": "   "},
        {"words": "?!"},
        {"words": "x" * 2_001},
        {"words": "red", "limit": 0},
        {"words": "red", "limit": -5},
        {"words": "red", "limit": 1_001},
        {"words": "red", "limit": 2.5},
        {"words": "red", "limit": True},
        {"words": "red", "offset": -1},
        {"words": "red", "offset": 10_001},
        {"words": "red", "alpha": math.nan},
        {"words": "red", "alpha": math.inf},
        {"words": "red", "alpha": -0.01},
        {"words": "red", "alpha": 1.01},
        {"pictures": (b"x",) * 11},
    ],
)
def test_an_impossible_request_is_never_born(wrong: dict) -> None:
    with pytest.raises(InvalidRequest):
        SearchRequest(**wrong)


def test_words_of_any_script_and_symbols_are_words() -> None:
    for words in ("红色连衣裙", "T恤", "42", "ワンピース", "C", "👟"):
        assert SearchRequest(words).words == words


def weights(request: SearchRequest, **how: object) -> dict[str, float]:
    return {p.name: p.weight for p in plan(request, **how).probes}  # type: ignore[arg-type]


def test_each_bundle_brings_its_own_share_of_hybrid_search() -> None:
    shares = Shares(text=0.8, words=0.2, looks=0.6)
    words = weights(SearchRequest("red", kind=Kind.HYBRID), shares=shares)
    assert words == pytest.approx({"text2text": 0.4, "text2image": 0.1, "keyword": 0.5})
    both = weights(SearchRequest("red", pictures=(b"x",), kind=Kind.HYBRID), shares=shares)
    assert both == pytest.approx({"image2image": 0.3, "text2image": 0.1, "keyword": 0.6})
    asked = weights(SearchRequest("red", kind=Kind.HYBRID, alpha=0.4), shares=shares)
    assert asked == pytest.approx({"text2text": 0.2, "text2image": 0.2, "keyword": 0.6})


def test_where_there_are_no_pictures_titles_get_the_whole_share_of_vectors() -> None:
    request = SearchRequest("red", kind=Kind.HYBRID, alpha=0.4)
    assert weights(request, pictures=False) == pytest.approx({"text2text": 0.4, "keyword": 0.6})
    assert weights(replace(request, alpha=1.0), pictures=False) == {"text2text": 1.0}
    assert weights(replace(request, alpha=0.0), pictures=False) == {"keyword": 1.0}

"""Every engine must mean by a filter what `matches` says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.vector_indexes import (
    ENGINES,
    HOSTILE,
    TITLES,
    TYPES,
    WORDS,
    attribute_maps,
    engine,
    filters,
    ids,
    rows,
    vectors,
)
from crosslens.errors import InvalidFilter
from crosslens.values import Attributes, Modality
from crosslens.vectors.filters import Compare, Filter, Not, OneOf, matches, parse
from crosslens.vectors.index import VectorIndex

PRODUCTS: dict[int, Attributes] = {
    1: {"colour": "Red", "usage": ["Casual", "Sports"], "year": 2012.0, "sale": True},
    2: {"colour": "ＲＥＤ", "usage": ["sports"], "year": "2013", "day": "2020-01-01"},
    3: {"colour": "blue", "year": "unknown", "sale": "false", "day": "2020-01-01T01:00:00Z"},
    4: {"usage": "Casual", "year": -0.0, "day": "2020-01-01T01:00:00+08:00", "颜 色": "红"},
    5: {},
    6: {"colour": ["red", "blue"], "year": 5e-324, "sale": 1.0, "day": 2020.0, "usage": []},
    **{100 + n: {"colour": text, "usage": ["x", text]} for n, text in enumerate(HOSTILE)},
}
EXPRESSIONS = [
    "colour = red", "colour != red", "not colour = red", "not colour != red",
    "colour in (red, BLUE)", "colour not in (red)", "not colour in (red)", "colour is set",
    "colour is not set", "usage = SPORTS", "usage != sports", "not usage = sports",
    "usage in (casual, nothing)", "usage not in (casual)", "not usage in (casual)",
    "usage is set", "not usage != sports", "year = 0", "year >= 2012", "not year >= 2012",
    "year < 1e-300", "year != 2013", "year in (2012, 2013)", "year not in (2012)",
    "year > -1 and year <= 2012.0", "sale = true", "sale != true", "not sale = true",
    "sale in (true, false)", "sale = false", "day = '2020-01-01'", "day >= '2020-01-01T00:00:00Z'",
    "day < 20200101", "not day < '2020-01-01'", "day != '2020-01-01'", "`颜 色` = 红",
    "day in ('2020-01-01', '2019-12-31T17:00:00')",
    "(colour = red or year = 0) and not (usage = sports and sale = true)",
    "not (colour = red or not (year > 0 or sale is set))", "not not not colour is set",
]  # fmt: skip


@pytest.fixture(scope="module", params=ENGINES)
def index(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VectorIndex]:
    with engine(request, tmp_path_factory.mktemp("filters")).store() as store:
        index = store.live()
        index.upsert([
            rows(key, pictures=["a", key], tokens=["shoe"], attributes=attributes)
            for key, attributes in PRODUCTS.items()
        ])  # fmt: skip
        yield index


def found(index: VectorIndex, where: Filter) -> list[list[int]]:
    """What the three searches let through."""
    text = index.nearest(vectors(TITLES, "q"), Modality.TEXT, limit=100, where=where)[0]
    shown = index.nearest(vectors(WORDS, "q"), Modality.PICTURE, limit=100, where=where)[0]
    worded = index.matching(["shoe"], limit=100, where=where)
    return [sorted(ids(text)), sorted(ids(shown)), sorted(ids(worded))]


def wanted(where: Filter) -> list[list[int]]:
    return [[key for key, given in PRODUCTS.items() if matches(where, given, TYPES)]] * 3


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_lets_through_what_it_means(index: VectorIndex, expression: str) -> None:
    where = parse(expression)
    assert found(index, where) == wanted(where)


def test_no_text_of_a_user_is_read_as_filter_language(index: VectorIndex) -> None:
    for n, text in enumerate(HOSTILE):
        assert found(index, Compare("colour", "=", text)) == [[100 + n]] * 3
        assert found(index, OneOf("usage", (text, "nothing"))) == [[100 + n]] * 3


def test_filters_mean_the_same_after_optimize(index: VectorIndex) -> None:
    index.optimize()
    for where in map(parse, EXPRESSIONS):
        assert found(index, where) == wanted(where), where
    test_no_text_of_a_user_is_read_as_filter_language(index)


def test_many_values_and_deep_nesting_are_fine(
    index: VectorIndex, request: pytest.FixtureRequest
) -> None:
    many = 1_000 if "dashvector" in request.node.name else 1_500  # it takes 40,960 characters
    assert found(index, OneOf("colour", (*map(str, range(many)), "blue"))) == [[3]] * 3
    deep: Filter = Compare("colour", "=", "blue")
    for _ in range(50):
        deep = Not(deep)
    assert found(index, deep) == [[3]] * 3
    assert found(index, parse(" or ".join(["colour=blue"] * 600))) == [[3]] * 3


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("color = red", "'colour'"),
        ("size = 3", "not declared"),
        ("year = red", "number"),
        ("colour < red", "needs a number or a date"),
        ("day = 2020", "ISO 8601"),
        ("sale = maybe", "true and false"),
    ],
)
def test_a_filter_that_does_not_fit_is_refused(
    index: VectorIndex, expression: str, named: str
) -> None:
    where = parse(expression)
    with pytest.raises(InvalidFilter, match=named):
        index.nearest(vectors(TITLES, "q"), Modality.TEXT, limit=1, where=where)
    with pytest.raises(InvalidFilter, match=named):
        index.matching(["shoe"], limit=1, where=where)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=filters)
def test_any_filter_means_what_matches_says(exact: VectorIndex, where: Filter) -> None:
    assert found(exact, where) == wanted(where)


@pytest.fixture
def exact(index: VectorIndex, request: pytest.FixtureRequest) -> VectorIndex:
    if "milvus" in request.node.name:
        pytest.skip("a fixed list serves Milvus, which is slow")
    return index


@pytest.fixture(scope="module", params=["memory", "zvec"])
def changing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VectorIndex]:
    with engine(request, tmp_path_factory.mktemp("changing")).store() as store:
        yield store.live()


@settings(max_examples=150, deadline=None)
@given(st.lists(attribute_maps, min_size=6, max_size=6), st.lists(filters, min_size=4, max_size=4))
def test_any_filter_over_any_attributes_means_what_matches_says(
    changing: VectorIndex, products: list[Attributes], wheres: list[Filter]
) -> None:
    changing.upsert([
        rows(key, pictures=[key], tokens=["shoe"], attributes=given)
        for key, given in enumerate(products)
    ])  # fmt: skip
    for where in wheres:
        meant = [key for key, given in enumerate(products) if matches(where, given, TYPES)]
        assert found(changing, where) == [meant] * 3

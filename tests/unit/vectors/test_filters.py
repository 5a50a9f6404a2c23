from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.vector_indexes import TYPES, attribute_maps, filters
from crosslens.errors import InvalidFilter
from crosslens.values import Attributes, AttributeType
from crosslens.vectors.filters import (
    And,
    Compare,
    Filter,
    IsSet,
    Not,
    OneOf,
    Or,
    check,
    holds,
    indexed,
    matches,
    parse,
    positive,
)


def says(expression: str, **attributes: object) -> bool:
    return matches(parse(expression), attributes, TYPES)  # type: ignore[arg-type]


def test_keywords_compare_folded() -> None:
    assert says("colour = ＲＥＤ", colour="red")
    assert says("colour = straße", colour="STRASSE")
    assert not says("colour = red", colour="dark red")


def test_a_missing_attribute_makes_comparisons_false_and_their_negation_true() -> None:
    for comparison in ("colour = red", "colour != red", "colour in (red)", "colour not in (red)"):
        assert not says(comparison)
        assert says(f"not ({comparison})")
    assert says("colour is not set")
    assert not says("colour is set")


def test_a_list_of_keywords_contains() -> None:
    assert says("usage = sports", usage=["Casual", "Sports"])
    assert says("usage in (formal, sports)", usage=["Casual", "Sports"])
    assert not says("usage != sports", usage=["Casual", "Sports"])
    assert says("usage != formal", usage=["Casual", "Sports"])
    assert not says("usage != formal", usage=[])


def test_numbers_written_as_text_are_numbers_and_others_are_missing() -> None:
    assert says("year > 2012", year="2012.5")
    assert says("year = '-0'", year=0.0)
    for unfit in ("unknown", "1_000", "nan", "inf", True, ["2012"], ""):
        assert says("year is not set", year=unfit)


def test_dates_compare_by_time() -> None:
    assert says("day = '2020-01-01'", day="2020-01-01T00:00:00Z")
    assert says("day < '2020-01-01T01:00:00Z'", day="2020-01-01T08:00:00+08:00")
    assert says("day >= 20200101", day="2020-01-01T00:00:00.000001")
    assert says("day is not set", day="0001-01-01T00:00:00+14:00")
    assert says("day is not set", day=20200101.0)


def test_truth_values_read_as_text_too() -> None:
    assert says("sale = TRUE", sale="True")
    assert says("sale in (true, false)", sale=False)
    assert says("sale is not set", sale=1.0)


def test_numbers_and_truth_values_may_be_keywords() -> None:
    assert says("colour = 42", colour=42.0)
    assert says("colour = 42.5", colour=42.5)
    assert says("colour = true", colour=True)


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        (Compare("color", "=", "red"), "declared are colour, day, sale, usage, year, 颜 色"),
        (Compare("year", "=", float("inf")), "finite numbers"),
        (Compare("year", "=", "１２x"), "year"),
        (Compare("usage", ">", "x"), "needs a number or a date"),
        (Compare("colour", "=", ""), "allowed are text"),
        (OneOf("colour", ()), "empty"),
        (And(()), "no parts"),
        (Or(()), "no parts"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(where: Filter, complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint):
        check(where, TYPES)


def test_an_unknown_attribute_brings_the_nearest_declared_one() -> None:
    with pytest.raises(InvalidFilter) as caught:
        check(IsSet("yaer"), TYPES)
    assert caught.value.hint == "did you mean 'year'?"
    with pytest.raises(InvalidFilter, match="declared are none"):
        check(IsSet("year"), {})


def test_a_tree_that_nests_too_deep_is_refused() -> None:
    where: Filter = IsSet("year")
    for _ in range(500):
        where = Not(where)
    with pytest.raises(InvalidFilter, match="deeper than 50"):
        check(where, TYPES)


@given(filters)
def test_checking_twice_changes_nothing(where: Filter) -> None:
    once = check(where, TYPES)
    assert check(once, TYPES) == once


@given(filters, attribute_maps)
def test_pushing_negation_down_changes_nothing_either(
    where: Filter, attributes: Attributes
) -> None:
    checked, values = check(where, TYPES), indexed(attributes, TYPES)
    assert holds(positive(checked), values) == holds(checked, values)


@given(filters)
def test_only_leaves_stay_negated(where: Filter) -> None:
    def negated(part: Filter) -> list[Filter]:
        match part:
            case And(parts) | Or(parts):
                return [inner for one in parts for inner in negated(one)]
            case Not(inner):
                return [inner]
            case _:
                return []

    assert all(isinstance(part, IsSet | OneOf) for part in negated(positive(check(where, TYPES))))


@given(attribute_maps)
def test_indexing_what_is_indexed_changes_nothing(attributes: Attributes) -> None:
    once = indexed(attributes, TYPES)
    again = {name: list(v) if isinstance(v, tuple) else v for name, v in once.items()}
    assert indexed(again, TYPES) == once


@given(st.text())
def test_any_keyword_equals_itself(text: str) -> None:
    types = {"k": AttributeType.KEYWORD}
    kept = indexed({"k": text}, types)
    assert not text or not kept or matches(Compare("k", "=", text), {"k": text}, types)

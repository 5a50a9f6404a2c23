"""The rules of what the catalogue may hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.catalog.product import ProductFields, check_text, checked_attributes
from crosslens.errors import InvalidRequest


@pytest.mark.parametrize(
    ("title", "complaint"),
    [
        ("", "title has 0 characters, allowed are 1 to 2,000"),
        (" \t\n\u3000", "title is blank"),
        ("x" * 2_001, "title has 2,001 characters"),
        ("x" * 10_000_000, "title has 10,000,000 characters"),
        (None, "title must be text, not NoneType"),
        (7, "title must be text, not int"),
        (b"x", "title must be text, not bytes"),
        ("a\0b", "title holds a null character"),
        ("a\ud83d", "title holds a lone surrogate"),
    ],
)
def test_a_title_that_cannot_be_kept_is_refused_with_its_reason(title, complaint):
    with pytest.raises(InvalidRequest, match=complaint):
        ProductFields(title)


@pytest.mark.parametrize("title", ["长" * 2_000, "🎈" * 2_000, "x", " x ", "a\nb", "\u200b"])
def test_a_title_is_kept_as_given(title):
    assert ProductFields(title).title == title


@pytest.mark.parametrize(
    "fields",
    [
        {"description": None},
        {"description": "x" * 100_001},
        {"source_key": ""},
        {"source_key": "x" * 501},
        {"source_key": 7},
        {"attributes": None},
        {"attributes": [("a", 1)]},
        {"attributes": {str(n): 1 for n in range(201)}},
        {"attributes": {str(n): ["x" * 10_000] for n in range(101)}},
    ],
)
def test_other_fields_are_checked_too_and_named(fields):
    with pytest.raises(InvalidRequest, match=next(iter(fields))):
        ProductFields("x", **fields)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 10**400, {"a": 1}, {1}, b"x", 1j, object(),
     "x" * 10_001, "\ud800", ["\ud800"], [1], [None], [["x"]], ["x"] * 201, np.array([1, 2])],
)  # fmt: skip
def test_an_attribute_that_cannot_be_kept_is_refused_by_name(value):
    with pytest.raises(InvalidRequest, match="attribute 'fit'"):
        checked_attributes({"fit": value})


@pytest.mark.parametrize("name", ["", "x" * 101, 7, None, "a\0", "\udfff"])
def test_an_attribute_name_is_text(name):
    with pytest.raises(InvalidRequest, match="attribute name"):
        checked_attributes({name: "x"})


def test_attributes_without_a_value_are_dropped():
    blank = {"none": None, "text": "", "list": [], "tuple": ()}
    assert checked_attributes(blank | {"zero": 0, "false": False}) == {"zero": 0.0, "false": False}


def test_numbers_become_floats_and_truth_stays_truth():
    kept = checked_attributes({"n": 3, "b": True, "t": ("a", "b")})
    assert [type(value) for value in kept.values()] == [float, bool, list]


def test_what_was_stored_is_rebuilt_equal():
    fields = ProductFields("x", "y", {"a": 1, "b": ["c"]}, "k")
    assert ProductFields.stored("x", "y", {"a": 1.0, "b": ["c"]}, "k") == fields


@given(st.text(st.characters(), max_size=50))
def test_any_text_is_accepted_or_refused_by_the_rule(text):
    is_fine = "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
    if is_fine:
        check_text("x", text, 0, 50)
    else:
        with pytest.raises(InvalidRequest):
            check_text("x", text, 0, 50)

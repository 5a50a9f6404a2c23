from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.ui.address import KINDS, Question, expression, quoted, read, write
from crosslens.vectors import filters

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40)
names = st.text("abcähöhe颜色_- ", min_size=1, max_size=12)
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
numbers = st.integers(-10_000, 10_000).map(lambda n: n / 4)
ends = st.one_of(
    st.tuples(numbers, st.none()), st.tuples(st.none(), numbers), st.tuples(numbers, numbers)
)
questions = st.builds(
    Question,
    words=words.map(str.strip),
    picture=st.sampled_from(["", "a" * 64]),
    url=st.sampled_from(["", "https://example.com/a.jpg?b=c&d"]),
    like=st.integers(0, 2**63 - 1),
    kind=st.sampled_from(KINDS),
    alpha=st.one_of(st.none(), st.integers(0, 20).map(lambda n: n / 20)),
    chosen=st.dictionaries(names, st.lists(values, min_size=1, unique=True).map(tuple), max_size=3),
    ranges=st.dictionaries(names, ends, max_size=2),
    page=st.integers(1, 400),
    show=st.lists(names, unique=True, max_size=3).map(tuple),
    imagine=st.booleans(),
)


@given(questions)
def test_what_is_written_into_an_address_is_read_again(question: Question) -> None:
    there = parse_qs(urlencode(write(question), doseq=True), keep_blank_values=True)
    assert read(there) == question


def test_an_empty_question_leaves_the_address_empty() -> None:
    assert write(Question()) == {}
    assert read({}) == Question()
    assert Question().empty


@given(
    st.dictionaries(
        st.sampled_from(["q", "picture", "url", "like", "kind", "alpha", "is", "in", "page"]),
        st.lists(st.text(max_size=60), min_size=1, max_size=3),
    )
)
def test_whatever_stands_in_an_address_makes_a_question(
    params: Mapping[str, list[str]],
) -> None:
    question = read(params)
    assert 1 <= question.page <= 400
    assert question.kind in KINDS
    assert question.alpha is None or 0 <= question.alpha <= 1
    where = expression(question)
    assert where is None or filters.parse(where)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"kind": ["nonsense"]}, Question()),
        ({"alpha": ["2"]}, Question()),
        ({"alpha": ["nan"]}, Question()),
        ({"picture": ["../../etc/passwd"]}, Question()),
        ({"url": ["file:///etc/passwd"]}, Question()),
        ({"like": ["-1"]}, Question()),
        ({"page": ["999999"]}, Question(page=400)),
        ({"is": ["colour", ":red", "a`b:c"]}, Question()),
        ({"in": ["price", "price:..", "price:x..y"]}, Question()),
    ],
)
def test_nonsense_is_left_out(said: dict[str, list[str]], wanted: Question) -> None:
    assert read(said) == wanted


def test_filters_become_an_expression_that_the_service_reads() -> None:
    question = Question(chosen={"colour": ("red", 'say "hi" \\')}, ranges={"price": (None, 50.0)})
    assert expression(question) == ('`colour` in ("red", "say \\"hi\\" \\\\") and `price` <= 50')
    assert filters.parse(expression(question) or "")
    assert expression(Question()) is None


@given(values)
def test_a_value_survives_quoting(value: str) -> None:
    parsed = filters.parse(f"colour = {quoted(value)}")
    assert getattr(parsed, "value", None) == value

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.errors import InvalidFilter
from crosslens.vectors.conditions import And, Compare, IsSet, Not, OneOf, Or
from crosslens.vectors.grammar import MAX_DEPTH, MAX_LENGTH, parse


def test_the_example_of_the_readme_reads_as_it_says() -> None:
    colour, usage = 'baseColour = "Red"', 'usage in ("Casual", "Sports")'
    expression = f"{colour} and (year >= 2012 or {usage}) and not gender = Men"
    assert parse(expression) == And(
        (
            Compare("baseColour", "=", "Red"),
            Or((Compare("year", ">=", "2012"), OneOf("usage", ("Casual", "Sports")))),
            Not(Compare("gender", "=", "Men")),
        )
    )


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("a=1", Compare("a", "=", "1")),
        ("a != -1.5e3", Compare("a", "!=", "-1.5e3")),
        ("颜色 = 红色", Compare("颜色", "=", "红色")),
        ("`base colour` = 'dark red'", Compare("base colour", "=", "dark red")),
        ("size.eu = 42码", Compare("size.eu", "=", "42码")),
        ("a = 2020-01-01", Compare("a", "=", "2020-01-01")),
        (r"""a = 'it\'s "x" \\'""", Compare("a", "=", 'it\'s "x" \\')),
        ('a = "and"', Compare("a", "=", "and")),
        ("set is set", IsSet("set")),
        ("a is not set", Not(IsSet("a"))),
        ("a IS SET AND b In (x)", And((IsSet("a"), OneOf("b", ("x",))))),
        ("a not in (x, y)", And((IsSet("a"), Not(OneOf("a", ("x", "y")))))),
        ("not (a=1)", Not(Compare("a", "=", "1"))),
        (
            "a=1 or b=2 and c=3",
            Or((Compare("a", "=", "1"), And((Compare("b", "=", "2"), Compare("c", "=", "3"))))),
        ),
        ("((a=1))", Compare("a", "=", "1")),
        ("a = ''", Compare("a", "=", "")),
        ("a\n=\t1", Compare("a", "=", "1")),
    ],
)
def test_an_expression_reads_as(expression: str, tree: object) -> None:
    assert parse(expression) == tree


@pytest.mark.parametrize(
    ("expression", "at", "expected"),
    [
        ("", 1, "name of an attribute"),
        ("a", 2, "one of ="),
        ("a =", 4, "a value"),
        ("a = 'x", 5, "never closed"),
        ("a = b c", 7, "`and`, `or` or the end"),
        ("(a = b", 7, r"`\)`"),
        ("a in ()", 7, "a value"),
        ("a in (x y)", 9, r"`\)`"),
        ("a not = x", 7, "`in`"),
        ("a is x", 6, "`set`"),
        ("and = 1", 1, "name of an attribute"),
        ("a = or", 5, "a value"),
        ("a ; b", 3, "unexpected ';'"),
        ("`a = 1", 1, "never closed"),
        ("``=1", 1, "never closed"),
        ("a = 1)", 6, "the end"),
        ("'a' = 1", 1, "name of an attribute"),
    ],
)
def test_an_error_says_where_and_what_was_expected(expression: str, at: int, expected: str) -> None:
    with pytest.raises(InvalidFilter, match=rf"character {at}: .*{expected}"):
        parse(expression)


@pytest.mark.parametrize("opening", ["(", "not ", "not ("])
def test_nesting_is_bounded(opening: str) -> None:
    closing = ")" * opening.count("(")
    levels = MAX_DEPTH // (opening.count("(") + opening.count("not"))
    parse(opening * levels + "a=1" + closing * levels)
    with pytest.raises(InvalidFilter, match="50 levels"):
        parse(opening * (levels + 1) + "a=1" + closing * (levels + 1))


def test_length_is_bounded() -> None:
    parse("a=1 or " * 1_400 + "a=1")
    with pytest.raises(InvalidFilter, match="10,001 characters"):
        parse("a=" + "x" * (MAX_LENGTH - 1))


@given(st.text(max_size=60) | st.text("a()'\"` =<>!,andornotis.\\", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidFilter):
        parse(text)


@given(st.text())
def test_any_value_can_be_quoted(value: str) -> None:
    for quote in "'\"":
        escaped = value.replace("\\", "\\\\").replace(quote, "\\" + quote)
        expression = f"a = {quote}{escaped}{quote}"
        if len(expression) <= MAX_LENGTH:
            assert parse(expression) == Compare("a", "=", value)

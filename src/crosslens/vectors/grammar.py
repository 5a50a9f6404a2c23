"""From a filter expression to the filter tree, by recursive descent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from crosslens.errors import InvalidFilter
from crosslens.vectors.conditions import And, Compare, Filter, IsSet, Not, OneOf, Op, Or

MAX_LENGTH: Final = 10_000
MAX_DEPTH: Final = 50

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<name>`[^`]+`)
    | (?P<op><=|>=|!=|=|<|>)
    | (?P<mark>[(),])
    | (?P<word>[\w.+-]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_RESERVED: Final = frozenset({"and", "or", "not", "in", "is"})
_EXAMPLE: Final = 'write for example: baseColour = Red and year >= 2012 and usage in ("Casual")'


def parse(expression: str) -> Filter:
    """
    Read a filter expression such as `baseColour = Red and (year >= 2012 or not usage in (Sports))`.

    Values stay text here; `check` turns them into what the attribute's declared type wants. A
    missing attribute makes every comparison false, `!=` and `not in` too; a leading `not` is plain
    negation.

        filter     = all ("or" all)*
        all        = one ("and" one)*
        one        = "not" one | "(" filter ")" | condition
        condition  = name ("=" | "!=" | "<" | "<=" | ">" | ">=") value
                   | name ["not"] "in" "(" value ("," value)* ")"
                   | name "is" ["not"] "set"
        name       = word | `anything but a backtick`
        value      = word | "text" | 'text'      a backslash keeps the next character
        word       = letters of any script, digits, _ . + -

    Dates are ISO 8601 text, truth values are true and false. `and`, `or`, `not`, `in`, `is` are
    read in any case; quote them to use them as values.

    Raises:
        InvalidFilter: not of this form, longer than 10,000 characters or nested deeper than 50;
            the message shows where.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidFilter(
            f"the filter has {len(expression):,} characters, allowed are {MAX_LENGTH:,}"
        )
    return _Reader(expression).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "word" else ""

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


class _Reader:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = list(_tokens(expression))
        self.next = 0

    def whole(self) -> Filter:
        found = self.filter(0)
        if self.peek().kind != "end":
            raise self.wrong("`and`, `or` or the end")
        return found

    def filter(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise self.wrong(f"at most {MAX_DEPTH} levels of nesting, found another")
        parts = [self.all(depth)]
        while self.took("or"):
            parts.append(self.all(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all(self, depth: int) -> Filter:
        parts = [self.one(depth)]
        while self.took("and"):
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self, depth: int) -> Filter:
        if self.took("not"):
            if depth >= MAX_DEPTH:
                raise self.wrong(f"at most {MAX_DEPTH} levels of nesting, found another")
            return Not(self.one(depth + 1))
        if self.took("("):
            inner = self.filter(depth + 1)
            self.expect(")")
            return inner
        return self.condition()

    def condition(self) -> Filter:
        name = self.name()
        if self.took("is"):
            absent = self.took("not")
            self.expect("set")
            return Not(IsSet(name)) if absent else IsSet(name)
        if self.took("not"):
            self.expect("in")
            return And((IsSet(name), Not(OneOf(name, self.values()))))
        if self.took("in"):
            return OneOf(name, self.values())
        if self.peek().kind != "op":
            raise self.wrong("one of = != < <= > >= in, not in, is set")
        return Compare(name, cast(Op, self.take().text), self.value())

    def values(self) -> tuple[str, ...]:
        self.expect("(")
        found = [self.value()]
        while self.took(","):
            found.append(self.value())
        self.expect(")")
        return tuple(found)

    def name(self) -> str:
        token = self.peek()
        if token.kind == "name" or (token.kind == "word" and token.keyword not in _RESERVED):
            return self.take().text
        raise self.wrong("the name of an attribute (in backticks if it has blanks)")

    def value(self) -> str:
        token = self.peek()
        if token.kind == "string" or (token.kind == "word" and token.keyword not in _RESERVED):
            return self.take().text
        raise self.wrong("a value (in quotes if it is more than one word)")

    def peek(self) -> _Token:
        return self.tokens[self.next]

    def take(self) -> _Token:
        token = self.tokens[self.next]
        self.next += 1
        return token

    def took(self, sign: str) -> bool:
        token = self.peek()
        found = token.keyword == sign or (token.kind == "mark" and token.text == sign)
        self.next += found
        return found

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            raise self.wrong(f"`{sign}`")

    def wrong(self, wanted: str) -> InvalidFilter:
        token = self.peek()
        return _invalid(self.expression, token.at, f"expected {wanted}, found {token}")


def _tokens(expression: str) -> Iterator[_Token]:
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            sign = expression[at]
            fault = f"{sign} is never closed" if sign in "\"'`" else f"unexpected {sign!r}"
            raise _invalid(expression, at, fault)
        kind = cast(str, match.lastgroup)
        if kind != "blank":
            yield _Token(kind, _content(kind, match.group()), at)
        at = match.end()
    yield _Token("end", "", at)


def _content(kind: str, text: str) -> str:
    if kind == "string":
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text[1:-1] if kind == "name" else text


def _invalid(expression: str, at: int, fault: str) -> InvalidFilter:
    around = expression[max(0, at - 20) : at] + "⟶" + expression[at : at + 20]
    return InvalidFilter(f"filter, character {at + 1}: {fault}: {around}", hint=_EXAMPLE)

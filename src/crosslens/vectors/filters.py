"""
What filters mean: one tree for every engine, with a reference in plain Python.

`parse` reads an expression, `check` fits it to the declared attributes, `matches` says what it
means; engines render the checked tree into their own language.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from crosslens.errors import InvalidFilter, InvalidRequest
from crosslens.values import Attributes, AttributeType, AttributeValue, as_date, fold
from crosslens.vectors.conditions import (
    And,
    Compare,
    Filter,
    IsSet,
    Leaf,
    Not,
    OneOf,
    Op,
    Or,
    Scalar,
)
from crosslens.vectors.grammar import MAX_DEPTH, parse

__all__ = [
    "And",
    "Compare",
    "Filter",
    "IsSet",
    "Leaf",
    "Not",
    "OneOf",
    "Op",
    "Or",
    "Scalar",
    "check",
    "holds",
    "indexed",
    "matches",
    "parse",
    "positive",
]

Types: TypeAlias = Mapping[str, AttributeType]
Indexed: TypeAlias = Mapping[str, Scalar | tuple[str, ...]]

_ORDERED: Final = frozenset({AttributeType.NUMBER, AttributeType.DATE})
_ALLOWED: Final = {
    AttributeType.KEYWORD: "text",
    AttributeType.KEYWORDS: "text",
    AttributeType.NUMBER: "finite numbers",
    AttributeType.BOOL: "true and false",
    AttributeType.DATE: 'ISO 8601 dates such as "2026-11-21"',
}
_INVERSE: Final[dict[Op, Op]] = {
    "=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
}  # fmt: skip
_HOLDS: Final[dict[Op, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def matches(where: Filter, attributes: Attributes, types: Types) -> bool:
    """
    Say whether a product's attributes satisfy a filter: the meaning that every engine must have.

    Keywords are compared folded ("red" = "Red"), numbers as floats, dates by time (naive ones are
    UTC; a date is its midnight). A missing attribute, or one that does not fit its declared type,
    makes every comparison false, `!=` included; `Not` is plain negation.

    Raises:
        InvalidFilter: the filter does not fit the declared types.
    """
    return holds(check(where, types), indexed(attributes, types))


def check(where: Filter, types: Types) -> Filter:
    """
    Fit a filter to the declared attributes; checking twice changes nothing.

    Returns:
        The same tree with values as they are indexed: folded keywords, floats, booleans, UTC dates.

    Raises:
        InvalidFilter: an attribute is not declared, a value does not fit, an operator makes no
            sense for the type, or the tree nests deeper than 50.
    """
    return _checked(where, types, 0)


def indexed(attributes: Attributes, types: Types) -> dict[str, Scalar | tuple[str, ...]]:
    """
    Return the declared attributes as every engine keeps them; what does not fit is missing.

    Keywords are folded text, `keywords` a tuple without repeats, numbers finite floats, dates
    UTC text of fixed width whose order is the order in time.
    """
    kept: dict[str, Scalar | tuple[str, ...]] = {}
    for name, type_ in types.items():
        value = attributes.get(name)
        fitted = None if value is None else _fitted(value, type_)
        if fitted is not None and fitted != ():
            kept[name] = fitted
    return kept


def holds(where: Filter, values: Indexed) -> bool:
    """Evaluate a checked filter over `indexed` attributes."""
    match where:
        case And(parts):
            return all(holds(part, values) for part in parts)
        case Or(parts):
            return any(holds(part, values) for part in parts)
        case Not(part):
            return not holds(part, values)
        case Compare() | OneOf() | IsSet():
            return where.name in values and _leaf_holds(where, values[where.name])


def positive(where: Filter) -> Filter:
    """
    Push negation down to the leaves, for engines that have no `not` or know three truth values.

    Only `Not(IsSet(…))` and `Not(OneOf(…))` remain; `Not` of a comparison becomes "the inverse
    holds or the attribute is missing".
    """
    match where:
        case And(parts):
            return And(tuple(map(positive, parts)))
        case Or(parts):
            return Or(tuple(map(positive, parts)))
        case Not(part):
            return _negated(part)
        case _:
            return where


def _negated(where: Filter) -> Filter:
    match where:
        case And(parts):
            return Or(tuple(map(_negated, parts)))
        case Or(parts):
            return And(tuple(map(_negated, parts)))
        case Not(part):
            return positive(part)
        case Compare(name, op, value):
            return Or((Compare(name, _INVERSE[op], value), Not(IsSet(name))))
        case OneOf() | IsSet():
            return Not(where)


def _checked(where: Filter, types: Types, depth: int) -> Filter:
    if depth > MAX_DEPTH + 2:
        raise InvalidFilter(f"the filter nests deeper than {MAX_DEPTH} levels")
    match where:
        case And(parts) | Or(parts):
            if not parts:
                raise InvalidFilter("a filter group has no parts; it needs at least one")
            return type(where)(tuple(_checked(part, types, depth + 1) for part in parts))
        case Not(part):
            return Not(_checked(part, types, depth + 1))
        case Compare() | OneOf() | IsSet():
            return _checked_leaf(where, _declared(where.name, types))


def _checked_leaf(leaf: Leaf, type_: AttributeType) -> Leaf | Or:
    match leaf:
        case Compare(name, op, value):
            if op not in ("=", "!=") and type_ not in _ORDERED:
                raise InvalidFilter(
                    f"attribute {name!r} is a {type_}; {op} needs a number or a date",
                    hint="use = or in",
                )
            return Compare(name, op, _wanted(name, value, type_))
        case OneOf(name, values):
            if not values:
                raise InvalidFilter(f"the list of values for attribute {name!r} is empty")
            fitted = tuple(dict.fromkeys(_wanted(name, v, type_) for v in values))
            if type_ is AttributeType.BOOL:  # engines know no lists of truth values
                return Or(tuple(Compare(name, "=", v) for v in fitted))
            return OneOf(name, fitted)
        case IsSet():
            return leaf


def _declared(name: str, types: Types) -> AttributeType:
    if name in types:
        return types[name]
    near = difflib.get_close_matches(name, types, n=1)
    raise InvalidFilter(
        f"attribute {name!r} is not declared as filterable; declared are "
        f"{', '.join(sorted(types)) or 'none'}",
        hint=f"did you mean {near[0]!r}?" if near else "declare it in the settings and rebuild",
    )


def _wanted(name: str, value: Scalar, type_: AttributeType) -> Scalar:
    single = AttributeType.KEYWORD if type_ is AttributeType.KEYWORDS else type_
    fitted = _fitted(value, single)
    if fitted is None or isinstance(fitted, tuple):
        raise InvalidFilter(
            f"attribute {name!r} is a {type_}; allowed are {_ALLOWED[type_]}, got {value!r}"
        )
    return fitted


def _fitted(value: AttributeValue, type_: AttributeType) -> Scalar | tuple[str, ...] | None:
    match type_:
        case AttributeType.KEYWORD:
            return _keyword(value)
        case AttributeType.KEYWORDS:
            parts = value if isinstance(value, list) else [value]
            return tuple(dict.fromkeys(k for part in parts if (k := _keyword(part))))
        case AttributeType.NUMBER:
            return _number(value)
        case AttributeType.BOOL:
            return _truth(value)
        case AttributeType.DATE:
            return _moment(value)


def _keyword(value: AttributeValue) -> str | None:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
        case str():
            return fold(fold(value)) or None  # a few sequences need it twice
        case _:
            return None


def _number(value: AttributeValue) -> float | None:
    if isinstance(value, bool | list) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number + 0.0 if math.isfinite(number) else None  # -0.0 becomes 0.0


def _truth(value: AttributeValue) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(fold(value)) if isinstance(value, str) else None


def _moment(value: AttributeValue) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(as_date(value))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    except (InvalidRequest, OverflowError):
        return None


def _leaf_holds(leaf: Leaf, value: Scalar | tuple[str, ...]) -> bool:
    match leaf:
        case IsSet():
            return True
        case OneOf(_, values):
            return any(v in values for v in value) if isinstance(value, tuple) else value in values
        case Compare(_, op, wanted):
            if isinstance(value, tuple):
                return (wanted in value) == (op == "=")
            return _HOLDS[op](value, wanted)

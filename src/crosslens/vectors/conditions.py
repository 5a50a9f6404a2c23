"""The filter tree: what a product's attributes must say. Frozen values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Op: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
Scalar: TypeAlias = str | float | bool


@dataclass(frozen=True, slots=True)
class Compare:
    """
    An attribute compared with a value.

    On an attribute of type `keywords`, `=` means "contains" and `!=` "is set, does not contain".
    """

    name: str
    op: Op
    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """An attribute that equals one of the values; of type `keywords`: contains any of them."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class IsSet:
    """An attribute that has a value of its declared type."""

    name: str


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; plain negation, so it holds where the attribute is missing."""

    part: Filter


Leaf: TypeAlias = Compare | OneOf | IsSet
Filter: TypeAlias = Leaf | And | Or | Not

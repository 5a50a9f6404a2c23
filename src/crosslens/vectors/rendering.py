"""The filter tree in an engine's own language; only digests, numbers and dates are ever quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crosslens.values import AttributeType
from crosslens.vectors.columns import attribute_column, fingerprint
from crosslens.vectors.filters import And, Compare, Filter, IsSet, Not, OneOf, Or, Scalar, positive


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    How an engine writes what the tree says; the templates take `column` and `values`.

    Attributes:
        equals: the sign for "is equal".
        within, outside: a scalar column is, or is set and is not, among values.
        holding, lacking: a list column contains any of the values, or is set and contains none.
    """

    equals: str
    within: str
    outside: str
    holding: str
    lacking: str


def render(where: Filter, types: Mapping[str, AttributeType], dialect: Dialect) -> str:
    """Write a checked filter in a dialect whose comparisons are false where a column is null."""
    return _rendered(positive(where), types, dialect)


def _rendered(where: Filter, types: Mapping[str, AttributeType], dialect: Dialect) -> str:
    match where:
        case And(parts):
            return " and ".join(f"({_rendered(part, types, dialect)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({_rendered(part, types, dialect)})" for part in parts)
        case IsSet(name):
            return f"{attribute_column(name)} is not null"
        case Not(OneOf(name, values)):
            missing = f"{attribute_column(name)} is null"
            return f"({_none_of(name, values, types, dialect)}) or ({missing})"
        case Not(part):
            assert isinstance(part, IsSet)  # noqa: S101 - `positive` leaves nothing else
            return f"{attribute_column(part.name)} is null"
        case OneOf(name, values):
            return _any_of(name, values, types, dialect)
        case Compare():
            return _comparison(where, types, dialect)


def _comparison(leaf: Compare, types: Mapping[str, AttributeType], dialect: Dialect) -> str:
    type_ = types[leaf.name]
    if type_ is AttributeType.KEYWORDS:
        listed = _any_of if leaf.op == "=" else _none_of
        return listed(leaf.name, (leaf.value,), types, dialect)
    sign = dialect.equals if leaf.op == "=" else leaf.op
    return f"{attribute_column(leaf.name)} {sign} {_literal(leaf.value, type_)}"


def _any_of(
    name: str, values: Iterable[Scalar], types: Mapping[str, AttributeType], dialect: Dialect
) -> str:
    template = dialect.holding if types[name] is AttributeType.KEYWORDS else dialect.within
    return _listed(template, name, values, types)


def _none_of(
    name: str, values: Iterable[Scalar], types: Mapping[str, AttributeType], dialect: Dialect
) -> str:
    template = dialect.lacking if types[name] is AttributeType.KEYWORDS else dialect.outside
    return _listed(template, name, values, types)


def _listed(
    template: str, name: str, values: Iterable[Scalar], types: Mapping[str, AttributeType]
) -> str:
    literals = ", ".join(_literal(value, types[name]) for value in values)
    return template.format(column=attribute_column(name), values=literals)


def _literal(value: Scalar, type_: AttributeType) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value if type_ is AttributeType.DATE else fingerprint(value)}'"
    return repr(value)

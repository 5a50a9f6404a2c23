"""The filter tree in an engine's own language; only digests, numbers and dates are ever quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crosslens.values import AttributeType
from crosslens.vectors.columns import attribute_column, fingerprint
from crosslens.vectors.filters import And, Compare, Filter, IsSet, Not, OneOf, Or, Scalar, positive

_MOST_IN_A_ROW: Final = 32


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    How an engine writes what the tree says; the templates take `column` and `values`.

    Attributes:
        equals: the sign for "is equal".
        within, outside: a scalar column is, or is set and is not, among values.
        holding, lacking: a list column contains any of the values, or is set and contains none.
        present, absent: a column is set, or is not.
        comparing: a comparison that is false where the column is not set.
    """

    equals: str
    within: str
    outside: str
    holding: str
    lacking: str
    present: str = "{column} is not null"
    absent: str = "{column} is null"
    comparing: str = "{comparison}"


PROXIMA: Final = Dialect(
    equals="=",
    within="{column} in ({values})",
    outside="{column} not in ({values})",
    holding="{column} contain_any ({values})",
    lacking="{column} not contain_any ({values})",
)
"""The grammar of the engine inside DashVector, which zvec is the embedded form of."""


def render(where: Filter, types: Mapping[str, AttributeType], dialect: Dialect) -> str:
    """Write a checked filter in a dialect whose comparisons are false where a column is not set."""
    return _rendered(positive(where), types, dialect)


def _rendered(where: Filter, types: Mapping[str, AttributeType], dialect: Dialect) -> str:
    match where:
        case And(parts):
            return _joined([_rendered(part, types, dialect) for part in parts], "and")
        case Or(parts):
            return _joined([_rendered(part, types, dialect) for part in parts], "or")
        case IsSet(name):
            return dialect.present.format(column=attribute_column(name))
        case Not(OneOf(name, values)):
            missing = dialect.absent.format(column=attribute_column(name))
            return f"({_none_of(name, values, types, dialect)}) or ({missing})"
        case Not(part):
            assert isinstance(part, IsSet)  # noqa: S101 - `positive` leaves nothing else
            return dialect.absent.format(column=attribute_column(part.name))
        case OneOf(name, values):
            return _any_of(name, values, types, dialect)
        case Compare():
            return _comparison(where, types, dialect)


def _joined(parts: Sequence[str], word: str) -> str:
    """Join parts, many of them as a tree of halves: engines read a long row as a deep nest."""
    if len(parts) > _MOST_IN_A_ROW:
        middle = len(parts) // 2
        return _joined([_joined(parts[:middle], word), _joined(parts[middle:], word)], word)
    return f" {word} ".join(f"({part})" for part in parts)


def _comparison(leaf: Compare, types: Mapping[str, AttributeType], dialect: Dialect) -> str:
    type_ = types[leaf.name]
    if type_ is AttributeType.KEYWORDS:
        listed = _any_of if leaf.op == "=" else _none_of
        return listed(leaf.name, (leaf.value,), types, dialect)
    sign = dialect.equals if leaf.op == "=" else leaf.op
    column = attribute_column(leaf.name)
    comparison = f"{column} {sign} {_literal(leaf.value, type_)}"
    return dialect.comparing.format(column=column, comparison=comparison)


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

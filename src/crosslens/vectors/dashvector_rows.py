"""DashVector's collections: their columns, and how rows, numbers and filters are written."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from crosslens.errors import InvalidFilter, UnusableVector
from crosslens.values import Attributes, AttributeType, Floats, Space
from crosslens.vectors.columns import attribute_column, fingerprint, space_column
from crosslens.vectors.filters import (
    And,
    Compare,
    Filter,
    IsSet,
    Not,
    OneOf,
    Or,
    Scalar,
    check,
    indexed,
)
from crosslens.vectors.index import IndexSpec
from crosslens.vectors.rendering import PROXIMA, render
from crosslens.vectors.term_statistics import Sparse

PLACE: Final = "place"  # orders rows: the product's id, or that of a picture
REVISION: Final = "revision"
PICTURES: Final = "pictures"
KEYWORDS: Final = "keywords"
META: Final = "meta"  # the part of a text collection that says what it is
MOST_COLUMNS: Final = 4  # vectors of one collection, the keywords among them
MOST_LISTED: Final = 32  # values of one list
MOST_FILTER: Final = 40_960
SEATS: Final = 128  # places per product in the picture collection; a product has 100 at most
LARGEST_ID: Final = 2**63 // SEATS - 1
NOTHING: Final = {0: 1e-9}  # a row without words has a term that no word has

_TYPES: Final = {
    AttributeType.KEYWORD: "STRING",
    AttributeType.KEYWORDS: "ARRAY_STRING",
    AttributeType.NUMBER: "LONG",  # floats have 32 bits there
    AttributeType.BOOL: "BOOL",
    AttributeType.DATE: "LONG",
}
_EPOCH: Final = datetime(1, 1, 1)  # noqa: DTZ001 - dates are UTC by now
_MICROSECOND: Final = timedelta(microseconds=1)


def text_schema(spec: IndexSpec) -> dict[str, Any]:
    """
    Return what the text collection is made of.

    Raises:
        InvalidFilter, UnusableVector: the service has no room for so many columns.
    """
    return {
        **_vectors(spec.text, MOST_COLUMNS - 1),
        "sparse_vectors_schema": {KEYWORDS: _column(0)},
        "fields_schema": {
            **_fields(spec),
            PICTURES: "INT",
            "spec": "STRING",
            "state": "LONG",
        },
    }


def picture_schema(spec: IndexSpec) -> dict[str, Any]:
    """Return what the picture collection is made of; see `text_schema`."""
    return {**_vectors(spec.picture, MOST_COLUMNS), "fields_schema": _fields(spec)}


def vectors_of(columns: Iterable[tuple[Space, Floats]]) -> dict[str, list[float]]:
    """Write vectors of float32 [dim] with as many digits as give them back."""
    return {space_column(space): numbers(row) for space, row in columns}


def numbers(row: Floats) -> list[float]:
    """Write float32 [dim]; nine digits give it back."""
    return [float(f"{value:.9g}") for value in row]


def sparse_of(weights: Sparse) -> dict[str, float]:
    """Write a sparse vector, by rising term."""
    return {str(term): float(f"{weights[term]:.9g}") for term in sorted(weights)}


def attribute_fields(
    product_id: int, attributes: Attributes, types: Mapping[str, AttributeType]
) -> dict[str, Any]:
    """
    Return the columns of a product's filterable attributes.

    Raises:
        UnusableVector: a list is longer than the service keeps.
    """
    fields = {}
    for name, value in indexed(attributes, types).items():
        if isinstance(value, tuple) and len(value) > MOST_LISTED:
            raise UnusableVector(
                f"attribute {name!r} of product {product_id} lists {len(value)} values, "
                f"DashVector keeps {MOST_LISTED}"
            )
        fields[attribute_column(name)] = _stored(value, types[name])
    return fields


def condition(where: Filter | None, types: Mapping[str, AttributeType]) -> str:
    """
    Write a filter in the service's language; nothing where there is none.

    Raises:
        InvalidFilter: an attribute is not declared, or the service does not take so long a filter.
    """
    if where is None:
        return ""
    text = render(_ordered(check(where, types), types), types, PROXIMA)
    if len(text) > MOST_FILTER:
        raise InvalidFilter(
            f"the filter has {len(text):,} characters for DashVector, which takes {MOST_FILTER:,}"
        )
    return text


def _vectors(spaces: tuple[Space, ...], most: int) -> dict[str, Any]:
    if not 1 <= len(spaces) <= most:
        raise UnusableVector(
            f"DashVector takes 1 to {most} spaces of vectors in this collection, the bundles in "
            f"use have {len(spaces)}"
        )
    return {"vectors_schema": {space_column(space): _column(space.dim) for space in spaces}}


def _column(dim: int) -> dict[str, Any]:
    return {"dimension": dim, "dtype": "FLOAT", "metric": "dotproduct", "quantize_type": ""}


def _fields(spec: IndexSpec) -> dict[str, str]:
    declared = {attribute_column(name): _TYPES[kind] for name, kind in spec.attributes.items()}
    return {PLACE: "LONG", REVISION: "LONG", **declared}


def _stored(value: Scalar | tuple[str, ...], type_: AttributeType) -> Any:
    if isinstance(value, tuple):
        return [fingerprint(part) for part in value]
    if type_ is AttributeType.KEYWORD:
        return fingerprint(str(value))
    return _rising(value, type_)


def _rising(value: Scalar, type_: AttributeType) -> Any:
    """Return an integer of 64 bits that rises with a number or a date; others stay."""
    if type_ is AttributeType.NUMBER:
        (bits,) = struct.unpack("<q", struct.pack("<d", float(value)))
        return bits if bits >= 0 else -(bits & 0x7FFFFFFFFFFFFFFF)
    if type_ is AttributeType.DATE:
        moment = datetime.fromisoformat(str(value)).replace(tzinfo=None)
        return (moment - _EPOCH) // _MICROSECOND
    return value


def _ordered(where: Filter, types: Mapping[str, AttributeType]) -> Filter:
    match where:
        case And(parts):
            return And(tuple(_ordered(part, types) for part in parts))
        case Or(parts):
            return Or(tuple(_ordered(part, types) for part in parts))
        case Not(part):
            return Not(_ordered(part, types))
        case OneOf(name, values):
            return OneOf(name, tuple(_rising(value, types[name]) for value in values))
        case Compare(name, op, value):
            return Compare(name, op, _rising(value, types[name]))
        case IsSet():
            return where

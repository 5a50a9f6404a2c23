"""The nouns that every part shares: frozen, valid from birth, NumPy and stdlib only."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crosslens.errors import InvalidRequest, UnusableVector

Floats: TypeAlias = NDArray[np.float32]
AttributeValue: TypeAlias = str | float | bool | list[str]
Attributes: TypeAlias = Mapping[str, AttributeValue]


class Kind(StrEnum):
    """The kinds of search, under their reference names."""

    TEXT2TEXT = "text2text"
    TEXT2IMAGE = "text2image"
    IMAGE2IMAGE = "image2image"
    IMAGE2TEXT = "image2text"
    HYBRID = "hybrid"
    COMPOSED = "composed"
    AUTO = "auto"


class Modality(StrEnum):
    """The two collections of a vector index: a row per product, a row per picture."""

    TEXT = "text"
    PICTURE = "picture"


class AttributeType(StrEnum):
    """What a filterable attribute holds."""

    KEYWORD = "keyword"
    KEYWORDS = "keywords"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Space:
    """
    A named vector space; vectors of two spaces are never compared.

    Equal dimensions do not make two spaces one: the name carries the encoder and its precision.
    """

    name: str
    dim: int

    def __post_init__(self) -> None:
        if not self.name or self.dim < 1:
            raise ValueError(f"a space needs a name and a positive dimension, got {self!r}")

    def __str__(self) -> str:
        return f"{self.name} ({self.dim}-d)"


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """
    Unit-length vectors bound to their space: float32 [N, dim].

    Raises:
        UnusableVector: a row is not finite or has no length; such rows win every comparison in
            some engines, so they stop here.
    """

    space: Space
    array: Floats

    def __post_init__(self) -> None:
        if self.array.ndim != 2 or self.array.shape[1] != self.space.dim:
            raise UnusableVector(
                f"expected [N, {self.space.dim}] for space {self.space.name}, "
                f"got {list(self.array.shape)}"
            )
        lengths = np.sqrt(np.einsum("nd,nd->n", self.array, self.array))
        if not np.all(np.abs(lengths - 1.0) < 1e-2):  # also false for NaN
            row = int(np.flatnonzero(~(np.abs(lengths - 1.0) < 1e-2))[0])
            raise UnusableVector(
                f"vector {row} of space {self.space.name} has length {lengths[row]}, expected 1"
            )

    def __len__(self) -> int:
        return int(self.array.shape[0])

    @classmethod
    def normalized(cls, space: Space, array: Floats) -> Vectors:
        """
        Scale each row of float32 [N, dim] to unit length.

        Raises:
            UnusableVector: a row is not finite or has no length.
        """
        rows = np.ascontiguousarray(array, dtype=np.float32)
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        if not np.all(np.isfinite(lengths) & (lengths > 1e-12)):
            raise UnusableVector(f"a vector of space {space.name} is not finite or has no length")
        return cls(space, rows / lengths[:, None])

    @classmethod
    def concatenate(cls, space: Space, parts: list[Vectors]) -> Vectors:
        """Join parts of one space, in order; no part gives [0, dim]."""
        if any(part.space != space for part in parts):
            raise UnusableVector(f"cannot join vectors of other spaces to {space.name}")
        arrays = [part.array for part in parts]
        return cls(space, np.concatenate(arrays) if arrays else np.empty((0, space.dim), "f4"))


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A product that a probe found.

    Attributes:
        score: larger is better; cosine in [-1, 1] for vectors, BM25 > 0 for keywords.
        position: which of the product's pictures matched (0-based), None for the text collection.
    """

    product_id: int
    score: float
    position: int | None = None


def fold(text: str) -> str:
    """Normalise for comparison: NFKC, then case-fold ("ＳＩＺＥ" = "size", "T恤" = "t恤")."""
    return unicodedata.normalize("NFKC", text).casefold()


def as_date(value: str) -> str:
    """
    Normalise an ISO 8601 date or date-time to text whose order is the order in time.

    Raises:
        InvalidRequest: not ISO 8601.
    """
    try:
        if len(value) <= 10:
            return date.fromisoformat(value).isoformat()
        return datetime.fromisoformat(value).isoformat()
    except ValueError as exc:
        raise InvalidRequest(f"{value!r} is not an ISO 8601 date such as 2026-11-21") from exc

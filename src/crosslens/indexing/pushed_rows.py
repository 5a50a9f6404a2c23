"""Entries of built shards → rows of a vector index, each vector into the column of its space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import numpy as np

from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.corpora.records import BadRecord, Row
from crosslens.corpora.shards import Column
from crosslens.errors import InvalidRequest, UnusableVector, WrongSpace
from crosslens.indexing.pushing import key_of
from crosslens.indexing.rows import Tokens, keyword_tokens
from crosslens.values import Modality, Space, Vectors
from crosslens.vectors.index import IndexSpec, ProductRows, VectorIndex

_LARGEST_ID: Final = 2**63 - 1
RowOf = Callable[[Row, int, IndexSpec], ProductRows]
"""Makes the rows of an entry under an id; ValueError where it is unfit."""


class RowSource(Protocol):
    """What makes rows of entries."""

    def of(self, ids: Sequence[int]) -> RowOf:
        """Look up what a batch needs, once."""
        ...


def spec_of(columns: Sequence[Column]) -> IndexSpec:
    """
    Return what an index of these columns holds, without attributes.

    Raises:
        InvalidRequest: two columns of a modality are of one space.
    """
    text = [c.vector_space for c in columns if c.modality is Modality.TEXT]
    shown = [c.vector_space for c in columns if c.modality is Modality.PICTURE]
    if len(set(text)) < len(text) or len(set(shown)) < len(shown):
        raise InvalidRequest(
            "two fields of words, or two of pictures, are of one space; an index has one column "
            "for each",
            hint="build with another bundle, or push the fields apart",
        )
    return IndexSpec(tuple(text), tuple(shown))


@dataclass(frozen=True, slots=True)
class IndexTarget:
    """
    The vectors of entries, as rows of a vector index under their id.

    Attributes:
        source: makes rows of entries.
    """

    index: VectorIndex
    source: RowSource
    id: str = "id"

    def put(self, rows: Sequence[Row]) -> list[BadRecord]:
        """Write rows; see Target."""
        made, unfit = [], []
        row_of = self.source.of([int(key) for row in rows if _fits(key := self._key(row))])
        for row in rows:
            try:
                made.append(self._made(row, row_of))
            except (ValueError, UnusableVector) as exc:
                unfit.append(BadRecord(row.where, str(exc), self._key(row) or None))
        self.index.upsert(made)
        return unfit

    def _key(self, row: Row) -> str:
        return key_of(row, self.id) or ""

    def _made(self, row: Row, row_of: RowOf) -> ProductRows:
        key, spec = self._key(row), self.index.spec
        if not _fits(key):
            raise ValueError(f"the id is {key!r}; a vector index needs integers up to 2^63 - 1")
        rows = row_of(row, int(key), spec)
        spec.require(rows)
        if not rows.text and not rows.picture_count:
            raise ValueError("it has no vector")
        return rows

    def finish(self) -> None:
        """Build what makes searching fast."""
        self.index.optimize()

    def held(self, keys: Sequence[str]) -> int:
        """Count those of the keys that have rows."""
        spec = self.index.spec
        modality = Modality.TEXT if spec.text else Modality.PICTURE
        space = (spec.text or spec.picture)[0]
        found = self.index.vectors([(int(key), 0) for key in keys], modality, space)
        return sum((int(key), 0) in found for key in keys)

    def count(self) -> int:
        """Count products."""
        return self.index.counts().products


@dataclass(frozen=True, slots=True)
class OwnRows:
    """
    Rows of entries that no catalogue knows.

    Attributes:
        columns: of the shards.
        words: fields whose words keywords find.
        tokens: text → keyword tokens of an entry.
    """

    columns: Sequence[Column]
    words: Sequence[str]
    tokens: Tokens

    def of(self, ids: Sequence[int]) -> RowOf:
        """Return what makes rows; see RowSource."""
        return self._made

    def _made(self, row: Row, id: int, spec: IndexSpec) -> ProductRows:
        text = "\n".join(str(row.values[name]) for name in self.words if row.values.get(name))
        texts, shown = _vectors(row, self.columns, spec)
        return ProductRows(id, 1, texts, shown, self.tokens(text), {})


@dataclass(frozen=True, slots=True)
class CatalogRows:
    """
    Rows of entries that are products of the catalogue, at their revision of now.

    Attributes:
        columns: of the shards.
        tokens: text → keyword tokens of an entry.
    """

    catalog: CatalogStore
    columns: Sequence[Column]
    tokens: Tokens

    def of(self, ids: Sequence[int]) -> RowOf:
        """Read the products of a batch; see RowSource."""
        return partial(self._made, self.catalog.read(ids))

    def _made(
        self, products: Mapping[int, Product], row: Row, id: int, spec: IndexSpec
    ) -> ProductRows:
        product = _of_now(products.get(id), row, id)
        texts, shown = _vectors(row, self.columns, spec)
        if any(len(vectors) != len(product.pictures) for vectors in shown):
            raise ValueError(
                f"product {id} has {len(product.pictures)} pictures, its vectors are of another "
                "number"
            )
        tokens = keyword_tokens(product, self.tokens)
        return ProductRows(id, product.revision, texts, shown, tokens, product.fields.attributes)


def _of_now(product: Product | None, row: Row, id: int) -> Product:
    if product is None or product.retired:
        raise ValueError(f"there is no product {id} in the catalogue")
    if row.values.get("revision") != product.revision:
        raise ValueError(
            f"product {id} is at revision {product.revision}, its vectors are of "
            f"{row.values.get('revision')!r}"
        )
    return product


def require_spaces(columns: Sequence[Column], spec: IndexSpec) -> None:
    """
    See that an index has the columns of the shards, and no others.

    Raises:
        WrongSpace: it has not.
    """
    wanted = spec_of(columns)
    if (set(wanted.text), set(wanted.picture)) != (set(spec.text), set(spec.picture)):
        raise WrongSpace(
            f"the shards hold {_told(wanted)}; the index keeps {_told(spec)}",
            hint="build with the bundles that the index was made with, or push elsewhere",
        )


def _told(spec: IndexSpec) -> str:
    text, shown = ", ".join(map(str, spec.text)), ", ".join(map(str, spec.picture))
    return f"words of {text or 'no space'} and pictures of {shown or 'no space'}"


def _vectors(
    row: Row, columns: Sequence[Column], spec: IndexSpec
) -> tuple[tuple[Vectors, ...], tuple[Vectors, ...]]:
    fields = {(column.modality, column.vector_space): column.field for column in columns}

    def of(modality: Modality, space: Space) -> Vectors:
        return _stored(row.values, fields[modality, space], space)

    texts = tuple(of(Modality.TEXT, space) for space in spec.text)
    return texts, tuple(of(Modality.PICTURE, space) for space in spec.picture)


def _stored(values: Mapping[str, Any], field: str, space: Space) -> Vectors:
    array = np.array(values[field], dtype=np.float32)
    return Vectors(space, array.reshape(-1, space.dim))


def _fits(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 20 and int(key) <= _LARGEST_ID

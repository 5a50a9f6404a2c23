"""The readable oracle: exact search in NumPy and plain Python, nothing on disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosslens.values import Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors.bm25 import bm25
from crosslens.vectors.columns import query_words, words
from crosslens.vectors.filters import Filter, check, holds, indexed
from crosslens.vectors.index import Counts, IndexSpec, ProductRows, RowKey
from crosslens.vectors.one_live import OneLive
from crosslens.vectors.picture_rows import rank


@dataclass(frozen=True, slots=True)
class _Table:
    products: NDArray[np.int64]
    positions: NDArray[np.int64]
    vectors: Floats


class MemoryIndex:
    """A vector index that compares with every row; what the other ones are measured against."""

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self._rows: dict[int, ProductRows] = {}
        self._words: dict[int, Counter[str]] = {}
        self._tables: dict[tuple[Modality, int], _Table] = {}
        self._lock = threading.RLock()

    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """Write products, replacing every earlier row of theirs."""
        for row in rows:
            self.spec.require(row)
        with self._lock:
            for row in rows:
                self._rows[row.product_id] = row
                self._words[row.product_id] = Counter(words(row.tokens).split())
            self._tables.clear()

    def delete(self, product_ids: Sequence[int]) -> None:
        """Forget products."""
        with self._lock:
            for product_id in product_ids:
                self._rows.pop(product_id, None)
                self._words.pop(product_id, None)
            self._tables.clear()

    def nearest(
        self, query: Vectors, modality: Modality, *, limit: int, where: Filter | None = None
    ) -> list[list[Candidate]]:
        """Compare each query with every row that passes the filter."""
        column = self.spec.column(modality, query.space)
        with self._lock:
            table = self._table(modality, column)
            allowed = np.isin(table.products, self._passing(where))
        kept = np.flatnonzero(allowed)
        scores = np.clip(query.array @ table.vectors[kept].T, -1.0, 1.0).round(6)
        return [_best_per_product(row, table, kept, modality)[: max(0, limit)] for row in scores]

    def matching(
        self, tokens: Sequence[str], *, limit: int, where: Filter | None = None
    ) -> list[Candidate]:
        """Score every product that passes the filter and holds any of the tokens."""
        with self._lock:
            passing = set(self._passing(where))
            scores = bm25(query_words(tokens).split(), self._words)
        found = [Candidate(key, score) for key, score in scores.items() if key in passing]
        return sorted(found, key=rank)[: max(0, limit)]

    def vectors(
        self, keys: Sequence[RowKey], modality: Modality, space: Space
    ) -> dict[RowKey, Floats]:
        """Look rows up."""
        column = self.spec.column(modality, space)
        with self._lock:
            rows = {key: self._rows[key[0]] for key in keys if key[0] in self._rows}
        shown = {
            key: (row.text if modality is Modality.TEXT else row.pictures)[column].array
            for key, row in rows.items()
        }
        return {key: array[key[1]] for key, array in shown.items() if 0 <= key[1] < len(array)}

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """List products; rows of one product can never disagree here."""
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda row: row.product_id)
        return iter([(row.product_id, row.revision, row.picture_count) for row in rows])

    def counts(self) -> Counts:
        """Count rows."""
        with self._lock:
            return Counts(len(self._rows), sum(row.picture_count for row in self._rows.values()))

    def needs_optimize(self) -> bool:
        """Say no: there is nothing to build."""
        return False

    def optimize(self) -> None:
        """Do nothing: every search is exact."""

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._rows.clear()
            self._words.clear()
            self._tables.clear()

    def _passing(self, where: Filter | None) -> list[int]:
        if where is None:
            return list(self._rows)
        types = self.spec.attributes
        checked = check(where, types)
        values = {key: indexed(row.attributes, types) for key, row in self._rows.items()}
        return [key for key in values if holds(checked, values[key])]

    def _table(self, modality: Modality, column: int) -> _Table:
        known = self._tables.get((modality, column))
        if known is None:
            known = self._tables[modality, column] = self._built(modality, column)
        return known

    def _built(self, modality: Modality, column: int) -> _Table:
        rows = sorted(self._rows.values(), key=lambda row: row.product_id)
        of = [row.text if modality is Modality.TEXT else row.pictures for row in rows]
        parts = [vectors[column].array for vectors in of]
        sizes = [len(part) for part in parts]
        spaces = self.spec.text if modality is Modality.TEXT else self.spec.picture
        return _Table(
            np.repeat(np.array([row.product_id for row in rows], np.int64), sizes),
            np.concatenate([np.empty(0, np.int64), *(np.arange(size) for size in sizes)]),
            np.concatenate([np.empty((0, spaces[column].dim), np.float32), *parts]),
        )


class MemoryStore(OneLive[MemoryIndex]):
    """Where memory indexes live: nowhere but here."""

    def _found(self) -> MemoryIndex:
        return self._created()

    def _created(self) -> MemoryIndex:
        return MemoryIndex(self._spec)

    def _appoint(self, index: MemoryIndex) -> None:
        pass

    def _drop(self, index: MemoryIndex) -> None:
        index.close()

    def _sweep(self) -> None:
        pass

    def _release(self) -> None:
        pass


def _best_per_product(
    scores: Floats, table: _Table, kept: NDArray[np.int64], modality: Modality
) -> list[Candidate]:
    products, positions = table.products[kept], table.positions[kept]
    best: dict[int, Candidate] = {}
    for at in np.lexsort((positions, products, -scores)).tolist():
        position = int(positions[at]) if modality is Modality.PICTURE else None
        product_id = int(products[at])
        best.setdefault(product_id, Candidate(product_id, float(scores[at]), position))
    return list(best.values())

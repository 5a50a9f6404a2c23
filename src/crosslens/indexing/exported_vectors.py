"""Vectors of an export: per column of the index, arrays of some thousand rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from crosslens.catalog.product import Product
from crosslens.values import Floats, Modality, Space
from crosslens.vectors.index import RowKey, VectorIndex

ROWS: Final = 8_192  # of one file: 16 MB at 512 dimensions


@dataclass(slots=True)
class _Column:
    """What of one column is not written yet."""

    modality: Modality
    space: Space
    folder: str
    keys: list[RowKey] = field(default_factory=list)
    rows: list[Floats] = field(default_factory=list)
    written: int = 0
    files: int = 0


class VectorFiles:
    """
    Write the vectors of products as they stand in an index.

    Each file is an .npz of `ids` int64 [N], `positions` int64 [N] (of the picture; 0 for texts)
    and `vectors` float32 [N, dim].

    Args:
        folder: the export.
        index: whose vectors are read.
    """

    def __init__(self, folder: Path, index: VectorIndex) -> None:
        self.missing = 0
        self._folder = folder
        self._index = index
        columns = [(Modality.TEXT, space) for space in index.spec.text]
        columns += [(Modality.PICTURE, space) for space in index.spec.picture]
        self._columns = [
            _Column(modality, space, f"vectors/{modality}-{number}")
            for number, (modality, space) in enumerate(columns)
        ]

    @property
    def written(self) -> int:
        """How many vectors are in files."""
        return sum(column.written for column in self._columns)

    def add(self, products: Sequence[Product]) -> None:
        """Take in the vectors of products; those that the index lacks are counted as missing."""
        texts = [(product.id, 0) for product in products]
        pictures = [(product.id, n) for product in products for n in range(len(product.pictures))]
        for column in self._columns:
            wanted = texts if column.modality is Modality.TEXT else pictures
            found = self._index.vectors(wanted, column.modality, column.space) if wanted else {}
            self.missing += len(wanted) - len(found)
            kept = [key for key in wanted if key in found]
            column.keys += kept
            column.rows += [found[key] for key in kept]
            while len(column.rows) >= ROWS:
                self._write(column)

    def finish(self) -> tuple[Mapping[str, Any], ...]:
        """Write what is left and say which columns there are."""
        for column in self._columns:
            if column.rows:
                self._write(column)
        return tuple(
            {
                "modality": str(column.modality),
                "space": column.space.name,
                "dim": column.space.dim,
                "folder": column.folder,
                "files": column.files,
                "rows": column.written,
            }
            for column in self._columns
        )

    def _write(self, column: _Column) -> None:
        keys, rows = column.keys[:ROWS], column.rows[:ROWS]
        del column.keys[:ROWS], column.rows[:ROWS]
        path = self._folder / column.folder / f"{column.files:05d}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        where = np.array(keys, dtype=np.int64)
        np.savez(path, ids=where[:, 0], positions=where[:, 1], vectors=np.array(rows, np.float32))
        column.files += 1
        column.written += len(rows)

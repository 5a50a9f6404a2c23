"""
Bytes of a vector in each kind of index.

Zvec's are measured. Those of Milvus follow from how its indexes are laid out (its documentation:
"Index Explained", "DISKANN", and the defaults of milvus.yaml): float32 throughout, HNSW with M
links per node and 2 M on the ground floor, IVF with a list number and centroids per sealed segment,
DISKANN with PQ codes and a cache in memory and nodes in sectors of 4 KiB on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Final

from crosslens.capacity.measured import Measured

LINKS: Final = 16
LISTS: Final = 1_024
SEGMENT_BYTES: Final = 2**30
DEGREE: Final = 56
PQ_SHARE: Final = 0.125
CACHE_SHARE: Final = 0.10
SECTOR: Final = 4_096
_FLOAT: Final = 4
_ID: Final = 8


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of an index: in memory while it is searched, and on disk (or in the bucket)."""

    memory: float
    disk: float


@dataclass(frozen=True, slots=True)
class Index:
    """
    One kind of index.

    Attributes:
        alone: whether one process holds all of it.
        vector: components → bytes in memory and on disk of one vector; None where measured.
    """

    name: str
    about: str
    alone: bool = False
    vector: Callable[[int], Footprint] | None = None

    def of(self, measured: Measured, *, products: float, rows: float, dim: int) -> Footprint:
        """Return the bytes of so many products with so many vectors in all."""
        if self.vector is None:
            memory = measured.zvec_memory.of(products=products, rows=rows, dim=dim)
            return Footprint(memory, measured.zvec_disk.of(products=products, rows=rows, dim=dim))
        each = self.vector(dim)
        beside = products * measured.zvec_disk.per_product  # keywords and attributes, as Zvec's
        return Footprint(rows * each.memory + beside, rows * each.disk + beside)


def _flat(dim: int) -> Footprint:
    raw = _FLOAT * dim + _ID
    return Footprint(raw, raw)


def _hnsw(dim: int) -> Footprint:
    upper = LINKS * _FLOAT / (LINKS - 1)  # one node in M is on the first floor, one in M² above
    index = _FLOAT * dim + 2 * LINKS * _FLOAT + upper + _ID
    return Footprint(index, _FLOAT * dim + _ID + index)


def _ivf(code_bytes: Callable[[int], int]) -> Callable[[int], Footprint]:
    def vector(dim: int) -> Footprint:
        centroids = LISTS * _FLOAT * dim / (SEGMENT_BYTES / (_FLOAT * dim))
        index = code_bytes(dim) + _ID + centroids
        return Footprint(index, _FLOAT * dim + _ID + index)

    return vector


def _diskann(dim: int) -> Footprint:
    raw = _FLOAT * dim
    node = raw + (DEGREE + 1) * _FLOAT
    in_sector = SECTOR // node
    on_disk = SECTOR / in_sector if in_sector else ceil(node / SECTOR) * SECTOR
    return Footprint(raw * (PQ_SHARE + CACHE_SHARE) + _ID, raw + _ID + on_disk + raw * PQ_SHARE)


_ALL: Final = (
    Index("zvec", "embedded: HNSW over INT8, refined by float32", alone=True),
    Index("hnsw", "Milvus: a graph over float32", vector=_hnsw),
    Index("ivf_flat", "Milvus: lists of float32", vector=_ivf(lambda dim: _FLOAT * dim)),
    Index("ivf_sq8", "Milvus: lists of INT8", vector=_ivf(lambda dim: dim)),
    Index("diskann", "Milvus: a graph on NVMe, codes in memory", vector=_diskann),
    Index("flat", "Milvus: every vector, each time", vector=_flat),
)
INDEXES: Final[Mapping[str, Index]] = MappingProxyType({index.name: index for index in _ALL})

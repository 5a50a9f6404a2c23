"""What is asked of Milvus's collections: write, delete, find, read, count."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from crosslens.values import Floats, Vectors
from crosslens.vectors.columns import space_column
from crosslens.vectors.milvus_connection import Connection
from crosslens.vectors.milvus_generations import Generation
from crosslens.vectors.milvus_graphs import GRAPHS
from crosslens.vectors.milvus_schema import KEY, Row

BATCH: Final = 500
MOST_HITS: Final = 16_384  # the server's limit

Rated: TypeAlias = tuple[Any, float]


def upsert(milvus: Connection, name: str, rows: Iterable[Row]) -> None:
    """Write rows in batches, in order."""
    waiting = iter(rows)
    while part := list(itertools.islice(waiting, BATCH)):
        milvus.ask("upsert", name, part)


def delete(milvus: Connection, name: str, keys: Sequence[int] | Sequence[str]) -> None:
    """Delete rows in batches, in order; unknown keys are no error."""
    for at in range(0, len(keys), BATCH):
        milvus.ask("delete", name, ids=list(keys[at : at + BATCH]))


def present(milvus: Connection, name: str, keys: Collection[str]) -> list[str]:
    """Return those of the keys that have a row."""
    return [row[KEY] for row in milvus.ask("get", name, ids=list(keys), output_fields=[KEY])]


def vectors(
    milvus: Connection, name: str, keys: Sequence[int] | Sequence[str], column: str
) -> Iterator[tuple[int | str, Floats]]:
    """Yield (key, vector of length 1) of those of the keys that have a row."""
    for at in range(0, len(keys), BATCH):
        part = list(keys[at : at + BATCH])
        for found in milvus.ask("get", name, ids=part, output_fields=[KEY, column]):
            row = np.asarray(found[column], dtype=np.float32)
            yield found[KEY], row / np.sqrt(row @ row)


def nearest(
    milvus: Connection, name: str, query: Vectors, *, limit: int, where: str, graph: str = "HNSW"
) -> list[list[Rated]]:
    """Return (key, cosine) of the best rows, for each row of the query."""
    params = {} if milvus.can.lite else GRAPHS[graph].ask(limit, bool(where))
    found = milvus.ask(
        "search",
        name,
        data=query.array.tolist(),
        anns_field=space_column(query.space),
        limit=limit,
        filter=where,
        output_fields=[KEY],
        search_params={"metric_type": "COSINE", "params": params},
        consistency_level=milvus.consistency,
    )
    return [[(hit[KEY], _cosine(hit["distance"])) for hit in hits] for hits in found]


def scanned(milvus: Connection, name: str, fields: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Yield the named integer columns of every row."""
    for page in milvus.pages(name, batch_size=MOST_HITS, output_fields=list(fields)):
        for row in page:
            yield tuple(row[field] for field in fields)


def count(milvus: Connection, name: str, where: str = "") -> int:
    """Count rows."""
    found = milvus.ask("query", name, filter=where, output_fields=["count(*)"])
    return int(found[0]["count(*)"])


def flush(milvus: Connection, generation: Generation) -> None:
    """Seal what was written."""
    for part in generation.all_parts():
        milvus.ask("flush", part.name)


def _cosine(similarity: float) -> float:
    return max(-1.0, min(1.0, round(similarity, 6)))

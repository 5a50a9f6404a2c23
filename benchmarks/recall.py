"""
How many of the true ten nearest products does the embedded index find, and at what cost?

    python benchmarks/recall.py [--rows 100000] [--dim 512] [--queries 200]

Clustered vectors: a centre per hundred rows, each with its own 24 directions, plus noise, as in
"engines measured" of the design. The truth comes from a product of matrices over the same rows.
Prints, before and after `optimize`, recall@10 and CPU time without a filter and with filters that
let 10 % and 1 % of the rows through, rows written per second, and what Python adds to a query.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zvec
from numpy.typing import NDArray

from crosslens.values import AttributeType, Floats, Modality, Space, Vectors
from crosslens.vectors.columns import space_column
from crosslens.vectors.filters import parse
from crosslens.vectors.index import IndexSpec, ProductRows
from crosslens.vectors.zvec_index import EF, REFINED_PER_HIT, ZvecIndex

CHUNK = 2_000
FILTERS = {
    "no filter": (None, 1, 0),
    "10 %": (parse("tenth = 3"), 10, 3),
    "1 %": (parse("hundredth = 7"), 100, 7),
}


class Cloud:
    """Clustered unit vectors; the same numbers for the same seed."""

    def __init__(self, clusters: int, dim: int) -> None:
        draw = np.random.default_rng(0)
        self.centres = draw.standard_normal((clusters, dim), dtype="f4")
        self.directions = draw.standard_normal((clusters, 24, dim), dtype="f4")

    def sample(self, count: int, seed: int) -> Floats:
        draw = np.random.default_rng(seed)
        clusters, _, dim = self.directions.shape
        of = draw.integers(0, clusters, count)
        inner = draw.standard_normal((count, 24), dtype="f4") * np.float32(0.75 / 24**0.5)
        rows = self.centres[of] + np.einsum("nk,nkd->nd", inner, self.directions[of])
        rows += draw.standard_normal((count, dim), dtype="f4") * np.float32(0.3)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def data(self, count: int) -> Floats:
        parts = [self.sample(min(CHUNK, count - at), 1 + at) for at in range(0, count, CHUNK)]
        return np.concatenate(parts)


def product_rows(spec: IndexSpec, array: Floats, first: int) -> Iterator[ProductRows]:
    """One product per vector, without pictures; its id decides which filters let it through."""
    nothing = Vectors(spec.picture[0], array[:0])
    for key, row in enumerate(array, start=first):
        attributes = {"tenth": str(key % 10), "hundredth": str(key % 100)}
        text = Vectors(spec.text[0], row[None])
        yield ProductRows(key, 1, (text,), (nothing,), (), attributes)


def truth(data: Floats, queries: Floats, every: int, remainder: int) -> NDArray[np.int64]:
    kept = np.arange(remainder, len(data), every)
    scores = queries @ data[kept].T
    return kept[np.argsort(-scores, axis=1, kind="stable")[:, :10]]


def recall(index: Any, data: Floats, queries: Floats, name: str) -> tuple[float, float]:
    """Return recall@10 and CPU milliseconds per query under one of the filters."""
    where, every, remainder = FILTERS[name]
    wanted = truth(data, queries, every, remainder)
    space, found = index.spec.text[0], []
    began = time.process_time()
    for row in queries:
        query = Vectors(space, row[None])
        found.append(index.nearest(query, Modality.TEXT, limit=10, where=where)[0])
    cpu = time.process_time() - began
    hits = sum(
        len({c.product_id for c in ours} & set(true.tolist()))
        for ours, true in zip(found, wanted, strict=True)
    )
    return hits / wanted.size, cpu / len(queries) * 1e3


def overhead(index: ZvecIndex, queries: Floats) -> float:
    """Return the median milliseconds that `nearest` adds to Zvec's own query for ten hits."""
    space = index.spec.text[0]
    param = zvec.HnswQueryParam(ef=EF, is_using_refiner=True, scale_factor=REFINED_PER_HIT)
    ours, bare = [], []
    for row in queries:
        began = time.thread_time()
        index.nearest(Vectors(space, row[None]), Modality.TEXT, limit=10)
        middle = time.thread_time()
        question = zvec.Query(space_column(space), vector=row, param=param)
        index._text.query(question, topk=10, output_fields=[])
        ours.append(middle - began)
        bare.append(time.thread_time() - middle)
    return (statistics.median(ours) - statistics.median(bare)) * 1e3


def table(index: ZvecIndex, data: Floats, queries: Floats, label: str) -> None:
    for name in FILTERS:
        found, cpu = recall(index, data, queries, name)
        print(f"{label:16} {name:10} recall@10 {found:.4f} {cpu:7.2f} CPU ms", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description="recall and cost of the embedded index")
    for name, default in (("--rows", 100_000), ("--dim", 512), ("--queries", 200)):
        options.add_argument(name, type=int, default=default)
    given = options.parse_args()
    cloud = Cloud(max(10, given.rows // 100), given.dim)
    data, queries = cloud.data(given.rows), cloud.sample(given.queries, 10**9)
    space, keyword = Space("cloud", given.dim), AttributeType.KEYWORD
    spec = IndexSpec((space,), (space,), {"tenth": keyword, "hundredth": keyword})
    with tempfile.TemporaryDirectory() as folder:
        index = ZvecIndex.create(Path(folder) / "index", spec)
        wall, cpu = time.time(), time.process_time()
        for at in range(0, given.rows, CHUNK):
            index.upsert(list(product_rows(spec, data[at : at + CHUNK], at)))
        wall, cpu = time.time() - wall, time.process_time() - cpu
        print(
            f"{given.rows:,} rows x {given.dim}: {given.rows / wall:,.0f} rows/s, "
            f"{given.rows / cpu:,.0f} rows per CPU s",
            flush=True,
        )
        table(index, data, queries[: max(20, given.queries // 4)], "before optimize")
        wall, cpu = time.time(), time.process_time()
        index.optimize()
        wall, cpu = time.time() - wall, time.process_time() - cpu
        print(f"optimize {wall:.1f} s, {cpu:.1f} CPU s", flush=True)
        table(index, data, queries, "after optimize")
        print(f"Python beyond Zvec's query: {overhead(index, queries):.3f} ms")
        index.close()


if __name__ == "__main__":
    main()

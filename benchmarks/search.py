"""
SearchEngine beside the bare calls it makes, in one run.

    python benchmarks/search.py --products 10000 100000

Bare is: the batched text tower, then Zvec's own query for ten rows. The engine does the same and
plans, ranks, reads ten products with their pictures from the catalogue and presents them. Vectors
of products are synthetic (clusters of unit vectors in the space of the built-in bundle); queries
are distinct texts, encoded for real, with the query cache off. Rounds of both are interleaved.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import zvec

from crosslens import settings, wiring
from crosslens.catalog.product import Picture, ProductFields
from crosslens.search.request import SearchRequest
from crosslens.values import Kind, Vectors
from crosslens.vectors.columns import space_column
from crosslens.vectors.index import ProductRows

WORDS = [
    "red",
    "blue",
    "green",
    "linen",
    "cotton",
    "silk",
    "dress",
    "shirt",
    "shoe",
    "bag",
    "lamp",
    "chair",
    "small",
    "large",
    "long",
]
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", nargs="+", type=int, default=[10_000])
    parser.add_argument("--queries", type=int, default=400, help="per round")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 8])
    options = parser.parse_args()
    print("| products | threads | what | queries/s | CPU ms per query | share of bare |")
    print("|---|---|---|---|---|---|")
    for products in options.products:
        with tempfile.TemporaryDirectory() as home:
            own = settings.load(Path(home), query_cache=0)
            with wiring.build(own) as app:
                fill(app, products)
                for threads in options.threads:
                    compare(app, products, threads, options.queries)


def fill(app: wiring.App, products: int) -> None:
    rng = np.random.default_rng(0)
    space = app.encoders.words.space
    centres = rng.standard_normal((1_000, space.dim)).astype("f4")
    for start in range(0, products, 1_000):
        ids = range(start + 1, min(start + 1_000, products) + 1)
        noise = rng.standard_normal((len(ids), space.dim)).astype("f4")
        vectors = Vectors.normalized(space, centres[rng.integers(0, 1_000, len(ids))] + 0.7 * noise)
        with app.catalog.transaction() as writes:
            for product_id in ids:
                picture = Picture(f"{product_id:064x}", 224, 224, "jpeg", 9_000)
                title = f"{WORDS[product_id % 15]} {WORDS[product_id % 7]} {product_id}"
                fields = ProductFields(
                    title, "", {"colour": WORDS[product_id % 3]}, str(product_id)
                )
                writes.insert(fields, [picture])
        app.index.upsert([row(product_id, vectors, n) for n, product_id in enumerate(ids)])
    app.index.optimize()


def row(product_id: int, vectors: Vectors, n: int) -> ProductRows:
    own = Vectors(vectors.space, vectors.array[n : n + 1])
    return ProductRows(product_id, 1, (own,), (own,), [str(product_id)], {})


def compare(app: wiring.App, products: int, threads: int, count: int) -> None:
    texts = distinct()
    collection = app.index_store.live()._held.index._pictures  # type: ignore[attr-defined]
    column = space_column(app.encoders.words.space)
    engine = app.engine

    def bare(text: str) -> object:
        vector = app.encoders.words.encode_queries([text]).array[0]
        param = zvec.HnswQueryParam(ef=128, is_using_refiner=True, scale_factor=4)
        query = zvec.Query(column, vector=vector, param=param)
        return collection.query(query, topk=10, output_fields=[])

    def whole(text: str) -> object:
        return engine.search(SearchRequest(text, kind=Kind.TEXT2IMAGE))

    rates: dict[str, list[tuple[float, float]]] = {"bare": [], "engine": []}
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            for name, ask in (("bare", bare), ("engine", whole)):
                rates[name].append(timed(pool, ask, [next(texts) for _ in range(count)]))
    bare_rate = statistics.median(rate for rate, _ in rates["bare"])
    for name, measured in rates.items():
        rate = statistics.median(rate for rate, _ in measured)
        cpu = statistics.median(cpu for _, cpu in measured)
        print(
            f"| {products:,} | {threads} | {name} | {rate:,.0f} | {cpu:.2f} "
            f"| {rate / bare_rate:.0%} |",
            flush=True,
        )


def timed(
    pool: ThreadPoolExecutor, ask: Callable[[str], object], texts: Sequence[str]
) -> tuple[float, float]:
    """Return queries per second and CPU milliseconds per query."""
    wall, cpu = time.perf_counter(), time.process_time()
    list(pool.map(ask, texts))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return len(texts) / wall, cpu * 1e3 / len(texts)


def distinct() -> Iterator[str]:
    rng = np.random.default_rng(1)
    while True:
        yield " ".join(rng.choice(WORDS, 3)) + f" {rng.integers(10_000)}"


if __name__ == "__main__":
    main()

"""
Keyword search of crosslens beside bm25s: same tokens, same data, one run.

    python benchmarks/beside_bm25s.py ../shared/data/cmrc2018_zh_dev ../shared/data/cranfield_en …

Each folder holds corpus.jsonl, queries.jsonl and qrels.tsv. crosslens is asked through its search
engine (`hybrid`, alpha 0); bm25s gets the tokens of the same texts by the same tokenizer, at its
own default settings (Lucene's BM25, k1 1.5, b 0.75) and at those of our engine.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

import bm25s
import numpy as np

from crosslens import settings, wiring
from crosslens.catalog.product import Product
from crosslens.corpora.judged import JudgedSet, open_judged
from crosslens.encode.keywords import item_tokens, query_tokens
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.judge import ask, report
from crosslens.evaluate.report import Report
from crosslens.evaluate.runs import Run
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from crosslens.vectors.bm25 import K1, B

MEASURES = ("ndcg@10", "recall@10", "map", "mrr")
DEPTH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    print("| set | queries | system | " + " | ".join(MEASURES) + " |")
    print("|---|---|---|" + "---|" * len(MEASURES))
    for folder in parser.parse_args().folders:
        compare(open_judged(folder, Kind.HYBRID))


def compare(judged: JudgedSet) -> None:
    with tempfile.TemporaryDirectory() as home, wiring.build(settings.load(Path(home))) as app:
        app.import_all(judged.products, threading.Event())
        asker = Asker(
            app.engine,
            app.catalog,
            app.media,
            SearchRequest("any", kind=Kind.HYBRID, alpha=0.0, limit=DEPTH),
        )
        ours = ask(judged.queries, asker, judged.qrels, threads=app.threads)
        products = [product for batch in app.catalog.stream() for product in batch]
    keys = [product.fields.source_key or "" for product in products]
    tokens = [list(item_tokens(text(product))) for product in products]
    rows = {
        "crosslens": ours,
        "bm25s, its defaults": peer(judged, keys, tokens, k1=1.5, b=0.75),
        f"bm25s, k1 {K1} b {B}": peer(judged, keys, tokens, k1=K1, b=B),
    }
    reports = {name: report(judged.queries, run, judged.qrels) for name, run in rows.items()}
    for name, found in reports.items():
        show(judged.name, name, found)
    print(f"| | | difference to its defaults | {difference(*list(reports.values())[:2])} |")


def text(product: Product) -> str:
    return f"{product.fields.title}\n{product.fields.description}"


def peer(judged: JudgedSet, keys: list[str], tokens: list[list[str]], **options: float) -> Run:
    retriever = bm25s.BM25(method="lucene", **options)
    retriever.index(tokens, show_progress=False)
    results = {}
    for query in judged.queries:
        asked = list(query_tokens(query.words or ""))
        known = [token for token in asked if token in retriever.vocab_dict]
        if not known:
            results[query.id] = []
            continue
        found, scores = retriever.retrieve([known], k=min(DEPTH, len(keys)), show_progress=False)
        pairs = zip(found[0].tolist(), scores[0].tolist(), strict=True)
        results[query.id] = [(keys[n], score) for n, score in pairs if score > 0]
    return Run(results)


def show(set_name: str, name: str, found: Report) -> None:
    cells = (
        "{:.4f} ({:.3f} – {:.3f})".format(found.metrics[m], *found.all.intervals[m])
        for m in MEASURES
    )
    print(f"| {set_name} | {found.all.queries} | {name} | " + " | ".join(cells) + " |", flush=True)


def difference(ours: Report, theirs: Report) -> str:
    """Mean paired difference with its 95 % bootstrap interval, per measure."""
    random = np.random.default_rng(0)
    cells = []
    for measure in MEASURES:
        gaps = np.asarray(ours.per_query[measure]) - np.asarray(theirs.per_query[measure])
        means = gaps[random.integers(0, len(gaps), (2_000, len(gaps)))].mean(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        cells.append(f"{gaps.mean():+.4f} ({low:+.4f} – {high:+.4f})")
    return " | ".join(cells)


if __name__ == "__main__":
    main()

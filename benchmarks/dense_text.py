"""
A text bundle at work for text2text: dense, keywords, and both fused, on judged sets in one table.

    crosslens model export FOLDER_OF_ALL_MINILM_L6_V2 --name minilm
    python benchmarks/dense_text.py minilm ../shared/data/cranfield_en ../shared/data/dbpedia50_en

With `--original FOLDER` the vectors of all queries and texts' first hundred are compared with
those that sentence-transformers computes from the same folder.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from crosslens import settings, wiring
from crosslens.corpora.judged import JudgedSet, open_judged
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.intervals import compare
from crosslens.evaluate.judge import ask, report
from crosslens.evaluate.report import Report
from crosslens.search.request import Fusion, SearchRequest
from crosslens.values import Kind

BASE = SearchRequest("any", kind=Kind.HYBRID, limit=100)
ALPHAS = (0.3, 0.5, 0.7, 0.9)
COMPARED = 100


def ways() -> Iterator[tuple[str, SearchRequest]]:
    yield "keywords", replace(BASE, alpha=0.0)
    yield "dense", replace(BASE, kind=Kind.TEXT2TEXT)
    for alpha in ALPHAS:
        yield f"hybrid by score, α {alpha}", replace(BASE, alpha=alpha, fusion=Fusion.SCORE)
    for alpha in ALPHAS:
        yield f"hybrid by rank, α {alpha}", replace(BASE, alpha=alpha)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="name in the user's home, or a folder")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--original", type=Path, help="the folder that the bundle was made from")
    options = parser.parse_args()
    own = settings.load()
    bundle = str(wiring.App(own).shelf.folder(options.bundle).absolute())
    print("| set | queries | search | nDCG@10 | R@10 | MAP | against keywords |")
    print("|---|---|---|---|---|---|---|")
    for folder in options.folders:
        with (
            tempfile.TemporaryDirectory() as home,
            wiring.build(settings.load(Path(home), text=bundle)) as app,
        ):
            judged = open_judged(folder, Kind.HYBRID)
            app.import_all(judged.products)
            for line in table(app, judged):
                print(line, flush=True)
            if options.original:
                print(f"\n{equality(app, judged, options.original)}\n", flush=True)


def table(app: wiring.App, judged: JudgedSet) -> Iterator[str]:
    keywords: Report | None = None
    for name, base in ways():
        asker = Asker(app.engine, app.catalog, app.media, base)
        found = report(
            judged.queries,
            ask(judged.queries, asker, judged.qrels, threads=app.threads),
            judged.qrels,
        )
        keywords = keywords or found
        low, high = found.all.intervals["ndcg@10"]
        cells = (f"{found.metrics[measure]:.4f}" for measure in ("recall@10", "map"))
        yield (
            f"| {judged.name} | {found.all.queries} | {name} | {found.metrics['ndcg@10']:.4f} "
            f"({low:.3f} – {high:.3f}) | {' | '.join(cells)} | {beside(found, keywords)} |"
        )


def beside(found: Report, keywords: Report) -> str:
    if found is keywords:
        return ""
    change = compare(found.per_query["ndcg@10"], keywords.per_query["ndcg@10"])
    return f"{change.difference:+.4f} ({change.low:+.3f} – {change.high:+.3f}), p {change.p:.3f}"


def equality(app: wiring.App, judged: JudgedSet, original: Path) -> str:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(original), device="cpu")
    products = [product for batch in app.catalog.stream() for product in batch][:COMPARED]
    loaded = app.bundle(app.settings.text)
    texts = [loaded.product_text(product) for product in products]
    queries = [query.words or "" for query in judged.queries]
    pairs = [
        (app.encoders.text.encode_queries(queries).array, queries),
        (app.encoders.text.encode_items(texts).array, texts),
    ]
    worst = max(
        float(np.abs(ours - model.encode(t, normalize_embeddings=True, batch_size=8)).max())
        for ours, t in pairs
    )
    return (
        f"{judged.name}: {len(queries)} queries and {len(texts)} texts, largest difference of a "
        f"component to sentence-transformers {worst:.1e}"
    )


if __name__ == "__main__":
    main()

"""
Search by words alone, and by words beside a picture drawn from them, on a judged set.

    python benchmarks/imagine.py sample --home /tmp/imagine-sample
    python benchmarks/imagine.py ../shared/data/fashion9k --home /tmp/imagine-fashion9k

SET is a folder, or the name of a set that comes along. HOME gets the products of the set where it
has none yet, indexed. Prints recall and nDCG of both with their 95 % intervals, the difference
with its interval and p-value question by question, a sign test, and how many CPU seconds a
question takes.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosslens import settings, wiring
from crosslens.corpora.judged import JudgedSet, open_judged
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.intervals import compare
from crosslens.evaluate.judge import evaluate
from crosslens.evaluate.report import Report
from crosslens.generate.studio import Studio
from crosslens.search.engine import Searcher
from crosslens.search.present import Answer
from crosslens.search.request import SearchRequest
from crosslens.values import Kind

MEASURES = ("recall@10", "ndcg@10")
DEPTH = 100
FILLED = "filled"


@dataclass(frozen=True)
class Imagining:
    """A search engine that draws what the words mean before it looks."""

    engine: Searcher
    studio: Studio

    def search(self, request: SearchRequest) -> Answer:
        picture = self.studio.imagine(request.words).content
        return self.engine.search(replace(request, pictures=(picture,), imagined=True))

    def search_many(self, requests: list[SearchRequest]) -> list[Answer]:
        return [self.search(request) for request in requests]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("set")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument(
        "--generator", default="", help="folder or name; the built-in one unless said"
    )
    parser.add_argument("--queries", type=int, help="ask only the first so many of a language")
    parser.add_argument("--languages", nargs="*", default=["en", "zh"])
    parser.add_argument(
        "--alpha", type=float, help="share of vectors; the bundle's own unless said"
    )
    asked = parser.parse_args()
    folder = wiring.SHIPPED_SETS.get(asked.set, Path(asked.set))
    _fill(asked.home, folder)
    with wiring.build(settings.load(asked.home, generator=asked.generator)) as app:
        print(
            f"{folder.name}, {app.catalog.summary().products} products, {app.studio.about().name}"
        )
        base = SearchRequest("any", kind=Kind.HYBRID, limit=DEPTH, alpha=asked.alpha)
        for language in asked.languages:
            judged = open_judged(
                folder, Kind.HYBRID, language=language, limit=asked.queries, gallery=False
            )
            print(f"{language}, {len(judged.queries)} questions")
            both = [
                _measured(name, judged, Asker(engine, app.catalog, app.media, base))
                for name, engine in (
                    ("words", app.engine),
                    ("imagined", Imagining(app.engine, app.studio)),
                )
            ]
            for measure in MEASURES:
                _beside(measure, *(np.asarray(each.per_query[measure]) for each in both))


def _fill(home: Path, folder: Path) -> None:
    """Import and index the set, going on where an earlier run was broken off."""
    if (home / FILLED).exists():
        return
    command = ["evaluate", str(folder), "--kind", "hybrid", "--queries", "1", "--keep", str(home)]
    subprocess.run([sys.executable, "-m", "crosslens", *command], check=True, capture_output=True)
    (home / FILLED).touch()


def _measured(name: str, judged: JudgedSet, asker: Asker) -> Report:
    started = time.process_time()
    found = evaluate(judged, asker, threads=1)
    seconds = (time.process_time() - started) / len(judged.queries)
    told = "  ".join(_told(found, measure) for measure in MEASURES)
    print(f"  {name:<9} {told}  {seconds:.3f} CPU s a question", flush=True)
    return found


def _told(found: Report, measure: str) -> str:
    low, high = found.all.intervals[measure]
    return f"{measure} {found.metrics[measure]:.3f} ({low:.3f} – {high:.3f})"


def _beside(measure: str, words: np.ndarray, imagined: np.ndarray) -> None:
    found = compare(imagined, words)
    better, worse = int((imagined > words).sum()), int((imagined < words).sum())
    print(
        f"  {measure}: {found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f}), "
        f"p {found.p:.3f}; better for {better}, worse for {worse} of {len(words)} questions, "
        f"sign test p {_sign(better, worse):.3f}",
        flush=True,
    )


def _sign(better: int, worse: int) -> float:
    """Two-sided probability of so uneven a split of fair coins."""
    count, few = better + worse, min(better, worse)
    tail = sum(math.comb(count, k) for k in range(few + 1)) / 2**count
    return float(min(1.0, 2 * tail))


if __name__ == "__main__":
    main()

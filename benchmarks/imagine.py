"""
Search by words alone, and by words beside a picture drawn from them, on a judged set.

    crosslens evaluate SET --kind hybrid --keep HOME
    python benchmarks/imagine.py SET HOME GENERATOR --queries 200

HOME holds the products of the set, indexed. Prints recall and nDCG of both with their intervals,
the difference query by query, and how many seconds a question takes with its picture.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosslens import settings, wiring
from crosslens.corpora.judged import open_judged
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.judge import evaluate
from crosslens.generate.studio import Studio
from crosslens.search.engine import Searcher
from crosslens.search.present import Answer
from crosslens.search.request import SearchRequest
from crosslens.values import Kind

MEASURES = ("recall@10", "ndcg@10")
DEPTH = 100


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("generator", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    asked = parser.parse_args()
    judged = open_judged(asked.set, Kind.HYBRID, limit=asked.queries, gallery=False)
    own = settings.load(asked.home, generator=str(asked.generator))
    with wiring.build(own) as app:
        base = SearchRequest("any", kind=Kind.HYBRID, limit=DEPTH)
        found = {}
        for name, engine in (
            ("words", app.engine), ("imagined", Imagining(app.engine, app.studio)),
        ):  # fmt: skip
            started = time.process_time()
            asker = Asker(engine, app.catalog, app.media, base)
            found[name] = evaluate(judged, asker, threads=1)
            seconds = (time.process_time() - started) / len(judged.queries)
            told = "  ".join(f"{each} {found[name].metrics[each]:.3f}" for each in MEASURES)
            print(f"{name:<10} {told}  {seconds:.3f} CPU s a question", flush=True)
        for each in MEASURES:
            per = [np.asarray(found[name].per_query[each]) for name in ("words", "imagined")]
            better, worse = int((per[1] > per[0]).sum()), int((per[1] < per[0]).sum())
            print(f"{each}: better for {better}, worse for {worse} of {len(per[0])} questions")


if __name__ == "__main__":
    main()

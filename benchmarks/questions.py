"""
Questions and answers: keywords, vectors, both, and both ranked again by a learned ranker.

    python benchmarks/questions.py ../shared/data/cmrc2018_zh_dev --home /tmp/questions

The ranker learns from every other question; everything is measured on the rest. Prints recall@1 and
@5 with 95 % bootstrap intervals, and the paired difference to both fused.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from crosslens import settings
from crosslens.corpora.judged import JudgedSet, open_judged
from crosslens.corpora.judgements import Query
from crosslens.encode.keywords import query_tokens
from crosslens.evaluate.asking import Asker, Listener
from crosslens.evaluate.intervals import compare
from crosslens.evaluate.judge import ask, report
from crosslens.evaluate.learning import Lessons, learned
from crosslens.evaluate.report import Report
from crosslens.search.learned import write_ranker
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from crosslens.wiring import RANKERS, App

SCENES = """
scenes:
  keyword: {match: {probes: {keyword: 1}}}
  dense: {match: {probes: {text2text: 1}}}
  both: {match: {probes: {text2text: 0.2, keyword: 0.8}}}
  both-by-score: {match: {probes: {text2text: 0.2, keyword: 0.8}}, rank: {fusion: score}}
"""
RERANKED = """
  reranked: {match: {probes: {text2text: 0.2, keyword: 0.8}}, rank: {reranker: taught}}
"""
DEPTH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    asked = parser.parse_args()
    asked.home.mkdir(parents=True, exist_ok=True)
    judged = open_judged(asked.folder, Kind.TEXT2TEXT)
    seen, unseen = judged.queries[::2], judged.queries[1::2]
    (asked.home / "scenes.yaml").write_text(SCENES, "utf-8")
    app = App(settings.load(asked.home))
    app.import_all(judged.products)
    lessons = Lessons({q.id: q.words or "" for q in seen}, judged.qrels, query_tokens)
    measured(app, judged, seen, "both", lessons)
    ranker = learned(list(lessons.all.values()), query_tokens, source=judged.name)
    write_ranker(asked.home / RANKERS / "taught.json", ranker)
    app.close()
    (asked.home / "scenes.yaml").write_text(SCENES + RERANKED, "utf-8")
    app = App(settings.load(asked.home))
    scenes = ("keyword", "dense", "both", "both-by-score", "reranked")
    shown({scene: measured(app, judged, unseen, scene) for scene in scenes})
    app.close()


def measured(
    app: App, judged: JudgedSet, queries: tuple[Query, ...], scene: str, *listeners: Listener
) -> Report:
    engine = app.stage(app.engine).within(scene)
    asker = Asker(engine, app.catalog, app.media, SearchRequest("any", limit=DEPTH), listeners)
    return report(queries, ask(queries, asker, judged.qrels), judged.qrels)


def shown(reports: Mapping[str, Report]) -> None:
    both = reports["both"]
    print("| scene | R@1 | R@5 | MRR | R@1 beside both |")
    print("|---|---|---|---|---|")
    for name, found in reports.items():
        cells = [
            "{:.4f} ({:.4f} – {:.4f})".format(found.metrics[m], *found.all.intervals[m])
            for m in ("recall@1", "recall@5", "mrr")
        ]
        beside = compare(found.per_query["recall@1"], both.per_query["recall@1"])
        print(f"| {name} | {' | '.join(cells)} | {beside.difference:+.4f}, p = {beside.p:.3f} |")
    print(f"{both.all.queries} questions, none of which the ranker has seen")


if __name__ == "__main__":
    main()

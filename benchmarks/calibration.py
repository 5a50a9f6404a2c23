"""
Calibrated relevance: its error before and after, and how many unanswerable questions are caught.

    python benchmarks/calibration.py ../shared/data/fashion9k --home /tmp/a --attribute articleType
    python benchmarks/calibration.py src/crosslens/bundled/sample --home /tmp/b --attribute category

Curves are learned from questions about half of the values of an attribute, and measured on those
about the other half, so neither questions nor kinds of products were seen. To make a question
unanswerable, a filter takes all products of the kind that is asked for out of the search.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crosslens import settings
from crosslens.corpora.jsonl import read_objects
from crosslens.corpora.judged import open_judged
from crosslens.corpora.judgements import Query
from crosslens.corpora.trec import Qrels
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.calibrating import Hearing, calibration_error, caught, fitted
from crosslens.evaluate.judge import ask
from crosslens.search.present import LOOKED_AT
from crosslens.search.relevance import Curve
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from crosslens.vectors.filters import Compare
from crosslens.wiring import App

KINDS = (Kind.TEXT2TEXT, Kind.TEXT2IMAGE, Kind.HYBRID)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--attribute", required=True)
    parser.add_argument("--language", default="en")
    asked = parser.parse_args()
    values = {
        str(row["id"]): str(row["attributes"][asked.attribute])
        for _, row in read_objects(asked.folder / "queries.jsonl")
    }
    asked.home.mkdir(parents=True, exist_ok=True)
    app = App(settings.load(asked.home, attributes={asked.attribute: "keyword"}))
    app.import_all(open_judged(asked.folder, Kind.HYBRID).products)
    for kind in KINDS:
        measure(app, asked, values, kind)
    app.close()


def measure(app: App, asked: argparse.Namespace, values: dict[str, str], kind: Kind) -> None:
    judged = open_judged(asked.folder, kind, language=asked.language)
    known = sorted(set(values.values()))
    taught = set(known[::2])
    of = {query.id: values[query.id.partition(":")[0]] for query in judged.queries}
    seen = [query for query in judged.queries if of[query.id] in taught]
    unseen = [query for query in judged.queries if of[query.id] not in taught]
    curve = fitted(heard(app, seen, judged.qrels, kind), judged.qrels, app.probe_spaces)
    hearing = heard(app, unseen, judged.qrels, kind)
    hits = [
        (hit, judged.qrels[name].get(hit.key, 0) > 0)
        for name, found in hearing.hits.items()
        for hit in found
    ]
    relevant = np.array([right for _, right in hits])
    before = np.array([min(1.0, max(0.0, *hit.scores.values())) for hit, _ in hits])
    after = np.array([curve(hit.scores) for hit, _ in hits])
    none = Hearing()
    for query in unseen:
        without = Compare(asked.attribute, "!=", of[query.id])
        base = SearchRequest("any", kind=kind, limit=LOOKED_AT, where=without)
        asker = Asker(app.engine, app.catalog, app.media, base, (none,))
        asker(replace(query))
    told = {
        "set": asked.folder.name,
        "kind": kind.value,
        "questions": [len(seen), len(unseen)],
        "error_before": round(calibration_error(before, relevant), 4),
        "error_after": round(calibration_error(after, relevant), 4),
        "caught_at_5_percent": round(caught(best(hearing, curve), best(none, curve)), 3),
        "false_alarms_of_the_threshold": round(
            float((best(hearing, curve) < curve.least).mean()), 3
        ),
    }
    print(json.dumps(told), flush=True)


def heard(app: App, queries: Sequence[Query], qrels: Qrels, kind: Kind) -> Hearing:
    hearing = Hearing()
    base = SearchRequest("any", kind=kind, limit=20)
    ask(queries, Asker(app.engine, app.catalog, app.media, base, (hearing,)), qrels)
    return hearing


def best(hearing: Hearing, curve: Curve) -> np.ndarray:
    return np.array(
        [
            max((curve(hit.scores) for hit in hits[:LOOKED_AT]), default=0.0)
            for hits in hearing.hits.values()
        ]
    )


if __name__ == "__main__":
    main()

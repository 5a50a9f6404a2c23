"""Measures of a run: for a table, for JSON, for comparing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosslens.evaluate import metrics
from crosslens.evaluate.intervals import intervals
from crosslens.evaluate.metrics import Grades, JudgedRanks, PerQuery, judge_ranks

KS = (1, 5, 10)
AT_TEN = 10


@dataclass(frozen=True, slots=True)
class Part:
    """Means over some of the queries, with their 95 % intervals."""

    queries: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        bounds = {name: list(bounds) for name, bounds in self.intervals.items()}
        return {"queries": self.queries, "metrics": dict(self.metrics), "intervals": bounds}


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a run is worth.

    Attributes:
        all: over all judged queries.
        products: size of the gallery; 0 when it is not known.
        depth: most results of one query; `mrr` and `map` look no deeper.
        seconds: wall-clock time of the searches.
        unanswerable: judged queries without any relevant product; they score 0.
        failed: query id → why it has no results; they score 0.
        by: what is compared ("language", "change") → value → part.
        details: what else belongs to the figures: set, kind, bundle, commit, …
        per_query: measure → float64 [queries], in the order of `query_ids`.
    """

    all: Part
    depth: int
    seconds: float
    products: int = 0
    unanswerable: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    by: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    query_ids: tuple[str, ...] = field(default=(), repr=False)
    per_query: Mapping[str, PerQuery] = field(default_factory=dict, repr=False)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Measure → mean over all judged queries."""
        return self.all.metrics

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object: metrics, intervals, queries, products, seconds, by, details."""
        by = {
            name: {value: part.as_json() for value, part in parts.items()}
            for name, parts in self.by.items()
        }
        return {
            **self.details,
            **self.all.as_json(),
            "products": self.products,
            "depth": self.depth,
            "seconds": round(self.seconds, 3),
            "unanswerable": self.unanswerable,
            "failed": dict(self.failed),
            "by": by,
        }

    def rows(self) -> list[tuple[str, ...]]:
        """Return a table of text: a heading, then measure, mean, interval, a column per part."""
        parts = [(value, part) for found in self.by.values() for value, part in found.items()]
        heading = ("measure", "mean", "95 % interval", *(value for value, _ in parts))
        return [heading, *(self._row(name, [part for _, part in parts]) for name in self.metrics)]

    def _row(self, name: str, parts: Sequence[Part]) -> tuple[str, ...]:
        low, high = self.all.intervals.get(name, (np.nan, np.nan))
        means = (f"{part.metrics[name]:.4f}" for part in parts)
        return (name, f"{self.metrics[name]:.4f}", f"{low:.4f} to {high:.4f}", *means)


def measures(judged: JudgedRanks, *, ks: Sequence[int] = KS) -> dict[str, PerQuery]:
    """Compute `recall@k` and `hit@k` for each k, then `mrr@10`, `mrr`, `map`, `ndcg@10`: [Q]."""
    named: dict[str, Callable[[JudgedRanks, int], PerQuery]] = {
        "recall": metrics.recall,
        "hit": metrics.hit,
    }
    found = {f"{name}@{k}": of(judged, k) for name, of in named.items() for k in ks}
    return found | {
        f"mrr@{AT_TEN}": metrics.reciprocal_rank(judged, AT_TEN),
        "mrr": metrics.reciprocal_rank(judged),
        "map": metrics.average_precision(judged),
        f"ndcg@{AT_TEN}": metrics.ndcg(judged, AT_TEN),
    }


def per_query(
    rankings: Sequence[Sequence[str]], judgements: Sequence[Grades], *, ks: Sequence[int] = KS
) -> dict[str, PerQuery]:
    """Compute every measure for rankings of product keys and their judgements, query by query."""
    return measures(judge_ranks(rankings, judgements), ks=ks)


def part(
    values: Mapping[str, PerQuery],
    chosen: Iterable[int],
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> Part:
    """Summarise the queries at these positions."""
    index = np.fromiter(chosen, dtype=np.int64)
    kept = {name: column[index] for name, column in values.items()}
    means = {name: float(column.mean()) for name, column in kept.items()} if len(index) else {}
    labels = [groups[position] for position in index]
    return Part(len(index), means, intervals(kept, groups=labels, seed=seed))

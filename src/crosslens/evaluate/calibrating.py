"""Learn from judgements how likely a score means relevance, and measure how true that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosslens.corpora.trec import Qrels
from crosslens.errors import InvalidRequest
from crosslens.search.present import Answer
from crosslens.search.relevance import Curve, evened
from crosslens.values import Kind

DEPTH = 20
"""Hits per query that are learned from: what people look at."""

BINS = 15
FEWEST = 20  # relevant hits, and others
FALSE_ALARMS = 0.05
_RIDGE = 1e-2
_STEPS = 50
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """
    A hit of an evaluation.

    Attributes:
        scores: raw score per probe that found it.
        relevance: what the curve in use says; None without one.
    """

    key: str
    scores: Mapping[str, float]
    relevance: float | None = None


@dataclass
class Hearing:
    """The best hits of every query of an evaluation; filled from several threads."""

    kind: Kind | None = None
    hits: dict[str, list[Heard]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, query_id: str, answer: Answer) -> None:
        """Take the answer to a query; it must have been asked with `explain`."""
        heard = [
            Heard(hit.product.fields.source_key or str(hit.product.id), hit.scores, hit.relevance)
            for hit in answer.hits[:DEPTH]
        ]
        with self._lock:
            self.kind = answer.kind
            self.hits[query_id] = heard


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    How true probabilities are: expected calibration errors, 0 is perfect.

    Attributes:
        before: if the best raw score, cut to [0, 1], is taken for a probability.
        after: of a curve learned from the other half of the queries (two folds); NaN where one
            half has too little to learn from.
        in_use: of the curve of this catalogue; None without one.
    """

    hits: int
    before: float
    after: float
    in_use: float | None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "hits": self.hits,
            "error_before": round(self.before, 4),
            "error_after": None if math.isnan(self.after) else round(self.after, 4),
            "error_in_use": None if self.in_use is None else round(self.in_use, 4),
        }


def measured(hearing: Hearing, qrels: Qrels) -> Calibration | None:
    """Measure calibration over the hits of judged queries; None if too little is judged."""
    table = _Table.of(hearing, qrels)
    if not _is_enough(table.relevant):
        return None
    told = [h.relevance for h in table.hits]
    known = np.array([each for each in told if each is not None])
    in_use = calibration_error(known, table.relevant) if len(known) == len(told) else None
    after = _cross_fitted(table)
    before = calibration_error(np.clip(table.best, 0, 1), table.relevant)
    error = float("nan") if after is None else calibration_error(after, table.relevant)
    return Calibration(len(table.hits), before, error, in_use)


def fitted(hearing: Hearing, qrels: Qrels, spaces: Mapping[str, str]) -> Curve:
    """
    Learn a curve from all judged queries.

    Args:
        spaces: probe → name of its space.

    Raises:
        InvalidRequest: too little is judged to learn from.
    """
    table = _Table.of(hearing, qrels)
    found = measured(hearing, qrels)
    if hearing.kind is None or found is None:
        raise InvalidRequest(
            f"calibrating needs {FEWEST} relevant hits and {FEWEST} others, there are "
            f"{int(table.relevant.sum())} and {int((~table.relevant).sum())}"
        )
    weights = _logistic(table.features, table.relevant)
    names = table.probes
    chances = _sigmoid(table.features @ weights[1:] + weights[0])
    least = _least_best(chances, table)
    return Curve(
        hearing.kind,
        {name: spaces[name] for name in names if name in spaces},
        float(weights[0]),
        {name: float(weights[1 + n]) for n, name in enumerate(names)},
        {name: float(weights[1 + len(names) + n]) for n, name in enumerate(names)},
        least,
        found.as_json() | {"queries": len(hearing.hits)},
    )


def calibration_error(chances: Column, relevant: NDArray[np.bool_], *, bins: int = BINS) -> float:
    """
    Return the expected calibration error: |mean chance - share that is relevant|, [0, 1].

    Averaged over bins of equal numbers (Naeini, Cooper, Hauskrecht 2015; Nixon and others 2019).
    """
    if not len(chances):
        return 0.0
    order = np.argsort(chances, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [abs(chances[part].mean() - relevant[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(order))


def caught(answerable: Column, unanswerable: Column) -> float:
    """Return the share of unanswerable questions below the 5 % quantile of the answerable ones."""
    return float((unanswerable < np.quantile(answerable, FALSE_ALARMS)).mean())


@dataclass(frozen=True, slots=True)
class _Table:
    """Hits as rows: features are scores, then which probes are absent."""

    hits: Sequence[Heard]
    query: NDArray[np.int64]
    relevant: NDArray[np.bool_]
    probes: tuple[str, ...]
    features: Column
    best: Column

    @classmethod
    def of(cls, hearing: Hearing, qrels: Qrels) -> _Table:
        judged = [query for query in hearing.hits if query in qrels]
        hits = [hit for query in judged for hit in hearing.hits[query]]
        query = np.repeat(np.arange(len(judged)), [len(hearing.hits[q]) for q in judged])
        right = [qrels[name].get(hit.key, 0) > 0 for name in judged for hit in hearing.hits[name]]
        probes = tuple(dict.fromkeys(name for hit in hits for name in hit.scores))
        features = np.array([_row(hit.scores, probes) for hit in hits]).reshape(
            len(hits), 2 * len(probes)
        )
        best = np.array([max(hit.scores.values(), default=0.0) for hit in hits])
        return cls(hits, query, np.array(right, np.bool_), probes, features, best)


def _row(scores: Mapping[str, float], probes: Sequence[str]) -> list[float]:
    even = [evened(name, scores[name]) if name in scores else 0.0 for name in probes]
    return even + [float(name not in scores) for name in probes]


def _is_enough(relevant: NDArray[np.bool_]) -> bool:
    return bool(relevant.sum() >= FEWEST and (~relevant).sum() >= FEWEST)


def _cross_fitted(table: _Table) -> Column | None:
    """Give each hit the chance of a curve that never saw its query."""
    chances = np.zeros(len(table.hits))
    fold = table.query % 2
    for side in (0, 1):
        held = fold == side
        if len(set(table.relevant[~held].tolist())) < 2:
            return None
        weights = _logistic(table.features[~held], table.relevant[~held])
        chances[held] = _sigmoid(table.features[held] @ weights[1:] + weights[0])
    return chances


def _logistic(features: Column, relevant: NDArray[np.bool_]) -> Column:
    """
    Fit by Newton's method with a small ridge; targets are drawn in as Platt (1999) does.

    Slopes of scores that come out below 0 are set to 0 and the rest is fitted again.
    """
    scores = features.shape[1] // 2
    used = np.ones(features.shape[1], np.bool_)
    while True:
        weights = _newton(features[:, used], relevant)
        whole = np.zeros(features.shape[1] + 1)
        whole[0], whole[1:][used] = weights[0], weights[1:]
        falling = np.flatnonzero(whole[1 : scores + 1] < 0)
        if not len(falling):
            return whole
        used[falling] = False


def _newton(features: Column, relevant: NDArray[np.bool_]) -> Column:
    good, bad = int(relevant.sum()), int((~relevant).sum())
    target = np.where(relevant, (good + 1) / (good + 2), 1 / (bad + 2))
    rows = np.column_stack([np.ones(len(features)), features])
    ridge = np.diag([0.0, *([_RIDGE] * features.shape[1])])
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = _sigmoid(rows @ weights)
        slope = rows.T @ (chance - target) + ridge @ weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge
        step = np.linalg.solve(curve + 1e-9 * np.eye(len(curve)), slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _least_best(chances: Column, table: _Table) -> float:
    """Return the 5 % quantile, over queries that found something right, of the best chance."""
    best = [
        chances[table.query == query].max()
        for query in np.unique(table.query[table.relevant]).tolist()
    ]
    return float(np.quantile(best, FALSE_ALARMS)) if best else 0.0


def _sigmoid(values: Column) -> Column:
    chances: Column = 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return chances

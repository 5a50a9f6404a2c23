"""
Quality of ranked results, per query; equal to ir-measures on the same run.

A grade of 1 and above is relevant; products that nobody judged have grade 0. A query without a
relevant product scores 0 everywhere, as in trec_eval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

PerQuery: TypeAlias = NDArray[np.float64]
Grades: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRanks:
    """
    Results with their grades: Q queries, D ranks, best first.

    Attributes:
        grades: int64 [Q, D], the grade of the product at each rank, 0 where there is none.
        ideal: int64 [Q, G], all positive grades of each query, best first, 0 as padding.
    """

    grades: NDArray[np.int64]
    ideal: NDArray[np.int64]

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """Which ranks hold a relevant product: bool [Q, D]."""
        return self.grades > 0

    @property
    def total(self) -> NDArray[np.int64]:
        """How many relevant products each query has, found or not: int64 [Q]."""
        totals: NDArray[np.int64] = (self.ideal > 0).sum(axis=1)
        return totals


def judge_ranks(rankings: Sequence[Sequence[str]], judgements: Sequence[Grades]) -> JudgedRanks:
    """Look up the grade of every result; both sequences are in the order of the queries."""
    ideals = [sorted((g for g in grades.values() if g > 0), reverse=True) for grades in judgements]
    found = [
        [max(grades.get(key, 0), 0) for key in keys]
        for keys, grades in zip(rankings, judgements, strict=True)
    ]
    return JudgedRanks(_padded(found), _padded(ideals))


def recall(judged: JudgedRanks, k: int) -> PerQuery:
    """Relevant products among the first k / relevant products there are (`R@k`): [0, 1]."""
    return _ratio(judged.relevant[:, :k].sum(axis=1), judged.total)


def hit(judged: JudgedRanks, k: int) -> PerQuery:
    """1 where any of the first k is relevant (`Success@k`; the R@k of caption retrieval papers)."""
    found: PerQuery = np.any(judged.relevant[:, :k], axis=1).astype(np.float64)
    return found


def precision(judged: JudgedRanks, k: int) -> PerQuery:
    """Relevant products among the first k / k (`P@k`); missing results count as wrong: [0, 1]."""
    return _ratio(judged.relevant[:, :k].sum(axis=1), np.full(len(judged.grades), k))


def reciprocal_rank(judged: JudgedRanks, k: int | None = None) -> PerQuery:
    """1 / the rank of the first relevant product, 0 if it is beyond k (`RR@k`): [0, 1]."""
    relevant = judged.relevant[:, :k]
    if not relevant.shape[1]:
        return np.zeros(len(relevant))
    first = relevant.argmax(axis=1) + 1
    return _ratio(relevant.max(axis=1), first)


def average_precision(judged: JudgedRanks, k: int | None = None) -> PerQuery:
    """Mean, over all relevant products, of the precision at their rank (`AP@k`): [0, 1]."""
    relevant = judged.relevant[:, :k]
    ranks = np.arange(1, relevant.shape[1] + 1)
    precisions = relevant.cumsum(axis=1) / ranks
    # Added up in order of rank: a plain sum groups otherwise as columns are added, and could fall.
    gained = (precisions * relevant).cumsum(axis=1)[:, -1:].sum(axis=1)
    return _ratio(gained, judged.total)


def ndcg(judged: JudgedRanks, k: int | None = None) -> PerQuery:
    """
    Discounted gain / that of the best order (`nDCG@k`): [0, 1].

    The gain is the grade itself and the discount log2(rank + 1), as in trec_eval (Järvelin and
    Kekäläinen 2002), not 2^grade - 1.
    """
    return _ratio(_discounted(judged.grades[:, :k]), _discounted(judged.ideal[:, :k]))


def _discounted(grades: NDArray[np.int64]) -> PerQuery:
    total: PerQuery = grades @ (1.0 / np.log2(np.arange(2, grades.shape[1] + 2)))
    return total


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> PerQuery:
    """Divide, 0 where there is nothing to divide by."""
    out = np.zeros(len(part), dtype=np.float64)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    out = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int64)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out

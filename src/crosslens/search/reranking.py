"""Second looks at the best of a ranking: boosts, rerankers, diversity, grouping. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from crosslens.catalog.product import Product
from crosslens.search.present import Hit
from crosslens.search.scenes import Boost
from crosslens.values import AttributeType, Floats
from crosslens.vectors import filters


@dataclass(slots=True)
class Candidate:
    """
    A hit on its way through the ranking.

    Attributes:
        score: what it counts now; larger is better.
        stages: stage → score after it, for those who ask why.
    """

    hit: Hit
    score: float
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def product(self) -> Product:
        """The product."""
        return self.hit.product


@dataclass(frozen=True, slots=True)
class Question:
    """What a reranker may know of a question."""

    words: str = ""
    tokens: Sequence[str] = ()


class Reranker(Protocol):
    """Gives the best of a ranking new scores."""

    def scores(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Score candidates, larger is better, one per candidate and in their order."""
        ...


Likeness = Callable[[Sequence[Candidate]], Floats]
"""Cosines of candidates with each other: [N, N]."""


def boosted(
    candidates: Sequence[Candidate],
    boosts: Sequence[Boost],
    types: Mapping[str, AttributeType],
) -> list[Candidate]:
    """Multiply scores of products that fit; scores below 0 are divided, so that more is better."""
    if not boosts:
        return list(candidates)
    for candidate in candidates:
        values = filters.indexed(candidate.product.fields.attributes, types)
        for boost in boosts:
            if filters.holds(boost.where, values):
                up = candidate.score >= 0 or boost.times == 0
                candidate.score *= boost.times if up else 1 / boost.times
        candidate.stages["boosts"] = candidate.score
    return ordered(candidates)


def rescored(
    candidates: Sequence[Candidate], question: Question, reranker: Reranker, depth: int
) -> list[Candidate]:
    """Rank the first `depth` anew by a reranker; the rest follows as it was."""
    head, rest = list(candidates[:depth]), list(candidates[depth:])
    for candidate, score in zip(head, reranker.scores(question, head), strict=True):
        candidate.score = float(score)
        candidate.stages["reranker"] = candidate.score
    return ordered(head) + rest


def diverse(
    candidates: Sequence[Candidate], likeness: Likeness, *, diversity: float, depth: int
) -> list[Candidate]:
    """
    Pick, one after the other, what is both good and unlike what was picked.

    Maximal marginal relevance (Carbonell and Goldstein 1998): (1 - d) · relevance - d · greatest
    likeness to what was picked. Relevance is scaled to [0, 1] over the first `depth`, which alone
    are picked from; the rest follows as it was.
    """
    head, rest = list(candidates[:depth]), list(candidates[depth:])
    if diversity == 0 or len(head) < 3:
        return head + rest
    scores = np.array([candidate.score for candidate in head])
    span = float(np.ptp(scores)) or 1.0
    relevance, alike = (scores - scores.min()) / span, likeness(head)
    nearest = np.full(len(head), -1.0)
    left = np.ones(len(head), np.bool_)
    order: list[int] = []
    for _ in head:
        worth = (1 - diversity) * relevance - diversity * np.maximum(nearest, 0)
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        head[best].stages["diversity"] = float(worth[best])
        left[best] = False
        order.append(best)
        nearest = np.maximum(nearest, alike[best])
    return [head[n] for n in order] + rest


def grouped(candidates: Iterable[Candidate], name: str, most: int) -> list[Candidate]:
    """Keep at most so many of each value of an attribute; products without it are all kept."""
    if not name:
        return list(candidates)
    seen: Counter[str] = Counter()
    kept = []
    for candidate in candidates:
        value = candidate.product.fields.attributes.get(name)
        if value is not None:
            seen[str(value)] += 1
        if value is None or seen[str(value)] <= most:
            kept.append(candidate)
    return kept


def ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Order by falling score; equals stay as they were."""
    return sorted(candidates, key=lambda candidate: -candidate.score)


def words_alike(tokens: Callable[[str], Sequence[str]]) -> Likeness:
    """Compare titles by their words: cosine of the sets."""

    def likeness(candidates: Sequence[Candidate]) -> Floats:
        sets = [frozenset(tokens(candidate.product.title)) for candidate in candidates]
        alike = np.eye(len(sets), dtype=np.float32)
        for n, one in enumerate(sets):
            for m in range(n):
                lengths = len(one) * len(sets[m])
                alike[n, m] = alike[m, n] = len(one & sets[m]) / np.sqrt(lengths) if lengths else 0
        return alike

    return likeness

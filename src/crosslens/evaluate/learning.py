"""Learn a ranker from judgements or from clicks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from crosslens.catalog.exposures import Action, Told
from crosslens.catalog.product import Product
from crosslens.corpora.trec import Qrels
from crosslens.errors import InvalidRequest
from crosslens.search.learned import LinearRanker, Tokens, feature_names, features
from crosslens.search.present import Answer, Hit
from crosslens.search.reranking import Candidate, Question

DEPTH = 50
FEWEST_PAIRS = 50
MOST_PAIRS = 200  # of one question, so that none outweighs the others
RIDGE = 1.0
_STEPS = 30
_WANTED = {Action.CLICK: 1, Action.CART: 2, Action.BUY: 3}
Grades = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lesson:
    """The hits of one question, in their fused order, and how good each is."""

    question: Question
    hits: Sequence[Hit]
    grades: Sequence[int]


@dataclass
class Lessons:
    """
    Questions of an evaluation with their best hits; filled from several threads.

    Args:
        words: query → what was asked.
    """

    words: Mapping[str, str]
    qrels: Qrels
    tokens: Tokens
    all: dict[str, Lesson] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, query_id: str, answer: Answer) -> None:
        """Take the answer to a query; it must have been asked with `explain`."""
        words, grades = self.words.get(query_id, ""), self.qrels.get(query_id, {})
        hits = answer.hits[:DEPTH]
        told = [grades.get(hit.product.fields.source_key or "", 0) for hit in hits]
        with self._lock:
            self.all[query_id] = Lesson(Question(words, self.tokens(words)), hits, told)


def lessons_of_clicks(
    told: Iterable[Told],
    products: Callable[[Sequence[int]], Mapping[int, Product]],
    tokens: Tokens,
) -> list[Lesson]:
    """
    Turn feedback into lessons: what was clicked is better than what stood above and was not.

    Products below the last click are left out, since nobody may have looked at them (Joachims:
    Optimizing Search Engines Using Clickthrough Data, KDD 2002).
    """
    lessons = []
    for each in told:
        grade = {f.product_id: _WANTED.get(f.action, 0) for f in each.feedback}
        places = [n for n, s in enumerate(each.exposure.shown) if grade.get(s.product_id, 0) > 0]
        if not places:
            continue
        shown = each.exposure.shown[: places[-1] + 1]
        known = products([s.product_id for s in shown])
        hits = [
            Hit(known[s.product_id], s.score, None, s.scores)
            for s in shown
            if s.product_id in known
        ]
        words = str(each.exposure.asked.get("words", ""))
        grades = [grade.get(hit.product.id, 0) for hit in hits]
        lessons.append(Lesson(Question(words, tokens(words)), hits, grades))
    return lessons


def learned(
    lessons: Sequence[Lesson], tokens: Tokens, *, source: str, seed: int = 0
) -> LinearRanker:
    """
    Learn weights so that the better of two hits of a question scores higher.

    Logistic loss over pairs of a linear score (RankNet, Burges and others 2005).

    Raises:
        InvalidRequest: there are too few pairs of better and worse hits.
    """
    probes = tuple(sorted({name for each in lessons for hit in each.hits for name in hit.scores}))
    rng = np.random.default_rng(seed)
    tables, pairs = [], []
    start = 0
    for each in lessons:
        table = _table(each, probes, tokens)
        tables.append(table)
        pairs.append(_pairs(np.array(each.grades, np.int64), rng) + start)
        start += len(table)
    joined = np.concatenate([np.empty((0, 2), np.int64), *pairs])
    if len(joined) < FEWEST_PAIRS:
        raise InvalidRequest(
            f"learning needs {FEWEST_PAIRS} pairs of better and worse hits, there are {len(joined)}"
        )
    whole = np.concatenate([table for table in tables if len(table)])
    centre, scale = whole.mean(axis=0), np.maximum(whole.std(axis=0), 1e-6)
    even = (whole - centre) / scale
    weights = _newton(even[joined[:, 0]] - even[joined[:, 1]])
    about = {"source": source, "questions": len(lessons), "pairs": len(joined)}
    return LinearRanker(
        probes,
        tuple(weights.tolist()),
        tuple(centre.tolist()),
        tuple(scale.tolist()),
        tokens,
        about
        | {"weights": dict(zip(feature_names(probes), weights.round(3).tolist(), strict=True))},
    )


def _table(lesson: Lesson, probes: Sequence[str], tokens: Tokens) -> NDArray[np.float64]:
    if not lesson.hits:
        return np.empty((0, len(feature_names(probes))))
    candidates = [Candidate(hit, hit.score) for hit in lesson.hits]
    return np.asarray(features(lesson.question, candidates, probes, tokens), np.float64)


def _pairs(grades: Grades, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pair each hit with those of a lower grade: [P, 2], the better one first."""
    better, worse = np.nonzero(grades[:, None] > grades[None, :])
    chosen = np.stack([better, worse], axis=1)
    if len(chosen) > MOST_PAIRS:
        chosen = chosen[rng.choice(len(chosen), MOST_PAIRS, replace=False)]
    return chosen


def _newton(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.zeros(differences.shape[1])
    ridge = RIDGE * np.eye(len(weights))
    for _ in range(_STEPS):
        wrong = 1 / (1 + np.exp(np.clip(differences @ weights, -500, 500)))
        slope = ridge @ weights - differences.T @ wrong
        curve = (differences * (wrong * (1 - wrong))[:, None]).T @ differences + ridge
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights

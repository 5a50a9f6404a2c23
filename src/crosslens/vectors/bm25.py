"""BM25 as the engines compute it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

K1: Final = 1.2
B: Final = 0.75


def bm25(query: Iterable[str], documents: Mapping[int, Counter[str]]) -> dict[int, float]:
    """
    Score the documents that hold any word of the query.

    score = Σ idf(w) · tf · (k1 + 1) / (tf + k1 · (1 - b + b · length / mean length)) over the
    words w of the query, idf(w) = ln(1 + (N - df + 0.5) / (df + 0.5)); Robertson and Zaragoza,
    "The Probabilistic Relevance Framework", 2009, with Lucene's idf, which is never negative.
    k1 = 1.2 and b = 0.75 are what Zvec 0.8 uses (its scores agree to 1e-6).

    Args:
        documents: how often each word occurs, by document.

    Returns:
        Scores > 0 by document; those without any of the words are left out.
    """
    lengths = {key: counts.total() for key, counts in documents.items()}
    mean = sum(lengths.values()) / max(1, len(lengths))
    scores: dict[int, float] = {}
    for word in query:
        holders = {key: counts[word] for key, counts in documents.items() if word in counts}
        idf = math.log(1 + (len(documents) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key, tf in holders.items():
            saturated = tf * (K1 + 1) / (tf + K1 * (1 - B + B * lengths[key] / mean))
            scores[key] = scores.get(key, 0.0) + idf * saturated
    return scores

"""BM25 as the engines compute it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

K1: Final = 1.2
B: Final = 0.75

WordT = TypeVar("WordT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Corpus:
    """
    What is known of all documents, where only some of them are at hand.

    Attributes:
        length: words of a document, on average.
    """

    documents: int
    length: float

    @classmethod
    def of(cls, documents: Mapping[int, Counter[WordT]]) -> Corpus:
        """Count documents that are all at hand."""
        words = sum(counts.total() for counts in documents.values())
        return cls(len(documents), words / max(1, len(documents)))


def bm25(
    query: Iterable[WordT],
    documents: Mapping[int, Counter[WordT]],
    *,
    corpus: Corpus | None = None,
    held: Mapping[WordT, int] | None = None,
) -> dict[int, float]:
    """
    Score the documents that hold any word of the query.

    score = Σ idf(w) · tf · (k1 + 1) / (tf + k1 · (1 - b + b · length / mean length)) over the
    words w of the query, idf(w) = ln(1 + (N - df + 0.5) / (df + 0.5)); Robertson and Zaragoza,
    "The Probabilistic Relevance Framework", 2009, with Lucene's idf, which is never negative.
    k1 = 1.2 and b = 0.75 are what Zvec 0.8 uses (its scores agree to 1e-6).

    Args:
        documents: how often each word occurs, by document.
        corpus: what is known of all documents; None: these are all.
        held: in how many documents words are; None: in as many as these.

    Returns:
        Scores > 0 by document; those without any of the words are left out.
    """
    whole = corpus or Corpus.of(documents)
    lengths = {key: counts.total() for key, counts in documents.items()}
    mean, scores = whole.length or 1.0, dict[int, float]()
    for word in query:
        holders = {key: counts[word] for key, counts in documents.items() if word in counts}
        df = max(len(holders), (held or {}).get(word, 0))
        idf = math.log(1 + (max(whole.documents, df) - df + 0.5) / (df + 0.5))
        for key, tf in holders.items():
            saturated = tf * (K1 + 1) / (tf + K1 * (1 - B + B * lengths[key] / mean))
            scores[key] = scores.get(key, 0.0) + idf * saturated
    return scores

"""Rank the best again by a cross-encoder, which reads question and product together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.encode.pairs import PairScorer
from crosslens.search.reranking import Candidate, Question


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """A `Reranker`; where nothing was asked in words, candidates keep their order."""

    scorer: PairScorer

    def scores(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Score candidates by how well their texts answer the words: log odds."""
        if not candidates or not question.words:
            return [candidate.score for candidate in candidates]
        texts = [
            self.scorer.card.product_text(
                title=candidate.product.fields.title,
                description=candidate.product.fields.description,
            )
            for candidate in candidates
        ]
        found: list[float] = self.scorer.scores(question.words, texts).tolist()
        return found

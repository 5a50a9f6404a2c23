"""Cross-encoders: how well a text answers a question, both read together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from crosslens.encode.cards import RerankerCard
from crosslens.encode.towers import Row
from crosslens.encode.words import LONGEST_TOKEN, opened, sound
from crosslens.values import Floats

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class PairScorer(Protocol):
    """A cross-encoder. Safe to call from many threads."""

    card: RerankerCard

    def scores(self, question: str, texts: Sequence[str]) -> Floats:
        """
        Say how well each text answers a question: float32 [N], log odds, larger is better.

        Raises:
            BrokenBundle: the graph failed.
        """
        ...


class Pairs:
    """
    A tokenizer bound to the card of a cross-encoder. Safe to call from many threads.

    Raises:
        BrokenBundle: `tokenizer` is not one.
    """

    def __init__(self, card: RerankerCard, tokenizer: str) -> None:
        self._limit = card.max_tokens * LONGEST_TOKEN
        self._tokenizer, self._pad = opened(tokenizer, card.tokenizer, card.max_tokens)

    def rows(self, question: str, texts: Sequence[str]) -> list[Row]:
        """Cut pairs into token ids and which of the two each belongs to: int64 [2, L] each."""
        asked = sound(question, self._limit)
        found = self._tokenizer.encode_batch([(asked, sound(t, self._limit)) for t in texts])
        return [np.array([each.ids, each.type_ids], np.int64) for each in found]

    def feeds(self, rows: Sequence[Row]) -> dict[str, Row]:
        """Pad rows to the longest, as inputs of the graph by name: int64 [N, L] each."""
        longest = max(row.shape[1] for row in rows)
        ids = np.full((len(rows), longest), self._pad, np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for n, row in enumerate(rows):
            width = row.shape[1]
            ids[n, :width], types[n, :width] = row
            mask[n, :width] = 1
        return dict(zip(INPUTS, (ids, mask, types), strict=True))

"""Words → token ids, exactly as the card and its tokenizer say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from crosslens.encode.cards import Side, TextCard
from crosslens.errors import BrokenBundle

Ids = NDArray[np.int64]

_PADS = ("[PAD]", "<pad>", "<|endoftext|>")
LONGEST_TOKEN = 256  # characters; keeps megabytes of text from the tokenizer


class Words:
    """
    A tokenizer bound to its card. Safe to call from many threads.

    Raises:
        BrokenBundle: `tokenizer` is not one.
    """

    def __init__(self, card: TextCard, tokenizer: str) -> None:
        self._limit = card.max_tokens * LONGEST_TOKEN
        self._pad_to = card.pad_to
        self._pad_left = card.pad_side is Side.LEFT
        self._tokenizer, self._pad = opened(tokenizer, card.tokenizer, card.max_tokens)

    def rows(self, texts: Sequence[str], *, prefix: str = "") -> list[Ids]:
        """Cut each text into token ids: int64 [L], L ≤ max_tokens, never empty."""
        return [self._row(prefix + text) for text in texts]

    def _row(self, text: str) -> Ids:
        ids = self._tokenizer.encode(sound(text, self._limit)).ids
        return np.array(ids or [self._pad], dtype=np.int64)

    def lengths(self, rows: Sequence[Ids]) -> list[int]:
        """Return how long each row is for the tower: L, or what the card pads to."""
        return [max(len(row), self._pad_to) for row in rows]

    def pad(self, rows: Sequence[Ids]) -> tuple[Ids, Ids]:
        """Stack rows into ids and mask, int64 [N, L] each, L the longest or what the card says."""
        longest = max(self.lengths(rows), default=0)
        ids = np.full((len(rows), longest), self._pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for n, row in enumerate(rows):
            start = longest - len(row) if self._pad_left else 0
            ids[n, start : start + len(row)] = row
            mask[n, start : start + len(row)] = 1
        return ids, mask


def sound(text: str, limit: int) -> str:
    """Return the first characters of a text, lone surrogates replaced."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")


def opened(content: str, file: str, max_tokens: int) -> tuple[Tokenizer, int]:
    """
    Open a tokenizer that cuts at so many tokens and pads nothing; return it and the id of padding.

    Args:
        file: its name, for messages.

    Raises:
        BrokenBundle: it is none.
    """
    try:
        tokenizer = Tokenizer.from_str(content)
        padding = _pad_id(tokenizer)
        tokenizer.enable_truncation(max_tokens)
    except Exception as exc:
        raise BrokenBundle(f"{file} is not a tokenizer: {exc}") from exc
    tokenizer.no_padding()
    return tokenizer, padding


def _pad_id(tokenizer: Tokenizer) -> int:
    declared = tokenizer.padding
    if declared is not None:
        return int(declared["pad_id"])
    ids = (tokenizer.token_to_id(name) for name in _PADS)
    return next((found for found in ids if found is not None), 0)

"""
BM25 as sparse vectors, for engines that only know dot products: statistics of terms, in a file.

The two sides and the layout of the file are those of DashText 0.0.7, so that collections it filled
and files written here can be read by either; its defects are not. A term is counted once per
product (DashText counts every occurrence, which makes weights of frequent words negative), words
are cut and folded by `encode.keywords` (its own stop words take away sizes and model numbers, and
"ABC" is not "abc"), and nothing is ever downloaded.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from crosslens.errors import InvalidRequest
from crosslens.values import Floats
from crosslens.vectors.bm25 import K1, B

Sparse: TypeAlias = dict[int, float]
"""Weight by term, where a term is the MurmurHash3 (x86, 32 bit) of a token."""

_CUT_BY: Final = "crosslens"
_MASK: Final = 0xFFFFFFFF
_USUAL_LENGTH: Final = 12.0


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """
    What is known of a corpus; without any, all terms weigh alike and 12 tokens are usual.

    Attributes:
        documents: how many were read.
        mean_length: tokens per document.
        frequency: in how many documents a term occurs.
    """

    documents: int = 0
    mean_length: float = 0.0
    frequency: Mapping[int, int] = field(default_factory=dict, repr=False)

    @classmethod
    def train(cls, corpus: Iterable[Sequence[str]]) -> TermStatistics:
        """Read documents, each as its tokens; those without a token do not count."""
        documents = length = 0
        frequency: Counter[int] = Counter()
        for tokens in corpus:
            if tokens:
                documents += 1
                length += len(tokens)
                frequency.update({term(token) for token in tokens})
        return cls(documents, length / max(1, documents), frequency)

    def document(self, tokens: Sequence[str]) -> Sparse:
        """Return the side of a document: tf / (tf + k1 · (1 − b + b · length / mean length))."""
        relative = len(tokens) / (self.mean_length or _USUAL_LENGTH)
        least = K1 * (1 - B + B * relative)
        return {term: count / (count + least) for term, count in _counted(tokens).items()}

    def query(self, tokens: Sequence[str]) -> Sparse:
        """Return the side of a question: the terms' inverse frequencies, scaled to sum to 1."""
        weights = self.weights(tokens)
        total = sum(weights.values())
        return {term: weight / total for term, weight in weights.items()}

    def weights(self, tokens: Sequence[str]) -> Sparse:
        """Return inverse frequencies, always positive; what is asked for twice weighs twice."""
        return {term: count * self._rarity(term) for term, count in _counted(tokens).items()}

    def _rarity(self, term: int) -> float:
        if not self.documents:
            return 1.0
        return math.log((self.documents + 1) / (self.frequency.get(term, 1) + 0.5))


Training: TypeAlias = Callable[[], TermStatistics]
"""Returns the statistics of now."""


class StatisticsFile:
    """
    Statistics in a file, read again when it has changed; none as long as it is not there.

    Args:
        path: the file; other processes may replace it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, TermStatistics] = (0, TermStatistics())

    def __call__(self) -> TermStatistics:
        """
        Return what the file says.

        Raises:
            InvalidRequest: it cannot be read; see `load`.
        """
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return TermStatistics()
        if changed != self._read[0]:
            self._read = (changed, load(self._path))
        return self._read[1]


def dump(statistics: TermStatistics) -> str:
    """Write statistics in DashText's layout, and by whom the words were cut."""
    return json.dumps(
        {
            "_b": B,
            "_k1": K1,
            "_doc_count": statistics.documents,
            "_doc_length_average": statistics.mean_length,
            "_doc_token_frequency": {str(t): n for t, n in sorted(statistics.frequency.items())},
            "_cut_by": _CUT_BY,
        }
    )


def load(path: Path) -> TermStatistics:
    """
    Read statistics.

    Raises:
        InvalidRequest: the file is none, or DashText wrote it: that counts occurrences, of words
            that it cuts and leaves out in its own way.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
        documents, mean = int(values["_doc_count"]), float(values["_doc_length_average"])
        frequency = {int(t): int(n) for t, n in values["_doc_token_frequency"].items()}
        parameters = (float(values["_b"]), float(values["_k1"]))
        cut_by = values.get("_cut_by")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InvalidRequest(f"{path} holds no BM25 statistics: {exc}") from exc
    if cut_by != _CUT_BY or parameters != (B, K1):
        raise InvalidRequest(
            f"{path} was not made from words as crosslens cuts and counts them",
            hint="make it from the catalogue: crosslens index train-keywords",
        )
    if (
        not math.isfinite(mean)
        or mean < 0
        or any(not 0 < n <= documents for n in frequency.values())
    ):
        raise InvalidRequest(f"{path} is damaged: a term is in more documents than there are")
    return TermStatistics(documents, mean, frequency)


def scaled(dense: Floats, sparse: Mapping[int, float], alpha: float) -> tuple[Floats, Sparse]:
    """
    Weigh the two sides of a hybrid question: dense · α, sparse · (1 − α).

    At 1 nothing is left of the words, at 0 nothing of the vector, so that the sum of both dot
    products is exactly that of the other side.

    Args:
        dense: float32 [dim].
        alpha: share of the vector, 0 to 1.

    Raises:
        InvalidRequest: alpha is out of range.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InvalidRequest(f"alpha is {alpha}, allowed are 0 to 1")
    kept = {} if alpha == 1.0 else {term: w * (1.0 - alpha) for term, w in sparse.items()}
    return (dense * np.float32(alpha)).astype(np.float32), kept


@lru_cache(maxsize=1 << 16)
def term(token: str) -> int:
    """Return the number of a token, from 0 to 2^32 - 1: MurmurHash3 x86 32, seed 0."""
    data = token.encode("utf-8", "surrogatepass")
    state, whole = 0, len(data) & ~3
    for at in range(0, whole, 4):
        state ^= _mixed(int.from_bytes(data[at : at + 4], "little"))
        state = (_turned(state, 13) * 5 + 0xE6546B64) & _MASK
    if whole < len(data):
        state ^= _mixed(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = ((state ^ (state >> 16)) * 0x85EBCA6B) & _MASK
    state = ((state ^ (state >> 13)) * 0xC2B2AE35) & _MASK
    return state ^ (state >> 16)


def _mixed(block: int) -> int:
    return (_turned((block * 0xCC9E2D51) & _MASK, 15) * 0x1B873593) & _MASK


def _turned(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _MASK


def _counted(tokens: Iterable[str]) -> Counter[int]:
    return Counter(map(term, tokens))

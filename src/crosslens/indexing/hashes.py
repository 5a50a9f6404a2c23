"""Near pairs of 64-bit hashes without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

WORDS = 4  # of 16 bits
REACH = 2 * WORDS - 1
"""Hamming distance up to which no pair is missed."""

Hashes: TypeAlias = NDArray[np.uint64]
Pairs: TypeAlias = NDArray[np.int64]

_BITS = 16
_CROWD = 64  # hashes of one word after which only neighbours are compared
_NEIGHBOURS = 16
_PART = 1 << 20
_TOP = np.uint64(64 - _BITS)
_ONES = np.array([number.bit_count() for number in range(256)], dtype=np.int64)


def near_pairs(left: Hashes, right: Hashes, *, most: int = REACH) -> Pairs:
    """
    Find pairs (n, m) with at most `most` bits between left[n] and right[m]: int64 [P, 2], sorted.

    By multi-index hashing (Norouzi, Punjani, Fleet 2012): of four words of 16 bits, one differs in
    at most one bit if all together differ in at most seven. Where more than 64 hashes share a word,
    each is compared with the 16 next to it only, so that blank pictures do not cost a square.
    """
    near = [
        pairs[distance(left[pairs[:, 0]], right[pairs[:, 1]]) <= most]
        for pairs in _candidates(left, right)
    ]
    return np.unique(np.concatenate([np.empty((0, 2), np.int64), *near]), axis=0)


def distance(left: Hashes, right: Hashes) -> NDArray[np.int64]:
    """Count the bits that differ, pair by pair: int64 [P]."""
    both = np.ascontiguousarray(left ^ right).view(np.uint8).reshape(-1, 8)
    counts: NDArray[np.int64] = _ONES[both].sum(axis=1)
    return counts


def _candidates(left: Hashes, right: Hashes) -> Iterator[Pairs]:
    flips = [0, *(1 << bit for bit in range(64 - _BITS, 64))]
    for word in range(WORDS):
        order = np.argsort(_rotated(right, word), kind="stable")
        known, asked = _rotated(right, word)[order], _rotated(left, word)
        for flip in flips:
            yield from _of_same_word(asked ^ np.uint64(flip), known, order)


def _rotated(hashes: Hashes, word: int) -> Hashes:
    """Bring a word to the top."""
    shift = np.uint64(_BITS * word)
    return hashes if not word else (hashes << shift) | (hashes >> (np.uint64(64) - shift))


def _of_same_word(asked: Hashes, known: Hashes, order: Pairs) -> Iterator[Pairs]:
    lowest = (asked >> _TOP) << _TOP
    first = np.searchsorted(known, lowest, "left")
    end = np.searchsorted(known, lowest | np.uint64((1 << (64 - _BITS)) - 1), "right")
    crowded = end - first > _CROWD
    beside = np.searchsorted(known, asked) - _NEIGHBOURS // 2
    first = np.where(crowded, np.clip(beside, first, end - _NEIGHBOURS), first)
    sizes = np.where(crowded, _NEIGHBOURS, end - first)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    at = 0
    while at < len(asked):
        stop = max(at + 1, int(np.searchsorted(edges, edges[at] + _PART, "right")) - 1)
        counts = sizes[at:stop]
        own = np.repeat(np.arange(at, stop), counts)
        within = np.arange(len(own)) - np.repeat(edges[at:stop] - edges[at], counts)
        yield np.stack([own, order[first[own] + within]], axis=1)
        at = stop

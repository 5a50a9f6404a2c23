"""How sure a mean over queries is: bootstrap intervals and a paired permutation test."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosslens.evaluate.metrics import PerQuery

ROUNDS = 2_000
CELLS = 4_000_000  # resampling is done in blocks of about this many numbers


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    Two runs on the same queries.

    Attributes:
        difference: mean(first) - mean(second).
        low, high: 95 % interval of the difference.
        p: two-sided probability of such a difference if the runs were exchangeable.
    """

    difference: float
    low: float
    high: float
    p: float


def intervals(
    values: Mapping[str, PerQuery],
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """
    Percentile bootstrap intervals of means over queries (Efron and Tibshirani 1993).

    Args:
        values: measure → float64 [Q]; all measures are resampled together.
        groups: [Q] labels; whole groups are drawn, for queries that are not independent.

    Returns:
        Measure → (low, high); empty when there is no query.
    """
    columns = np.array(list(values.values()), dtype=np.float64).T  # [Q, M]
    if not columns.size:
        return {}
    sums, sizes = _group_sums(columns, groups)
    means = _resampled_means(sums, sizes, rounds=rounds, seed=seed)
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return {name: (float(a), float(b)) for name, a, b in zip(values, low, high, strict=True)}


def compare(
    first: PerQuery, second: PerQuery, *, rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """
    Compare two runs query by query: float64 [Q] each, in the same order, Q at least 1.

    The p-value is of the paired sign-flip permutation test, which trusts no distribution
    (Smucker, Allan and Carterette 2007).
    """
    difference = first - second
    observed = float(difference.mean())
    generator = np.random.default_rng(seed)
    extreme, block = 0, max(1, CELLS // len(difference))
    for start in range(0, rounds, block):
        shape = (min(block, rounds - start), len(difference))
        signs = generator.integers(0, 2, shape, dtype=np.int8) * 2 - 1
        means = signs @ difference / len(difference)
        extreme += int((np.abs(means) >= abs(observed) - 1e-12).sum())
    low, high = intervals({"d": difference}, seed=seed)["d"]
    return Comparison(observed, low, high, (extreme + 1) / (rounds + 1))


def _group_sums(
    columns: NDArray[np.float64], groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if groups is None:
        return columns, np.ones(len(columns))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    index = np.array([numbers[group] for group in groups])
    sums = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(sums, index, columns)
    return sums, np.bincount(index).astype(np.float64)


def _resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], *, rounds: int, seed: int
) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    count = len(sums)
    block = max(1, CELLS // count)
    parts = []
    for start in range(0, rounds, block):
        height = min(block, rounds - start)
        drawn = generator.integers(0, count, (height, count))
        drawn += np.arange(height)[:, None] * count  # one histogram for all rounds of the block
        times = np.bincount(drawn.ravel(), minlength=height * count).reshape(height, count)
        parts.append((times @ sums) / (times @ sizes)[:, None])
    return np.concatenate(parts)

"""Statistics of experiments on users: effects, intervals, and whether the split can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
POWER = 0.8
EXPECTED_USERS = 5_000
"""Users at which an interval that holds at any time is narrowest."""

SPLIT_IS_WRONG = 0.001
"""Probability below which a split is taken for broken."""


@dataclass(frozen=True, slots=True)
class Effect:
    """
    One experiment beside another; `difference` is of the means per user, theirs less ours.

    Attributes:
        low, high, p: of a fixed horizon: right if the end was set before the beginning (Welch's
            test, normal in the limit).
        low_at_any_time, high_at_any_time, p_at_any_time: right however often one looks and
            whenever one stops (asymptotic confidence sequences, Waudby-Smith, Arbour, Sinha,
            Kennedy, Ramdas 2024).
    """

    users: tuple[int, int]
    means: tuple[float, float]
    difference: float
    low: float
    high: float
    p: float
    low_at_any_time: float
    high_at_any_time: float
    p_at_any_time: float


def effect(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
    expected_users: int = EXPECTED_USERS,
) -> Effect | None:
    """Compare outcomes per user, float64 [users] each; None with fewer than two on a side."""
    if min(len(ours), len(theirs)) < 2:
        return None
    difference = float(theirs.mean() - ours.mean())
    variance = float(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
    error = math.sqrt(variance)
    alpha = 1 - confidence
    half = normal_quantile(1 - alpha / 2) * error
    users = len(ours) + len(theirs)
    wide = _any_time_half(error, users, alpha, expected_users)
    z = abs(difference) / error if error else (math.inf if difference else 0.0)
    return Effect(
        (len(ours), len(theirs)),
        (float(ours.mean()), float(theirs.mean())),
        difference,
        difference - half,
        difference + half,
        two_sided(z),
        difference - wide,
        difference + wide,
        _any_time_p(z, users, alpha, expected_users),
    )


def split_p(observed: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """
    Return how likely such a split is if users fall by the shares (χ²).

    Below 0.001 something loses or adds users on one side, and no effect can be trusted (Fabijan
    and others: Diagnosing Sample Ratio Mismatch, KDD 2019).
    """
    total = sum(observed.values())
    kept = {name: share for name, share in shares.items() if share > 0}
    whole = sum(kept.values())
    if total == 0 or len(kept) < 2:
        return 1.0
    expected = {name: total * share / whole for name, share in kept.items()}
    chi2 = sum((observed.get(name, 0) - e) ** 2 / e for name, e in expected.items())
    return chi2_tail(chi2, len(kept) - 1)


def needed_users(
    base: float, lift: float, *, confidence: float = CONFIDENCE, power: float = POWER
) -> int:
    """Return users per experiment to find a rate of base + lift with this power, at the end."""
    sides = normal_quantile(1 - (1 - confidence) / 2) + normal_quantile(power)
    spread = base * (1 - base) + (base + lift) * (1 - base - lift)
    return math.ceil(sides**2 * spread / lift**2)


def sign_test(wins: int, losses: int) -> float:
    """Return how likely so uneven a count of wins and losses is if both are equally good."""
    n, least = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    if n > 1_000:
        return two_sided(max(0.0, abs(wins - losses) - 1) / math.sqrt(n))
    tail = sum(math.comb(n, k) for k in range(least + 1)) / math.pow(2, n)
    return min(1.0, 2 * tail)


def two_sided(z: float) -> float:
    """Return how likely a normal deviation of z or more is, to either side."""
    return math.erfc(z / math.sqrt(2))


def normal_quantile(share: float) -> float:
    """Return where the normal distribution has this share below, by halving."""
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        if math.erfc(-middle / math.sqrt(2)) / 2 < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def chi2_tail(value: float, freedom: int) -> float:
    """Return the share of the χ² distribution above a value; finite sums, exact."""
    half = value / 2
    if freedom % 2 == 0:
        terms = (math.pow(half, i) / math.factorial(i) for i in range(freedom // 2))
        return min(1.0, math.exp(-half) * sum(terms))
    terms = (math.pow(half, i - 0.5) / math.gamma(i + 0.5) for i in range(1, (freedom + 1) // 2))
    return min(1.0, math.erfc(math.sqrt(half)) + math.exp(-half) * sum(terms))


def per_user(outcomes: Mapping[str, Sequence[float]]) -> NDArray[np.float64]:
    """Average what each user did over their answers: the user is what was split."""
    return np.array([float(np.mean(each)) for each in outcomes.values() if len(each)])


def _mixing(alpha: float, expected_users: int) -> float:
    """Return ρ² for which the interval is narrowest at so many users."""
    spread = -2 * math.log(alpha)
    return (spread + math.log(spread) + 1) / expected_users


def _any_time_half(error: float, users: int, alpha: float, expected_users: int) -> float:
    weight = users * _mixing(alpha, expected_users)
    return error * math.sqrt(2 * (weight + 1) / weight * math.log(math.sqrt(weight + 1) / alpha))


def _any_time_p(z: float, users: int, alpha: float, expected_users: int) -> float:
    """Return the smallest alpha whose interval leaves out 0; the mixing stays as it was chosen."""
    weight = users * _mixing(alpha, expected_users)
    return min(1.0, math.sqrt(weight + 1) * math.exp(-(z**2) * weight / (2 * (weight + 1))))

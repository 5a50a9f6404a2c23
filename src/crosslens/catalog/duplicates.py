"""What was found to be the same, and what people decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Lock
from typing import Any, Protocol

from crosslens.catalog.clock import Clock, utc_now


class Tier(StrEnum):
    """How two products are the same, the surest first."""

    EXACT = "exact"
    NEAR = "near"
    SAME_PRODUCT = "same_product"


class Verdict(StrEnum):
    """What people decide about two products."""

    DISTINCT = "distinct"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Pair:
    """
    Two products that look like one; `left` is the smaller id.

    Attributes:
        evidence: what speaks for it: positions of the pictures, distances, titles.
    """

    left: int
    right: int
    tier: Tier
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.left >= self.right:
            raise ValueError(f"left must be below right, got {self.left} and {self.right}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about two products; `left` is the smaller id."""

    left: int
    right: int
    verdict: Verdict
    decided: datetime


class DuplicateStore(Protocol):
    """Findings of the last scan, and decisions, which outlive it."""

    def replace(self, pairs: Iterable[Pair]) -> None:
        """Keep what a scan found instead of what the one before found, in one transaction."""
        ...

    def pairs(self) -> list[Pair]:
        """Return what the last scan found, by rising ids."""
        ...

    def scanned(self) -> datetime | None:
        """Say when the last scan ended; None if there was none."""
        ...

    def decide(self, product_ids: Sequence[int], verdict: Verdict) -> None:
        """Remember a verdict about every two of these products, instead of an earlier one."""
        ...

    def forget(self, product_ids: Sequence[int]) -> None:
        """Forget the verdicts about every two of these products."""
        ...

    def decisions(self) -> dict[tuple[int, int], Decision]:
        """Return every decision by (left, right)."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


def pairs_of(product_ids: Sequence[int]) -> list[tuple[int, int]]:
    """List every two of some products, the smaller id first."""
    known = sorted(set(product_ids))
    return [(left, right) for n, left in enumerate(known) for right in known[n + 1 :]]


class MemoryDuplicates:
    """A `DuplicateStore` that one process forgets when it ends."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = Lock()
        self._pairs: dict[tuple[int, int], Pair] = {}
        self._scanned: datetime | None = None
        self._decisions: dict[tuple[int, int], Decision] = {}

    def replace(self, pairs: Iterable[Pair]) -> None:
        """Keep what a scan found."""
        found = {(pair.left, pair.right): pair for pair in pairs}
        with self._lock:
            self._pairs, self._scanned = found, self._clock()

    def pairs(self) -> list[Pair]:
        """Return what the last scan found."""
        with self._lock:
            return [self._pairs[key] for key in sorted(self._pairs)]

    def scanned(self) -> datetime | None:
        """Say when the last scan ended."""
        return self._scanned

    def decide(self, product_ids: Sequence[int], verdict: Verdict) -> None:
        """Remember a verdict."""
        with self._lock:
            for left, right in pairs_of(product_ids):
                self._decisions[left, right] = Decision(left, right, verdict, self._clock())

    def forget(self, product_ids: Sequence[int]) -> None:
        """Forget verdicts."""
        with self._lock:
            for key in pairs_of(product_ids):
                self._decisions.pop(key, None)

    def decisions(self) -> dict[tuple[int, int], Decision]:
        """Return every decision."""
        with self._lock:
            return dict(self._decisions)

    def close(self) -> None:
        """Do nothing."""

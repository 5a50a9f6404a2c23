"""Token buckets: so many requests per second on average, and a few more at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from crosslens.errors import RateLimited

_MOST = 10_000  # full buckets are as good as none, so the oldest can go


class Buckets:
    """
    One bucket per caller; used on the event loop only, so it needs no lock.

    Args:
        rate_per_s: tokens that come back each second; 0 limits nothing.
        burst: tokens that a bucket holds.
    """

    def __init__(
        self, rate_per_s: float, burst: int, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._rate = rate_per_s
        self._burst = float(max(burst, 1))
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """
        Take a token.

        Raises:
            RateLimited: none is left; `retry_after_s` says when there is one.
        """
        if self._rate <= 0:
            return
        now = self._clock()
        level, since = self._levels.pop(caller, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        taken = level >= 1
        self._levels[caller] = (level - taken, now)
        if len(self._levels) > _MOST:
            del self._levels[next(iter(self._levels))]
        if not taken:
            raise Limited(self._rate, math.ceil((1 - level) / self._rate))


class Limited(RateLimited):
    """Says when to come again."""

    def __init__(self, rate_per_s: float, retry_after_s: int) -> None:
        super().__init__(
            f"this key may ask {rate_per_s:g} times a second",
            hint=f"try again in {retry_after_s} s, or ask several questions in one request",
        )
        self.retry_after_s = retry_after_s

"""When to try again, and how long to wait before it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from crosslens.client.calls import Call
from crosslens.client.replies import Reply

_REFUSED = frozenset({429})  # before anything was done, so anything may be sent again
_AWAY = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How often and how patiently to try.

    Attributes:
        tries: in all.
        first_s: mean wait before the second try; doubles each time, with chance, so that many
            callers do not come back together.
        longest_s: of one wait, also of one that the service asked for.
    """

    tries: int = 5
    first_s: float = 0.2
    longest_s: float = 30.0
    chance: Callable[[], float] = random.random

    def wait_s(self, tried: int, retry_after: str | None) -> float:
        """Return the wait after try number `tried`, at least what the service asked for."""
        own = self.first_s * 2.0 ** (tried - 1) * (0.5 + self.chance())
        asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        return min(max(own, asked * (1 + 0.25 * self.chance())), self.longest_s)

    def again(self, call: Call[Any], tried: int, outcome: Reply | httpx.TransportError) -> bool:
        """Say whether to try once more."""
        if tried >= self.tries:
            return False
        if isinstance(outcome, Reply):
            repeatable = _REFUSED | (_AWAY if call.repeatable else frozenset())
            return outcome.status in repeatable and call.path != "/ready"
        never_arrived = isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout)
        return call.repeatable or never_arrived


def settled(call: Call[Any], tried: int, reply: Reply) -> Reply:
    """Return a reply that stands: what a first try may have removed is gone, as it should be."""
    if call.gone_is_done and tried > 1 and reply.status == 404:
        return Reply(204, {}, b"")
    return reply

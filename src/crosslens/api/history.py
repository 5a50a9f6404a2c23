"""The last hour at the door: traffic and latency per path, and the queue, in small steps."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import time
from typing import Any

STEP_S = 10
STEPS = 360
# Upper ends in seconds of what is counted together: 20 a decade, so a median is right to 12 %.
EDGES = tuple(10 ** (exponent / 20) for exponent in range(-60, 41))


@dataclass(slots=True)
class Step:
    """
    What happened in one step of time.

    Attributes:
        at: seconds since 1970 when it began.
        seconds: path → how many answers took how long, by place in EDGES.
        failed: path → answers of status 500 and above.
        queue: changes that waited when somebody looked last; None when nobody did.
    """

    at: int
    seconds: dict[str, Counter[int]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    queue: int | None = None


class History:
    """
    Keep the last steps; cheap to write, safe from many threads.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._steps: deque[Step] = deque(maxlen=STEPS)
        self._lock = threading.Lock()

    def note(self, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        place = min(bisect_left(EDGES, seconds), len(EDGES) - 1)
        with self._lock:
            step = self._now()
            if path not in step.seconds:
                step.seconds[path] = Counter()
            step.seconds[path][place] += 1
            if status >= 500:
                step.failed[path] += 1

    def look(self, queue: int) -> None:
        """Note how many changes wait."""
        with self._lock:
            self._now().queue = queue

    def shown(self) -> list[dict[str, Any]]:
        """List the steps in order of time, those without traffic too once one was begun."""
        with self._lock:
            return [
                {"at": step.at, "seconds": STEP_S, "queue": step.queue, "paths": list(_paths(step))}
                for step in self._steps
            ]

    def _now(self) -> Step:
        at = int(self._clock()) // STEP_S * STEP_S
        if not self._steps or self._steps[-1].at < at:
            self._steps.append(Step(at))
        return self._steps[-1]


def quantile_ms(counts: Counter[int], share: float) -> float:
    """Return the time in milliseconds that this share of the answers did not exceed."""
    wanted, seen = share * counts.total(), 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= wanted:
            return round(EDGES[place] * 1e3, 2)
    return 0.0


def _paths(step: Step) -> Iterator[dict[str, Any]]:
    for path, counts in sorted(step.seconds.items()):
        yield {
            "path": path,
            "answers": counts.total(),
            "failed": step.failed[path],
            "p50_ms": quantile_ms(counts, 0.5),
            "p95_ms": quantile_ms(counts, 0.95),
        }

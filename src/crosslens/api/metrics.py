"""Numbers for Prometheus: one registry per application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from crosslens.api.history import History

T = TypeVar("T")
_MOMENT_S = 0.05
_TIMES = 20

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """What happened at the door, and what parts of the house say of themselves when asked."""

    def __init__(self) -> None:
        self.history = History()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "crosslens_requests_total",
            "Requests answered.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "crosslens_request_seconds",
            "Time from the first byte to the last.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def note(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answer; paths are templates, so that their number is bounded."""
        known = path or "unknown"
        answered, took = self._counted(method if path else "ANY", known, status)
        answered.inc()
        took.observe(seconds)
        self.history.note(known, status, seconds)

    def _counted(self, method: str, path: str, status: int) -> tuple[Counter, Histogram]:
        """Return what counts answers of a sort; looking it up anew costs more than counting."""
        sort = (method, path, status)
        if sort not in self._known:
            self._known[sort] = (self._requests.labels(*sort), self._seconds.labels(path))
        return self._known[sort]

    def watch(self, gauges: Mapping[str, Callable[[], float]]) -> None:
        """Ask for these numbers whenever the page is read; one that fails is left out."""
        self._registry.register(_Asked(gauges))

    def page(self) -> bytes:
        """Write all numbers down; may ask catalogue and index."""
        return generate_latest(self._registry)


class Moment(Generic[T]):
    """
    An answer that the numbers of one page share.

    What takes long is asked for the less often: asking takes a twentieth of the time at most.
    """

    def __init__(self, ask: Callable[[], T], *, clock: Callable[[], float] = monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: tuple[T, float] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """Return the answer, asking if it is time."""
        with self._lock:
            begun = self._clock()
            if self._kept is None or begun >= self._kept[1]:
                value = self._ask()
                took = self._clock() - begun
                self._kept = value, begun + max(_MOMENT_S, _TIMES * took)
            return self._kept[0]


class _Asked:
    def __init__(self, gauges: Mapping[str, Callable[[], float]]) -> None:
        self._gauges = gauges

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        for name, ask in self._gauges.items():
            try:
                value = float(ask())
            except Exception:  # noqa: BLE001, S112 - a number that cannot be had is no number
                continue
            yield GaugeMetricFamily(f"crosslens_{name}", name.replace("_", " "), value=value)

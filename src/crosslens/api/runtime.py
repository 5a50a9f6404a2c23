"""What one running application keeps: lanes, guard, jobs; begun and ended with it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from crosslens.api.access import Guard
from crosslens.api.asking import answers
from crosslens.api.buckets import Buckets
from crosslens.api.history import STEP_S
from crosslens.api.intake import Intake
from crosslens.api.jobs import ImportJobs
from crosslens.api.keys import KeyFile
from crosslens.api.lanes import Lane
from crosslens.api.metrics import Metrics, Moment
from crosslens.api.replays import Replays
from crosslens.api.services import Bounds, Services
from crosslens.api.tasks import Tasks
from crosslens.api.variants import Variants
from crosslens.api.waves import Waves
from crosslens.errors import CrosslensError
from crosslens.evaluate.kept import KeptRuns

_READERS = 8
_FETCHERS = 16
_ROOM = 256
_DRAWINGS = 8


@dataclass(frozen=True, slots=True)
class Lanes:
    """One lane per sort of work, so that none can starve another."""

    search: Lane
    write: Lane
    read: Lane
    fetch: Lane
    draw: Lane
    health: Lane

    @classmethod
    def of(cls, bounds: Bounds) -> Lanes:
        """Open lanes as wide as the bounds say."""
        s = bounds.patience_s
        return cls(
            Lane("search", threads=bounds.search_threads, admitted=bounds.searches, patience_s=s),
            Lane("write", threads=bounds.write_threads, admitted=bounds.writes, patience_s=s),
            Lane("read", threads=_READERS, admitted=_ROOM, patience_s=s),
            Lane("fetch", threads=_FETCHERS, admitted=_ROOM, patience_s=s),
            Lane("draw", threads=1, admitted=_DRAWINGS, patience_s=s),
            Lane("health", threads=2, admitted=_ROOM, patience_s=s),
        )

    def all(self) -> tuple[Lane, ...]:
        """List them."""
        return self.search, self.write, self.read, self.fetch, self.draw, self.health


class Runtime:
    """The state behind the paths of one application."""

    def __init__(self, services: Services, bounds: Bounds) -> None:
        self.services = services
        self.bounds = bounds
        self.lanes = Lanes.of(bounds)
        self.searches = Waves(self.lanes.search, partial(answers, services.engine))
        self.metrics = Metrics()
        self.guard = Guard(
            KeyFile(services.keys_path or services.home / "keys.json"),
            Buckets(bounds.rate_per_s, bounds.burst),
            open_door=bounds.open_door,
            origins=bounds.cors_origins,
        )
        self.intake = Intake(services.fetcher, self.lanes.fetch)
        self.replays = Replays(services.catalog)
        self.variants = Variants(
            services.home / "variants",
            services.media,
            limits=services.editor.limits,
            max_bytes=bounds.max_variant_bytes,
        )
        board = services.board
        folder = services.home / "imports"
        self.jobs = ImportJobs(folder, services.editor, services.fetcher, board)
        self.tasks = Tasks(board=board)
        self.drawings = Tasks("drawing", board)
        self.runs = KeptRuns(services.home / "evaluations")
        self._worker = threading.Thread(target=self._work, name="worker")
        self._watch = threading.Thread(target=self._watch_queue, name="watch")
        self._stop = threading.Event()
        self.readiness: tuple[float, dict[str, dict[str, Any]]] | None = None
        self.metrics.watch(self._gauges())

    @property
    def worker_alive(self) -> bool:
        """Whether changes are being settled, here or as a task of other processes."""
        return self.services.work is None or self._worker.is_alive()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work from entering to leaving; what was begun is finished and acknowledged."""
        if self.services.work is not None:
            self._worker.start()
        self._watch.start()
        self.jobs.start()
        self.tasks.start()
        self.drawings.start()
        try:
            yield
        finally:
            self.jobs.stop()
            self.tasks.stop()
            self.drawings.stop()
            self._stop.set()
            for lane in self.lanes.all():
                lane.close()
            if self.services.work is not None:
                self._worker.join()
            self._watch.join()

    def _work(self) -> None:
        if self.services.work is not None:
            self.services.work(self._stop)

    def _watch_queue(self) -> None:
        """Note how long the queue is, once per step of the history."""
        while not self._stop.wait(STEP_S / 2):
            with suppress(CrosslensError):
                backlog = self.services.catalog.backlog()
                self.metrics.history.look(backlog.waiting + backlog.leased)

    def _gauges(self) -> dict[str, Callable[[], float]]:
        catalog, store = self.services.catalog, self.services.index_store
        lanes = {f"{lane.name}_requests_inside": lane for lane in self.lanes.all()}
        backlog = Moment(lambda: catalog.backlog())
        held = Moment(lambda: store.live().counts())
        return {
            "products": lambda: catalog.summary().products,
            "changes_waiting": lambda: backlog().waiting,
            "changes_leased": lambda: backlog().leased,
            "changes_parked": lambda: backlog().parked,
            "oldest_change_seconds": lambda: backlog().oldest_s,
            "index_products": lambda: held().products,
            "index_pictures": lambda: held().pictures,
            "worker_alive": lambda: self.worker_alive,
            **{name: _inside(lane) for name, lane in lanes.items()},
            **self.services.gauges,
        }


def _inside(lane: Lane) -> Callable[[], float]:
    return lambda: lane.inside

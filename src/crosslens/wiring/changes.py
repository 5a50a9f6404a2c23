"""How changes reach the index: by an import, a worker, or a broker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from crosslens.corpora.records import BadRecord, Record
from crosslens.errors import CrosslensError, WrongSpace
from crosslens.indexing.importing import Importer, Indexing, Tally, import_and_index
from crosslens.indexing.queue import Queue
from crosslens.indexing.restoring import Restorer
from crosslens.indexing.worker import Pace, Worker
from crosslens.settings import Settings
from crosslens.telemetry import logger
from crosslens.wiring.indexes import Indexes

if TYPE_CHECKING:
    from crosslens.indexing.kafka import Broker

WORKER_AGAIN_S: Final = 5.0


class Changes(Indexes):
    """What settles changes."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._lag: Callable[[], int] = lambda: 0  # messages of a broker, while there is one

    def worker(
        self,
        on_settled: Callable[[int], None] = lambda changes: None,
        queue: Queue | None = None,
    ) -> Worker:
        """
        Make a worker that keeps the live index true.

        Args:
            queue: where it gets its changes; None is the catalogue.

        Raises:
            Unavailable: another process holds the index, or it waits for a rebuild.
        """
        self._require_own_spaces()
        self._keep_own_vectors()
        own = self.settings
        pace = Pace(lease_s=own.lease_s, max_tries=own.max_tries, threads=self.threads)
        return Worker(
            queue or self.catalog,
            self.index,
            self.maker,
            pace=pace,
            on_settled=on_settled,
            more=self._more,
        )

    def _more(self) -> bool:
        """Look at what else may be due; an idle worker notices here that another has switched."""
        if not self.fits:
            raise WrongSpace("the index is for other bundles now")
        return self.mending.more()

    def import_all(
        self,
        records: Iterable[Record | BadRecord],
        stop: threading.Event | None = None,
        *,
        index: bool = True,
        exact: bool = False,
        on_progress: Callable[[str, int], None] = lambda phase, done: None,
        on_bad: Callable[[BadRecord], None] = lambda bad: None,
    ) -> tuple[Tally, int]:
        """
        Import records, and index them meanwhile unless told not to.

        Args:
            exact: whether they are a whole export, which comes back with its ids.
            on_progress: called with a phase and how many are done.

        Returns:
            The tally, and how many changes this process settled.
        """
        stop = stop or threading.Event()
        done_so_far = 0

        def indexed(changes: int) -> None:
            nonlocal done_so_far
            done_so_far += changes
            on_progress("indexed", done_so_far)

        with ThreadPoolExecutor(self.threads, thread_name_prefix="read") as pool:
            importer = (Restorer if exact else Importer)(
                self.editor,
                pool,
                on_progress=lambda tally: on_progress("read", tally.read),
                on_bad=on_bad,
            )
            if not index:
                return importer.run(records, stop), 0
            indexing = Indexing(self.catalog, lambda: self.worker(indexed))
            tally, done = import_and_index(importer, records, indexing, stop)
        if done and not stop.is_set():
            self.index.optimize()
        return tally, done

    def keep_indexed(self, stop: threading.Event) -> None:
        """
        Settle changes until told to stop, also when the index can only be had later.

        Returns early when the index turns out to be for other bundles than before.
        """
        while not stop.is_set():
            try:
                with self._queue(stop) as queue:
                    self.worker(queue=queue).run(stop)
            except WrongSpace as exc:
                logger("worker").warning("another process has switched", error=str(exc))
                return
            except CrosslensError as exc:
                logger("worker").warning("no worker yet", error=str(exc))
                stop.wait(WORKER_AGAIN_S)

    @contextmanager
    def _queue(self, stop: threading.Event) -> Iterator[Queue]:
        """Open where changes come from; beside a broker, what is due is sent on its way."""
        if not self.settings.kafka_servers:
            yield self.catalog
            return
        from crosslens.indexing.kafka import KafkaQueue, Relay, make_topics

        broker = self._broker
        make_topics(broker)
        relay, ended = Relay(self.catalog, broker), threading.Event()
        thread = threading.Thread(target=relay.run, args=(ended,), name="relay")
        queue = KafkaQueue(self.catalog, broker)
        thread.start()
        self._lag = queue.lag
        try:
            yield queue
        finally:
            self._lag = lambda: 0
            ended.set()
            queue.close()
            thread.join()

    @property
    def _broker(self) -> Broker:
        from crosslens.indexing.kafka import Broker

        own = self.settings
        return Broker(
            own.kafka_servers,
            topic=own.kafka_topic,
            group=own.kafka_group,
            partitions=own.kafka_partitions,
            lease_s=own.kafka_lease_s,
            options=own.kafka_options,
        )

    @cached_property
    def _broker_probe(self) -> Callable[[], dict[str, Any]]:
        from crosslens.indexing.kafka import Lookout

        return Lookout(self._broker).look

"""Import: records → catalogue, in batches, while a worker indexes what is stored already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic

from crosslens.catalog.editing import Editor, Entry, MissingPicture, Outcome, Result
from crosslens.catalog.store import CatalogStore
from crosslens.corpora.records import BadRecord, Record
from crosslens.errors import Unavailable
from crosslens.indexing.worker import Worker

BATCH = 128
REPORTED = 1_000  # bad records kept in memory; all of them are counted and passed on


@dataclass(slots=True)
class Tally:
    """What became of what was read: read = stored + skipped + failed, at every moment."""

    read: int = 0
    stored: int = 0
    skipped: int = 0
    failed: int = 0
    bad: list[BadRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Importer:
    """
    Store records in the catalogue.

    Attributes:
        pool: reads and checks pictures side by side.
        on_progress: called after each batch.
        on_bad: called for each bad record.
    """

    editor: Editor
    pool: Executor
    on_progress: Callable[[Tally], None] = lambda tally: None
    on_bad: Callable[[BadRecord], None] = lambda bad: None

    def run(
        self, records: Iterable[Record | BadRecord], stop: threading.Event | None = None
    ) -> Tally:
        """
        Import until the source ends or `stop` is set; a batch is stored whole or not at all.

        A record whose product is stored unchanged is skipped, so that an import which was
        interrupted is resumed by repeating it.

        Raises:
            StorageFull, Unavailable: what was counted as stored is stored; repeat to go on.
        """
        tally = Tally()
        for batch in _batches(records):
            if stop is not None and stop.is_set():
                break
            self._store(batch, tally)
            self.on_progress(tally)
        return tally

    def _store(self, batch: list[Record | BadRecord], tally: Tally) -> None:
        good = [record for record in batch if isinstance(record, Record)]
        outcomes = iter(self._outcomes(good))
        for record in batch:
            if isinstance(record, BadRecord):
                self._count_bad(record, tally)
            else:
                self._count(record, next(outcomes), tally)

    def _outcomes(self, records: Sequence[Record]) -> list[Outcome]:
        return self.editor.put_many(list(self.pool.map(_entry, records)))

    def _count(self, record: Record, outcome: Outcome, tally: Tally) -> None:
        if outcome.result is Result.FAILED:
            self._count_bad(BadRecord(record.where, outcome.reason, record.key), tally)
            return
        stored = outcome.result in (Result.ADDED, Result.CHANGED)
        tally.read += 1
        tally.stored += stored
        tally.skipped += not stored

    def _count_bad(self, bad: BadRecord, tally: Tally) -> None:
        tally.read += 1
        tally.failed += 1
        if len(tally.bad) < REPORTED:
            tally.bad.append(bad)
        self.on_bad(bad)


def _batches(
    records: Iterable[Record | BadRecord],
) -> Iterator[list[Record | BadRecord]]:
    iterator = iter(records)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def import_and_index(
    importer: Importer,
    records: Iterable[Record | BadRecord],
    indexing: Indexing,
    stop: threading.Event,
) -> tuple[Tally, int]:
    """
    Import while a worker indexes what is stored already.

    Returns:
        The tally, and how many changes were settled by this process.
    """
    stored = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="worker") as side:
        settled = side.submit(indexing.until, stored, stop)
        try:
            tally = importer.run(records, stop)
        finally:
            stored.set()
        return tally, settled.result()


@dataclass(frozen=True, slots=True)
class Indexing:
    """
    Settle changes beside an import, also when another process holds the index.

    Attributes:
        make_worker: raises Unavailable while another process holds the index; that process then
            settles our changes too.
        patience_s: seconds without progress of the other process after which we leave it to it.
    """

    catalog: CatalogStore
    make_worker: Callable[[], Worker]
    patience_s: float = 60.0

    def until(self, stored: threading.Event, stop: threading.Event) -> int:
        """Settle until everything is stored and settled, or until told to stop."""
        settled, worker = 0, None
        while True:
            last = stored.is_set()  # asked before the drain: what is stored after it comes next
            worker = worker or self._worker()
            if worker is not None:
                settled += worker.finish(stop) if last else worker.drain(stop)
            elif last:
                self._watch(stop)
                worker = self._worker()
                return settled + (worker.finish(stop) if worker else 0)
            if last or stop.is_set():
                return settled
            stored.wait(0.05)

    def _worker(self) -> Worker | None:
        try:
            return self.make_worker()
        except Unavailable:
            return None

    def _watch(self, stop: threading.Event) -> None:
        """Wait while the other process makes progress; return when it lets go of the index."""
        fewest, since = self._unsettled(), monotonic()
        while fewest and not stop.wait(0.2) and monotonic() - since < self.patience_s:
            if self._worker() is not None:
                return
            now = self._unsettled()
            if now < fewest:
                fewest, since = now, monotonic()

    def _unsettled(self) -> int:
        backlog = self.catalog.backlog()
        return backlog.waiting + backlog.leased


def _entry(record: Record) -> Entry:
    """Read a record's pictures; what cannot be read is said in its place."""
    pictures = (
        *map(_content, record.pictures),
        *record.contents,
        *(MissingPicture(url, "it is a URL; download it first") for url in record.picture_urls),
    )
    return Entry(record.key, record.title, record.description, record.attributes, pictures)


def _content(path: Path) -> bytes | MissingPicture:
    try:
        return path.read_bytes()
    except OSError as exc:
        return MissingPicture(str(path), exc.strerror or "it cannot be read")

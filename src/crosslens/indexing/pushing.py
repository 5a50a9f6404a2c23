"""Push: built shards → a document store or a vector index; what is there afterwards is counted."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from crosslens.corpora.records import BadRecord, Row
from crosslens.corpora.shards import plain
from crosslens.documents.store import KEY, DocumentStore

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Pushed:
    """
    What became of what was read.

    Attributes:
        read: good entries of the shards.
        held: how many of them the target holds now.
        bad: entries that could not be read or kept.
        total: everything that the target holds, also what others have put there.
    """

    read: int
    held: int
    bad: int
    total: int
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether the target holds every entry."""
        return not self.bad and not self.interrupted and self.read == self.held


class Target(Protocol):
    """Where entries are pushed."""

    def put(self, rows: Sequence[Row]) -> list[BadRecord]:
        """
        Write entries, each in place of what is there under its key, and say which are unfit.

        Raises:
            InvalidRequest, Conflict, Unavailable, StorageFull: the batch may be written in part;
                repeating the push makes it whole.
        """
        ...

    def finish(self) -> None:
        """Make what was written searchable."""
        ...

    def held(self, keys: Sequence[str]) -> int:
        """Count those of the keys that are there, repeated ones as often."""
        ...

    def count(self) -> int:
        """Count everything that is there."""
        ...


@dataclass(frozen=True, slots=True)
class Pusher:
    """
    Write entries to a target and compare what it holds with what was read.

    Attributes:
        id: the field that tells entries apart.
        on_progress: called with the number of entries written.
        on_bad: called for each entry that is left out.
    """

    target: Target
    id: str = "id"
    batch: int = BATCH
    on_progress: Callable[[int], None] = lambda written: None
    on_bad: Callable[[BadRecord], None] = lambda bad: None

    def run(
        self, entries: Iterable[Row | BadRecord], stop: threading.Event | None = None
    ) -> Pushed:
        """
        Push everything, the last batch included; repeating a push changes nothing.

        Raises:
            InvalidRequest, Conflict, Unavailable, StorageFull: see Target.
        """
        read = bad = held = 0
        interrupted = False
        # The keys wait in a file, so that memory does not grow with the number of entries.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as keys:
            for batch in _batches(entries, self.batch):
                if interrupted := stop is not None and stop.is_set():
                    break
                fit, unfit = self._sorted(batch)
                unfit += self.target.put(fit)
                left_out = {str(one.where) for one in unfit}
                good = [row for row in fit if str(row.where) not in left_out]
                keys.writelines(f"{key_of(row, self.id)}\n" for row in good)
                read, bad = read + len(good), bad + len(unfit)
                for one in unfit:
                    self.on_bad(one)
                self.on_progress(read + bad)
            self.target.finish()
            keys.seek(0)
            for part in _batches(keys, self.batch):
                held += self.target.held([key.rstrip("\n") for key in part])
        return Pushed(read, held, bad, self.target.count(), interrupted)

    def _sorted(self, batch: Sequence[Row | BadRecord]) -> tuple[list[Row], list[BadRecord]]:
        fit: list[Row] = []
        unfit: list[BadRecord] = []
        for row in batch:
            if isinstance(row, BadRecord):
                unfit.append(row)
            elif key_of(row, self.id) is None:
                reason = f"{self.id} is {row.values.get(self.id)!r}, expected text or an integer"
                unfit.append(BadRecord(row.where, reason))
            else:
                fit.append(row)
        return fit, unfit


def key_of(row: Row, id: str) -> str | None:
    """Return the key of an entry as text; None where it has none."""
    value = row.values.get(id)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if text.strip() and text.isprintable() else None


@dataclass(frozen=True, slots=True)
class DocumentTarget:
    """Everything of an entry but its vectors, under its key as `queryid`."""

    store: DocumentStore
    id: str = "id"

    def put(self, rows: Sequence[Row]) -> list[BadRecord]:
        """Write documents; see Target."""
        self.store.put([self._document(row) for row in rows])
        return []

    def finish(self) -> None:
        """Do nothing: documents are found at once."""

    def held(self, keys: Sequence[str]) -> int:
        """Count those of the keys that are there."""
        found = self.store.held(set(keys))
        return sum(key in found for key in keys)

    def count(self) -> int:
        """Count documents."""
        return self.store.count()

    def _document(self, row: Row) -> Mapping[str, Any]:
        return {**plain(row.values), KEY: key_of(row, self.id)}


def _batches(entries: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(entries)
    while batch := list(islice(iterator, size)):
        yield batch

"""
Share a tower between many callers: first come, first served, in batches of whatever waits.

There are no worker threads that could die. A caller that finds a free slot and nobody waiting runs
in its own thread, so a lone query pays next to nothing. Otherwise it waits; whoever gives a slot
back hands it to the first in the queue, who takes the next few along and runs for all of them.
Nobody waits for a batch to fill: a fixed gathering time was measured to add its wait to every lone
query and nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from crosslens.encode.towers import PictureTower, Row, TextTower
from crosslens.errors import Overloaded, Unavailable
from crosslens.values import Floats, Space, Vectors

_NOTHING: Floats = np.empty((0, 0), np.float32)


class _Ticket:
    """A place in the queue: some rows, then their vectors or the failure."""

    __slots__ = ("batch", "error", "ready", "rows", "taken", "vectors")

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.ready = threading.Event()
        self.taken = False
        self.batch: list[_Ticket] = []  # not empty: this one runs for all of them
        self.vectors = _NOTHING
        self.error: Exception | None = None

    def outcome(self) -> Floats:
        if self.error is not None:
            raise self.error
        return self.vectors


class Batcher:
    """
    Run `run` for many threads, at most `slots` at once and at most `max_batch` rows each.

    Args:
        run: rows → vectors, in order; called from many threads.
        slots: runs side by side; the cores, when a run uses one.
        max_batch: rows per run; longer calls queue again for each piece.
        max_waiting: callers that may wait.
        deadline_s: seconds that a caller may wait for its turn; a run that began is not broken off.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Row]], Floats],
        *,
        slots: int,
        max_batch: int = 16,
        max_waiting: int = 256,
        deadline_s: float = 10.0,
    ) -> None:
        if min(slots, max_batch, max_waiting) < 1 or deadline_s <= 0:
            raise ValueError("slots, max_batch, max_waiting and deadline_s must be positive")
        self._run = run
        self._slots = self._free = slots
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._deadline_s = deadline_s
        self._waiting: deque[_Ticket] = deque()
        self._closed = False
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)

    @property
    def alive(self) -> bool:
        """Whether calls are accepted; there is no worker that could be dead."""
        return not self._closed

    @property
    def waiting(self) -> int:
        """How many callers wait for their turn."""
        return len(self._waiting)

    def __call__(self, rows: Sequence[Row]) -> list[Floats]:
        """
        Compute vectors, in order: one array per piece of at most `max_batch` rows.

        Raises:
            Overloaded: the queue is full, or the deadline passed before the turn came.
            Unavailable: closed.
        """
        step = self._max_batch
        return [self._piece(rows[at : at + step]) for at in range(0, len(rows), step)]

    def close(self) -> None:
        """Refuse new calls, and wait until the accepted ones are answered."""
        with self._lock:
            self._closed = True
            self._idle.wait_for(lambda: self._free == self._slots)

    def _piece(self, rows: Sequence[Row]) -> Floats:
        ticket = _Ticket(rows)
        if not self._enter(ticket):
            self._await_turn(ticket)
        if ticket.batch:
            self._lead(ticket.batch)
        return ticket.outcome()

    def _enter(self, ticket: _Ticket) -> bool:
        """Take a free slot, or a place in the queue; a slot is only free when nobody waits."""
        with self._lock:
            if self._closed:
                raise Unavailable("the encoder is closing")
            if self._free:
                self._free -= 1
                ticket.batch = [ticket]
                return True
            if len(self._waiting) >= self._max_waiting:
                raise Overloaded(
                    f"{len(self._waiting)} callers wait for the encoder already",
                    hint="try again later",
                )
            self._waiting.append(ticket)
            return False

    def _await_turn(self, ticket: _Ticket) -> None:
        try:
            if not ticket.ready.wait(self._deadline_s):
                self._give_up(ticket)
                ticket.ready.wait()
        except Overloaded:
            raise
        except BaseException:
            self._withdraw(ticket)
            raise

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket.taken:
                return
            self._waiting.remove(ticket)
            raise Overloaded(
                f"no turn at the encoder within {self._deadline_s:g} s; "
                f"{len(self._waiting)} callers wait",
                hint="try again later",
            )

    def _withdraw(self, ticket: _Ticket) -> None:
        """Leave the queue at an interrupt, without taking the others down."""
        with self._lock:
            if not ticket.taken:
                self._waiting.remove(ticket)
                return
            others = [other for other in ticket.batch if other is not ticket]
            for other in reversed(others):
                other.taken = False
                self._waiting.appendleft(other)
        if ticket.batch:
            self._pass_on()

    def _lead(self, batch: list[_Ticket]) -> None:
        try:
            self._answer(batch)
        except Exception as exc:  # noqa: BLE001 - every caller of the batch must hear of it
            _fail(batch, exc)
        except BaseException:  # an interrupt is for this thread alone
            _fail(batch[1:], Unavailable("the run that this call shared was interrupted"))
            raise
        finally:
            self._pass_on()
            for ticket in batch:
                ticket.ready.set()

    def _answer(self, batch: list[_Ticket]) -> None:
        vectors = self._run([row for ticket in batch for row in ticket.rows])
        at = 0
        for ticket in batch:
            ticket.vectors = vectors[at : at + len(ticket.rows)]
            at += len(ticket.rows)

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                self._idle.notify_all()
                return
            leader = self._next_leader()
        leader.ready.set()

    def _next_leader(self) -> _Ticket:
        batch: list[_Ticket] = []
        rows = 0
        while self._waiting and rows + len(self._waiting[0].rows) <= self._max_batch:
            ticket = self._waiting.popleft()
            ticket.taken = True
            rows += len(ticket.rows)
            batch.append(ticket)
        batch[0].batch = batch
        return batch[0]


def _fail(batch: list[_Ticket], error: Exception) -> None:
    for ticket in batch:
        ticket.error = error


class BatchedText:
    """A text encoder that shares its tower: only token ids wait in the queue."""

    def __init__(self, tower: TextTower, batcher: Batcher) -> None:
        self.space: Space = tower.space
        self._tower = tower
        self._batcher = batcher

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        """
        Encode what people ask for: [N, dim].

        Raises:
            Overloaded: the queue is full or the deadline passed.
        """
        return self._encode(self._tower.prepare_queries(words))

    def encode_items(self, texts: Sequence[str]) -> Vectors:
        """
        Encode what the catalogue holds: [N, dim]; texts of like length go together.

        Raises:
            Overloaded: the queue is full or the deadline passed.
        """
        return self._encode(self._tower.prepare_items(texts))

    def _encode(self, rows: list[Row]) -> Vectors:
        if len(rows) == 1:
            return Vectors.normalized(self.space, self._batcher(rows)[0])
        order = np.argsort([len(row) for row in rows], kind="stable")
        parts = self._batcher([rows[n] for n in order])
        out = np.empty((len(rows), self.space.dim), np.float32)
        if parts:
            out[order] = np.concatenate(parts)
        return Vectors.normalized(self.space, out)


class BatchedPictures:
    """A picture encoder that shares its tower: only pixels wait in the queue."""

    def __init__(self, tower: PictureTower, batcher: Batcher, *, at_once: int = 16) -> None:
        self.space: Space = tower.space
        self._tower = tower
        self._batcher = batcher
        self._at_once = at_once

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        """
        Encode encoded pictures: [N, dim]; a few are decoded at a time, to bound memory.

        Raises:
            UnreadablePicture: one of them cannot be decoded; no other caller notices.
            Overloaded: the queue is full or the deadline passed.
        """
        parts = [np.empty((0, self.space.dim), np.float32)]
        for at in range(0, len(pictures), self._at_once):
            parts += self._batcher(self._tower.prepare(pictures[at : at + self._at_once]))
        return Vectors.normalized(self.space, np.concatenate(parts))

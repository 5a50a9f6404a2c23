"""
Waves: questions that wait together are answered together.

A question that finds a free thread is answered at once and alone. While all are busy, questions
wait; the thread that is free next takes as many as it may and answers them in one go. So nobody
waits for company, and the more ask at once the less each of them costs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

from crosslens.api.lanes import Lane
from crosslens.errors import CrosslensError, Unavailable
from crosslens.telemetry import callers

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 16  # questions of one wave: more save little and let the first one wait for the last


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Q, A]):
    question: Q
    answer: asyncio.Future[A]
    due: float
    caller: callers.Caller = field(default_factory=callers.caller)


class Waves(Generic[Q, A]):
    """
    Let a lane answer like questions in waves.

    Args:
        work: questions → answers in order, or why there is none; called in the lane's threads.
        most: questions of one wave.
    """

    def __init__(
        self,
        lane: Lane,
        work: Callable[[Sequence[Q]], Sequence[A | CrosslensError]],
        *,
        most: int = MOST,
    ) -> None:
        self._lane = lane
        self._work = work
        self._most = most
        self._waiting: deque[_Waiting[Q, A]] = deque()
        self._rolling = 0  # waves under way or about to be
        self._lock = threading.Lock()

    async def ask(self, question: Q) -> A:
        """
        Answer a question, alone or in company.

        Raises:
            Overloaded: its turn did not come in time.
            Unavailable: the lane was closed first.
        """
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(question, answer, self._lane.due())
        with self._lock:
            self._waiting.append(waiting)
            alone = self._rolling < self._lane.threads
            self._rolling += alone
        if alone:
            self._roll()
        return await answer

    def _roll(self) -> None:
        try:
            self._lane.submit(self._wave)
        except RuntimeError:  # it was closed
            self._deliver([(w, Unavailable("the service is stopping")) for w in self._taken()])

    def _wave(self) -> None:
        wave = self._taken()
        started = monotonic()
        late = [w for w in wave if w.due < started]
        on_time = [w for w in wave if w.due >= started]
        self._deliver([(w, self._lane.too_late()) for w in late])
        if on_time:
            answers = self._answers(on_time)
            self._lane.note((monotonic() - started) / len(on_time))
            self._deliver(list(zip(on_time, answers, strict=True)))
        with self._lock:
            more = bool(self._waiting)
            self._rolling -= not more
        if more:  # behind whatever else waits for the lane's threads
            self._roll()

    def _taken(self) -> list[_Waiting[Q, A]]:
        with self._lock:
            few = range(min(self._most, len(self._waiting)))
            return [self._waiting.popleft() for _ in few]

    def _answers(self, wave: Sequence[_Waiting[Q, A]]) -> Sequence[A | Exception]:
        """Answer a wave; if it breaks as a whole, each question on its own, for one is to blame."""
        try:
            with callers.on_behalf_of([waiting.caller for waiting in wave], "wave"):
                return self._work([waiting.question for waiting in wave])
        except Exception as exc:  # noqa: BLE001 - it is raised where the question was asked
            if len(wave) == 1:
                return [exc]
            return [answer for waiting in wave for answer in self._answers([waiting])]

    def _deliver(self, outcomes: Sequence[tuple[_Waiting[Q, A], A | Exception]]) -> None:
        if outcomes:
            loop = outcomes[0][0].answer.get_loop()
            loop.call_soon_threadsafe(_settle, outcomes)


def _settle(outcomes: Sequence[tuple[_Waiting[Q, A], A | Exception]]) -> None:
    for waiting, outcome in outcomes:
        if waiting.answer.done():  # who asked is gone
            continue
        if isinstance(outcome, Exception):
            waiting.answer.set_exception(outcome)
        else:
            waiting.answer.set_result(outcome)

"""Long work of the service itself: rebuilds, audits, evaluations; one at a time, with progress."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from queue import SimpleQueue
from typing import Any, Literal, TypeAlias

from crosslens.errors import Conflict, CrosslensError, NotFound, Overloaded
from crosslens.telemetry import logger

MOST_WAITING = 8
KEPT = 100  # ended tasks that can be asked about

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a phase, how much of it is done, and of how much."""
Work: TypeAlias = Callable[[Progress], Mapping[str, Any]]
Kind: TypeAlias = Literal[
    "rebuild", "use", "check", "audit", "evaluation", "duplicates", "generate"
]


class State(StrEnum):
    """Where a task is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cancelled(CrosslensError):
    """Whoever asked for the work does not want it any more."""

    code = "cancelled"


class Stopped(CrosslensError):
    """The service stops, and so does the work, as if it had never begun."""

    code = "stopped"


@dataclass(frozen=True, slots=True)
class Task:
    """
    One piece of work; every step is a new value.

    Attributes:
        about: what it works on, such as the name of a bundle.
        done, total: of the phase at hand; total is 0 while it is not known.
        result: what came out, once it is done.
        error, hint, code: why it failed; the code is stable, the words are not.
    """

    task: str
    kind: Kind
    about: str = ""
    state: State = State.WAITING
    phase: str = ""
    done: int = 0
    total: int = 0
    created: str = ""
    ended: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    hint: str | None = None
    code: str | None = None


class Tasks:
    """Queue, run and remember work, until the service stops."""

    def __init__(self, name: str = "task") -> None:
        self._tasks: dict[str, Task] = {}
        self._unwanted: set[str] = set()
        self._queue: SimpleQueue[tuple[str, Work] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run_all, name=name)
        self._log = logger(name)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Break off what runs at its next step, drop what waits."""
        self._closing = True
        self._queue.put(None)
        self._thread.join()

    def submit(self, kind: Kind, work: Work, *, about: str = "") -> Task:
        """
        Queue work.

        Raises:
            Overloaded: enough waits already.
        """
        task = Task(secrets.token_hex(8), kind, about, created=_now())
        with self._lock:
            waiting = sum(each.state is State.WAITING for each in self._tasks.values())
            if waiting >= MOST_WAITING:
                raise Overloaded(f"{waiting} tasks wait already", hint="try again later")
            self._tasks[task.task] = task
            self._drop_old()
        self._queue.put((task.task, work))
        return task

    def get(self, task_id: str) -> Task:
        """
        Say how far a task is.

        Raises:
            NotFound: there is none, or it was before the service started.
        """
        task = self._tasks.get(task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id[:40]!r}")
        return task

    def all(self) -> list[Task]:
        """List tasks, newest first."""
        return list(reversed(list(self._tasks.values())))

    def cancel(self, task_id: str) -> Task:
        """
        Drop a task that waits, break off one that runs at its next step.

        Raises:
            NotFound: there is none.
            Conflict: it has ended already.
        """
        with self._lock:
            task = self.get(task_id)
            if task.ended:
                raise Conflict(f"the task is {task.state} already")
            self._unwanted.add(task_id)
            if task.state is State.WAITING:
                self._tasks[task_id] = replace(task, state=State.CANCELLED, ended=_now())
            return self._tasks[task_id]

    def _run_all(self) -> None:
        while (next_one := self._queue.get()) is not None and not self._closing:
            self._run(*next_one)

    def _run(self, task_id: str, work: Work) -> None:
        with self._lock:
            if task_id in self._unwanted:
                self._unwanted.discard(task_id)
                return
            self._change(task_id, state=State.RUNNING)
        try:
            result = work(lambda phase, done, total: self._step(task_id, phase, done, total))
            self._set(task_id, state=State.DONE, result=result, ended=_now())
        except Cancelled:
            self._set(task_id, state=State.CANCELLED, ended=_now())
        except CrosslensError as exc:
            self._fail(task_id, exc)
        except Exception as exc:  # noqa: BLE001 - the next task must not suffer from this one
            self._log.error("task broke", task=task_id, exc_info=exc)
            self._fail(task_id, CrosslensError("it broke; the log says why"))

    def _fail(self, task_id: str, exc: CrosslensError) -> None:
        told = {"error": exc.message, "hint": exc.hint, "code": exc.code}
        self._set(task_id, state=State.FAILED, ended=_now(), **told)

    def _step(self, task_id: str, phase: str, done: int, total: int) -> None:
        if self._closing:
            raise Stopped("the service stopped before this was done")
        if task_id in self._unwanted:
            self._unwanted.discard(task_id)
            raise Cancelled("it was cancelled")
        self._set(task_id, phase=phase, done=done, total=total)

    def _set(self, task_id: str, **changes: Any) -> None:
        with self._lock:
            self._change(task_id, **changes)

    def _change(self, task_id: str, **changes: Any) -> None:
        if task_id in self._tasks:
            self._tasks[task_id] = replace(self._tasks[task_id], **changes)

    def _drop_old(self) -> None:
        ended = [name for name, task in self._tasks.items() if task.ended]
        for name in ended[: max(0, len(ended) - KEPT)]:
            del self._tasks[name]


def _now() -> str:
    return datetime.now(UTC).isoformat()

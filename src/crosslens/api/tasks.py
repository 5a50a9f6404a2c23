"""
Long work of the service itself: rebuilds, audits, evaluations; one at a time, with progress.

Where processes share a catalogue, each runs what it was asked for, and all can tell of it.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from queue import SimpleQueue
from typing import Any, Literal, TypeAlias

from crosslens.api.answers import written
from crosslens.api.notices import Wording, notices
from crosslens.catalog.board import Board, Note
from crosslens.errors import Conflict, CrosslensError, NotFound, Overloaded
from crosslens.telemetry import logger

MOST_WAITING = 8
_DRAFTING = frozenset({"rebuild", "use"})
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
    """
    Queue, run and remember work, until the service stops.

    Args:
        name: of this sort of work.
        board: where other processes tell of theirs, and read of this one's.
    """

    def __init__(self, name: str = "task", board: Board | None = None) -> None:
        self._tasks: dict[str, Task] = {}
        self._unwanted: set[str] = set()
        self._queue: SimpleQueue[tuple[str, Work] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run_all, name=name)
        self._log = logger(name)
        wording = Wording(partial(_note, name), _told)
        self._notices = notices(board, name, wording, self._cancel_own)

    def start(self) -> None:
        """Begin to work."""
        self._notices.start()
        self._thread.start()

    def stop(self) -> None:
        """Break off what runs at its next step, drop what waits."""
        self._closing = True
        self._queue.put(None)
        self._thread.join()
        for task in self.own():
            if not task.ended:
                self._fail(task.task, Stopped("the service stopped before this was begun"))
        self._notices.stop()

    def submit(self, kind: Kind, work: Work, *, about: str = "") -> Task:
        """
        Queue work.

        Raises:
            Overloaded: enough waits already.
            Conflict: it fills a draft of the index, and another process is filling one.
            Unavailable: other processes cannot be told of it.
        """
        if kind in _DRAFTING:
            self._require_no_draft()
        task = Task(secrets.token_hex(8), kind, about, created=_now())
        with self._lock:
            waiting = sum(each.state is State.WAITING for each in self._tasks.values())
            if waiting >= MOST_WAITING:
                raise Overloaded(f"{waiting} tasks wait already", hint="try again later")
            self._tasks[task.task] = task
            self._drop_old()
        try:
            self._notices.post(task.task, task)
        except BaseException:
            with self._lock:
                del self._tasks[task.task]
            raise
        self._queue.put((task.task, work))
        return task

    def get(self, task_id: str) -> Task:
        """
        Say how far a task is, here or in another process.

        Raises:
            NotFound: there is none, or it was long ago, or before the only process started.
        """
        task = self.of_own(task_id) or self._notices.elsewhere(task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id[:40]!r}")
        return task

    def of_own(self, task_id: str) -> Task | None:
        """Say how far a task of this process is; None: it has none of that id."""
        return self._tasks.get(task_id)

    def own(self) -> list[Task]:
        """List the tasks of this process, newest first."""
        return list(reversed(list(self._tasks.values())))

    def all(self) -> list[Task]:
        """List the tasks of all processes, newest first."""
        elsewhere, own = self._notices.all_elsewhere(), self.own()
        for task in own:
            elsewhere.pop(task.task, None)
        return sorted([*own, *elsewhere.values()], key=lambda task: task.created, reverse=True)

    def cancel(self, task_id: str) -> Task:
        """
        Drop a task that waits, break off one that runs at its next step; here or elsewhere.

        Raises:
            NotFound: there is none.
            Conflict: it has ended already.
        """
        if self.of_own(task_id) is not None:
            return self._cancel_own(task_id)
        _require_open(self.get(task_id))
        self._notices.call_off(task_id)
        return self.get(task_id)

    def _require_no_draft(self) -> None:
        """See that nobody else fills a draft: an index has room for one."""
        for id, task in self._notices.all_elsewhere().items():
            if task.kind in _DRAFTING and not task.ended and self.of_own(id) is None:
                raise Conflict(
                    f"another process is building an index already (task {id})",
                    hint="try again when it is done",
                )

    def _cancel_own(self, task_id: str) -> Task:
        with self._lock:
            task = _require_open(self._tasks[task_id])
            self._unwanted.add(task_id)
            if task.state is State.WAITING:
                self._change(task_id, state=State.CANCELLED, ended=_now())
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
            task = self._tasks[task_id] = replace(self._tasks[task_id], **changes)
            self._notices.say(task_id, task, at_once="state" in changes)

    def _drop_old(self) -> None:
        ended = [name for name, task in self._tasks.items() if task.ended]
        for name in ended[: max(0, len(ended) - KEPT)]:
            del self._tasks[name]


def _require_open(task: Task) -> Task:
    if task.ended:
        raise Conflict(f"the task is {task.state} already")
    return task


def _note(lane: str, task: Task) -> Note:
    told = json.loads(written(asdict(task)))
    created = datetime.fromisoformat(task.created)
    return Note(task.task, lane, created, told, ended=task.ended is not None)


def _told(note: Note) -> Task:
    """Read a task from its note; that of a process which is gone has failed."""
    known = {each.name: note.told[each.name] for each in fields(Task) if each.name in note.told}
    task = Task(**{**known, "state": State(note.told["state"])})
    if not note.lost:
        return task
    over = replace(task, ended=note.heard.isoformat())
    if note.unwanted:
        return replace(over, state=State.CANCELLED)
    error = "the process that worked on it is gone"
    return replace(over, state=State.FAILED, error=error, hint="begin it again", code=Stopped.code)


def _now() -> str:
    return datetime.now(UTC).isoformat()

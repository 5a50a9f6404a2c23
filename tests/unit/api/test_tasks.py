"""Long work that is told to the other processes over a catalogue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from crosslens.api.tasks import Progress, State, Task, Tasks
from crosslens.catalog.board import Board, MemoryBoard, Note
from crosslens.errors import Conflict, InvalidRequest, NotFound, Overloaded, Unavailable
from fakes import FakeClock, endless


class Moody(MemoryBoard):
    """Counts what it is told, and is away when asked to be."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self.away = 0, False

    def tell(self, note: Note) -> None:
        if self.away:
            raise Unavailable("the board is away")
        self.told += 1
        super().tell(note)


@contextmanager
def running(board: Board | None = None) -> Iterator[Tasks]:
    tasks = Tasks(board=board)
    tasks.start()
    try:
        yield tasks
    finally:
        tasks.stop()


@contextmanager
def two(board: Board) -> Iterator[tuple[Tasks, Tasks]]:
    with running(board) as one, running(board) as other:
        yield one, other


def soon(look: Callable[[], Task], *states: State) -> Task:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if (task := look()).state in states:
            return task
        time.sleep(0.005)
    raise AssertionError(task)


def quick(step: Progress) -> Mapping[str, Any]:
    step("working", 1, 2)
    return {"products": 3}


def test_a_task_is_known_to_the_others_as_soon_as_it_is_accepted():
    board = MemoryBoard()
    with running(board) as other:
        task = Tasks(board=board).submit("audit", quick, about="鞋")  # it has not begun to work
        assert other.get(task.task) == task
        assert other.all() == [task]


def test_the_others_learn_how_it_ended():
    with two(MemoryBoard()) as (one, other):
        task = one.submit("audit", quick)
        told = soon(lambda: other.get(task.task), State.DONE)
        assert told == one.get(task.task)
        assert (told.result, told.phase, told.done) == ({"products": 3}, "working", 1)

        def refused(step: Progress) -> Mapping[str, Any]:
            raise InvalidRequest("alpha is 2", hint="0 to 1")

        broken = one.submit("audit", refused)
        failed = soon(lambda: other.get(broken.task), State.FAILED)
        assert (failed.error, failed.hint) == ("alpha is 2", "0 to 1")


def test_steps_are_told_now_and_then_however_many_there_are():
    def busy(step: Progress) -> Mapping[str, Any]:
        for n in range(5_000):
            step("working", n, 5_000)
        return {}

    board = Moody()
    with running(board) as tasks:
        began = time.monotonic()
        task = tasks.submit("rebuild", busy)
        soon(lambda: tasks.get(task.task), State.DONE)
        seconds = time.monotonic() - began
    assert board.told <= 4 + 2 * seconds
    assert MemoryBoard.read(board, "task", task.task).told["done"] == 4_999


def test_any_process_calls_off_what_another_does_or_has_waiting():
    with two(MemoryBoard()) as (one, other):
        runs, waits = one.submit("rebuild", endless), one.submit("audit", quick)
        soon(lambda: other.get(runs.task), State.RUNNING)
        for task in (waits, runs):
            other.cancel(task.task)
        for task in (waits, runs):
            soon(lambda id=task.task: one.get(id), State.CANCELLED)
            soon(lambda id=task.task: other.get(id), State.CANCELLED)
            with pytest.raises(Conflict, match="cancelled already"):
                other.cancel(task.task)
        with pytest.raises(NotFound):
            other.cancel("0123456789abcdef")


def test_lists_hold_the_tasks_of_all_newest_first_and_each_once():
    with two(MemoryBoard()) as (one, other):
        made = [tasks.submit("audit", quick).task for tasks in (one, other, one)]
        for tasks in (one, other):
            assert [task.task for task in tasks.all()] == made[::-1]


def test_a_task_whose_process_is_gone_has_failed_within_a_minute():
    clock = FakeClock()
    board = MemoryBoard(clock)
    dead = Tasks(board=board)  # never begins, and never gives a sign of life
    task, unwanted = dead.submit("audit", quick), dead.submit("audit", quick)
    with running(board) as other:
        assert other.cancel(unwanted.task).state is State.WAITING
        clock.advance(59)
        assert other.get(task.task).state is State.WAITING
        clock.advance(2)
        told = other.get(task.task)
        assert (told.state, told.code) == (State.FAILED, "stopped")
        assert told.error == "the process that worked on it is gone"
        assert told.ended == "2026-01-01T00:00:00+00:00", "when it was heard of last"
        assert other.get(unwanted.task).state is State.CANCELLED
        with pytest.raises(Conflict, match="failed already"):
            other.cancel(task.task)
        assert {each.state for each in other.all()} == {State.FAILED, State.CANCELLED}


def test_a_process_that_stops_says_what_becomes_of_its_tasks():
    board = MemoryBoard()
    with running(board) as one:
        runs, waits = one.submit("rebuild", endless), one.submit("audit", quick)
        soon(lambda: one.get(runs.task), State.RUNNING)
    with running(board) as other:
        for task in (runs, waits):
            told = other.get(task.task)
            assert (told.state, told.code) == (State.FAILED, "stopped")


def test_work_that_cannot_be_told_of_is_refused_and_takes_no_place():
    board = Moody()
    with running(board) as tasks:
        board.away = True
        for _ in range(20):
            with pytest.raises(Unavailable):
                tasks.submit("audit", quick)
        assert tasks.all() == []
        board.away = False
        task = tasks.submit("audit", quick)
        soon(lambda: tasks.get(task.task), State.DONE)


def test_an_end_that_could_not_be_told_is_told_when_the_board_is_back():
    board, go_on = Moody(), threading.Event()

    def held_up(step: Progress) -> Mapping[str, Any]:
        assert go_on.wait(20)
        return {}

    with two(board) as (one, other):
        task = one.submit("audit", held_up)
        soon(lambda: other.get(task.task), State.RUNNING)
        board.away = True
        go_on.set()
        soon(lambda: one.get(task.task), State.DONE)
        assert other.get(task.task).state is State.RUNNING
        board.away = False
        soon(lambda: other.get(task.task), State.DONE)


def test_a_process_that_is_alone_knows_its_own_tasks_only():
    with running() as one, running() as other:
        task = one.submit("audit", quick)
        soon(lambda: one.get(task.task), State.DONE)
        assert (len(one.all()), other.all()) == (1, [])
        with pytest.raises(NotFound):
            other.get(task.task)


def test_a_full_queue_is_refused_and_tells_nobody():
    board = MemoryBoard()
    asleep = Tasks(board=board)
    for _ in range(8):
        asleep.submit("audit", quick)
    with pytest.raises(Overloaded):
        asleep.submit("audit", quick)
    assert len(board.all("task")) == 8

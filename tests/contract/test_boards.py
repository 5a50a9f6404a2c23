"""What the board of long work promises, in memory or in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crosslens.catalog.board import KEPT, Board, MemoryBoard, Note
from crosslens.catalog.clock import SetClock
from crosslens.catalog.connection import open_engine
from crosslens.catalog.sql_board import SqlBoard
from fakes import FakeClock
from servers import empty


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def board(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Board]:
    if request.param == "memory":
        yield MemoryBoard(clock)
        return
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    if request.param != "sqlite":
        url = request.getfixturevalue(f"{request.param}_catalog")
        empty(url)
    engine = open_engine(url, busy_s=30, clock=SetClock())
    yield SqlBoard(engine, clock)
    engine.dispose()


def note(clock: FakeClock, n: int = 1, **given: Any) -> Note:
    created = clock.now + timedelta(seconds=n)
    return Note(**{"id": f"{n:016x}", "lane": "task", "created": created, "told": {}, **given})


def ids(notes: list[Note]) -> list[int]:
    return [int(each.id, 16) for each in notes]


def test_a_note_is_read_as_it_was_told_last(board, clock):
    told = {"state": "running", "about": "红 'shoe' \\ \0", "result": {"n": [1, 2.5, None]}}
    board.tell(note(clock, told={"state": "waiting"}))
    board.tell(note(clock, told=told, ended=True))
    found = board.read("task", f"{1:016x}")
    assert (found.told, found.ended, found.unwanted, found.lost) == (told, True, False, False)
    assert (found.created, found.heard) == (note(clock).created, clock.now)


def test_lanes_are_apart_and_listed_newest_first(board, clock):
    for n in (2, 1, 3):
        board.tell(note(clock, n))
    board.tell(note(clock, 4, lane="import"))
    assert (ids(board.all("task")), ids(board.all("import"))) == ([3, 2, 1], [4])
    assert board.read("import", f"{1:016x}") is None
    assert board.read("task", "f" * 16) is None


def test_what_is_called_off_remains_so_whatever_is_told_of_it(board, clock):
    for n in (1, 2):
        board.tell(note(clock, n))
    board.call_off(f"{1:016x}")
    board.call_off("f" * 16)
    board.tell(note(clock, 1, told={"done": 5}))
    assert board.unwanted([f"{n:016x}" for n in (1, 2, 9)]) == {f"{1:016x}"}
    assert board.read("task", f"{1:016x}").unwanted
    assert board.unwanted([]) == set()


def test_work_is_lost_when_its_process_is_silent_for_a_minute_and_found_when_it_speaks(
    board, clock
):
    for n in (1, 2, 3):
        board.tell(note(clock, n, ended=n == 3))
    clock.advance(60)
    board.renew([f"{2:016x}", "f" * 16])
    clock.advance(1)
    assert [(each.lost, each.ended) for each in board.all("task")] == [
        (False, True),
        (False, False),
        (True, False),
    ]
    board.renew([f"{1:016x}"])
    assert not board.read("task", f"{1:016x}").lost


def test_only_the_newest_of_what_is_over_is_kept(board, clock):
    board.tell(note(clock, 1))
    clock.advance(61)
    board.tell(note(clock, 2))
    board.tell(note(clock, 3, lane="import", ended=True))
    for n in range(4, KEPT + 5):
        board.tell(note(clock, n, ended=True))
    kept = ids(board.all("task"))
    assert kept == [*range(KEPT + 4, 4, -1), 2], "the lost and the oldest go, what goes on stays"
    assert ids(board.all("import")) == [3]


def test_many_processes_tell_at_once_and_nothing_is_lost(board, clock):
    def process(first: int) -> None:
        for n in range(first, first + 20):
            board.tell(note(clock, n))
            board.renew([f"{n:016x}"])
            board.tell(note(clock, n, ended=True, told={"n": n}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(process, range(100, 500, 100)))
    assert {each.told["n"] for each in board.all("task")} == {
        100 * k + n for k in range(1, 5) for n in range(20)
    }

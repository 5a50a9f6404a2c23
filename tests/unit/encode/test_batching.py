from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crosslens.encode.batching import BatchedPictures, BatchedText, Batcher
from crosslens.encode.towers import Row
from crosslens.errors import (
    BrokenBundle,
    Overloaded,
    Unavailable,
    UnreadablePicture,
    UnusableVector,
)
from crosslens.values import Floats, Space

SPACE = Space("fake/fp32", 4)


class Tower:
    """Rows of numbers → a vector that tells them apart; costs a fixed time; counts its company."""

    def __init__(self, *, cost_s: float = 0.0) -> None:
        self.space = SPACE
        self.cost_s = cost_s
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.now = self.most = 0
        self.lock = threading.Lock()

    def prepare_queries(self, words: Sequence[str]) -> list[Row]:
        return [np.array([1.0, float(word)]) for word in words]

    prepare_items = prepare_queries

    def prepare(self, pictures: Sequence[bytes]) -> list[Row]:
        if b"bad" in pictures:
            raise UnreadablePicture("bad")
        return [np.array([1.0, float(content)]) for content in pictures]

    def run(self, rows: Sequence[Row]) -> Floats:
        with self.lock:
            self.sizes.append(len(rows))
            self.threads.add(threading.get_ident())
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.cost_s)
        with self.lock:
            self.now -= 1
        return np.array([[1.0, *row, 0.0] for row in rows], np.float32)


class Gate(Tower):
    """A tower that runs only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()

    def run(self, rows: Sequence[Row]) -> Floats:
        self.entered.release()
        assert self.open.wait(10)
        return super().run(rows)


def row(value: float) -> list[Row]:
    return [np.array([1.0, value])]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_lone_call_runs_in_its_own_thread() -> None:
    tower = Tower()
    Batcher(tower.run, slots=1)(row(1))
    assert tower.threads == {threading.get_ident()}


def test_whatever_waits_runs_together_in_order_of_arrival() -> None:
    tower = Gate()
    batcher = Batcher(tower.run, slots=1, max_batch=3)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, row(0))
        tower.entered.acquire()
        later = []
        for n in range(1, 6):
            later.append(pool.submit(batcher, row(n)))
            until(lambda n=n: batcher.waiting == n)
        tower.open.set()
        assert [float(f.result(10)[0][0, 2]) for f in [first, *later]] == [0, 1, 2, 3, 4, 5]
    assert tower.sizes == [1, 3, 2]


def test_a_long_call_is_cut_and_lets_others_in_between() -> None:
    tower = Gate()
    batcher = Batcher(tower.run, slots=1, max_batch=4)
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(batcher, row(1) * 10)
        tower.entered.acquire()
        short = pool.submit(batcher, row(2))
        until(lambda: batcher.waiting == 1)
        tower.open.set()
        assert sum(map(len, long.result(10))) == 10
        assert len(short.result(10)[0]) == 1
    assert tower.sizes == [4, 1, 4, 2]


def test_no_more_than_the_slots_run_at_once_and_answers_reach_their_askers() -> None:
    tower = Tower(cost_s=0.001)
    batcher = Batcher(tower.run, slots=2, max_batch=8)

    def ask(client: int) -> None:
        for turn in range(15):
            size = 1 + (client + turn) % 11
            found = np.concatenate(
                batcher([np.array([1.0, client * 100 + n]) for n in range(size)])
            )
            assert found[:, 2].tolist() == [client * 100 + n for n in range(size)]

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(ask, range(40)))
    assert tower.most == 2
    assert max(tower.sizes) <= 8
    assert batcher.waiting == 0


def _waits() -> list[float]:
    tower = Tower(cost_s=0.01)
    batcher = Batcher(tower.run, slots=2, max_batch=4)
    waits: list[float] = []

    def ask(client: int) -> None:
        for _ in range(12):
            began = time.perf_counter()
            batcher(row(client))
            waits.append(time.perf_counter() - began)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(ask, range(40)))
    return sorted(waits)


def test_nobody_starves_in_a_closed_loop() -> None:
    rounds = (_waits() for _ in range(3))  # a busy machine may spoil one
    assert any(waits[int(0.95 * len(waits))] <= 2 * waits[len(waits) // 2] for waits in rounds)


def test_an_interrupted_wait_takes_nobody_down() -> None:
    class Stop(BaseException):
        pass

    def stop(_signal: int, _frame: object) -> None:
        raise Stop

    tower = Gate()
    batcher = Batcher(tower.run, slots=1)
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(batcher, row(1))
            tower.entered.acquire()

            def interrupt() -> None:
                until(lambda: batcher.waiting == 1)
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

            pool.submit(interrupt)
            with pytest.raises(Stop):
                batcher(row(2))
            assert batcher.waiting == 0
            tower.open.set()
            assert len(first.result(10)) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(batcher(row(3))) == 1


def test_a_full_queue_refuses_and_says_how_many_wait() -> None:
    tower = Gate()
    batcher = Batcher(tower.run, slots=1, max_waiting=2)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(batcher, row(0))]
        tower.entered.acquire()
        calls += [pool.submit(batcher, row(n)) for n in (1, 2)]
        until(lambda: batcher.waiting == 2)
        with pytest.raises(Overloaded, match="2 callers wait"):
            batcher(row(3))
        tower.open.set()
        assert len([call.result(10) for call in calls]) == 3


def test_a_passed_deadline_gives_up_its_place_and_nothing_else() -> None:
    tower = Gate()
    batcher = Batcher(tower.run, slots=1, deadline_s=0.05)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(batcher, row(1))
        tower.entered.acquire()
        with pytest.raises(Overloaded, match=r"no turn at the encoder within 0\.05 s"):
            batcher(row(2))
        assert batcher.waiting == 0
        tower.open.set()
        assert len(first.result(10)) == 1
    assert float(batcher(row(5))[0][0, 2]) == 5


def test_a_failed_run_reaches_every_caller_of_its_batch_and_then_it_goes_on() -> None:
    gate = Gate()

    def run(rows: Sequence[Row]) -> Floats:
        gate.run(rows)
        if len(rows) > 1:
            raise BrokenBundle("the graph failed")
        return np.ones((len(rows), 4), np.float32)

    batcher = Batcher(run, slots=1, max_batch=8)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, row(0))
        gate.entered.acquire()
        others = [pool.submit(batcher, row(n)) for n in range(3)]
        until(lambda: batcher.waiting == 3)
        gate.open.set()
        assert len(first.result(10)) == 1
        for call in others:
            with pytest.raises(BrokenBundle, match="the graph failed"):
                call.result(10)
    assert len(batcher(row(1))) == 1


def test_an_interrupt_in_a_run_is_for_its_thread_alone() -> None:
    gate = Gate()

    def run(rows: Sequence[Row]) -> Floats:
        gate.run(rows)
        if len(rows) > 1:
            raise KeyboardInterrupt
        return np.ones((len(rows), 4), np.float32)

    batcher = Batcher(run, slots=1)
    outcomes: list[type] = []

    def ask() -> None:
        try:
            batcher(row(1))
        except BaseException as exc:  # noqa: BLE001 - the interrupt is the subject
            outcomes.append(type(exc))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    threads[0].start()
    gate.entered.acquire()
    for thread in threads[1:]:
        thread.start()
    until(lambda: batcher.waiting == 3)
    gate.open.set()
    for thread in threads:
        thread.join(10)
    assert sorted(kind.__name__ for kind in outcomes) == [
        "KeyboardInterrupt", "Unavailable", "Unavailable",
    ]  # fmt: skip
    assert len(batcher(row(1))) == 1


def test_close_answers_what_was_accepted_and_refuses_the_rest() -> None:
    tower = Gate()
    batcher = Batcher(tower.run, slots=1)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(batcher, row(0))]
        tower.entered.acquire()
        calls += [pool.submit(batcher, row(n)) for n in (1, 2)]
        until(lambda: batcher.waiting == 2)
        closing = pool.submit(batcher.close)
        until(lambda: not batcher.alive)
        with pytest.raises(Unavailable, match="closing"):
            batcher(row(3))
        assert not closing.done()
        tower.open.set()
        closing.result(10)
        assert all(call.done() or call.result(10) for call in calls)
        assert [float(call.result(10)[0][0, 2]) for call in calls] == [0, 1, 2]
    batcher.close()


def test_close_while_forty_threads_ask_leaves_nobody_hanging() -> None:
    tower = Tower(cost_s=0.001)
    batcher = Batcher(tower.run, slots=2, max_batch=4)
    refused = []

    def ask(client: int) -> None:
        try:
            while True:
                batcher(row(client))
        except Unavailable:
            refused.append(client)

    with ThreadPoolExecutor(40) as pool:
        calls = [pool.submit(ask, n) for n in range(40)]
        time.sleep(0.05)
        batcher.close()
        for call in calls:
            call.result(10)
    assert sorted(refused) == list(range(40))
    assert batcher.waiting == 0


@pytest.mark.parametrize("bad", [{"slots": 0}, {"max_batch": 0}, {"deadline_s": 0.0}])
def test_senseless_limits_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Batcher(Tower().run, **{"slots": 1, **bad})  # type: ignore[arg-type]


def test_texts_of_like_length_go_together_and_come_back_in_order() -> None:
    class ByLength(Tower):
        def prepare_items(self, texts: Sequence[str]) -> list[Row]:
            return [np.ones(len(text)) for text in texts]

        def run(self, rows: Sequence[Row]) -> Floats:
            assert max(map(len, rows)) - min(map(len, rows)) <= 1
            return np.array([[1.0, 0, 0, len(row)] for row in rows], np.float32)

    tower = ByLength()
    encoder = BatchedText(tower, Batcher(tower.run, slots=1, max_batch=2))
    vectors = encoder.encode_items(["a" * 9, "b", "c" * 10, "d" * 2])
    assert (vectors.array[:, 3] / vectors.array[:, 0]).round().tolist() == [9, 1, 10, 2]


def test_a_bad_picture_is_refused_before_the_queue() -> None:
    tower = Tower()
    encoder = BatchedPictures(tower, Batcher(tower.run, slots=1))
    with pytest.raises(UnreadablePicture):
        encoder.encode_pictures([b"1", b"bad"])
    assert tower.sizes == []


def test_an_unusable_vector_hits_only_its_own_caller() -> None:
    class OneBad(Gate):
        def run(self, rows: Sequence[Row]) -> Floats:
            found = super().run(rows)
            found[[row[1] == 7 for row in rows]] = np.nan
            return found

    tower = OneBad()
    encoder = BatchedText(tower, Batcher(tower.run, slots=1))
    with ThreadPoolExecutor(3) as pool:
        pool.submit(encoder.encode_queries, ["0"])
        tower.entered.acquire()
        bad = pool.submit(encoder.encode_queries, ["7"])
        good = pool.submit(encoder.encode_queries, ["8"])
        until(lambda: encoder._batcher.waiting == 2)
        tower.open.set()
        assert len(good.result(10)) == 1
        with pytest.raises(UnusableVector):
            bad.result(10)
    assert tower.sizes == [1, 2]

from __future__ import annotations

import threading
import time

import pytest

from crosslens.vectors.seats import Seats


def test_no_more_threads_are_seated_than_there_are_seats() -> None:
    seats, guard = Seats(3), threading.Lock()
    seated: list[int] = []
    most = [0]

    def sit() -> None:
        for _ in range(50):
            with seats:
                with guard:
                    seated.append(1)
                    most[0] = max(most[0], len(seated))
                time.sleep(0)
                with guard:
                    seated.pop()

    threads = [threading.Thread(target=sit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (most[0] <= 3, seated) == (True, [])


def test_who_waits_longest_sits_next() -> None:
    seats, order = Seats(1), []

    def sit(number: int) -> None:
        with seats:
            order.append(number)

    with seats:
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=sit, args=(number,)))
            threads[-1].start()
            while len(seats._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_a_failure_gives_the_seat_back() -> None:
    seats = Seats(1)
    with pytest.raises(ZeroDivisionError), seats:
        raise ZeroDivisionError
    with seats:
        pass

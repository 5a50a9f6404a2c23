import asyncio
import threading
import time

import pytest

from crosslens.api.lanes import Lane
from crosslens.errors import Overloaded


def lane(threads: int = 2, admitted: int = 3, patience_s: float = 5.0) -> Lane:
    return Lane("test", threads=threads, admitted=admitted, patience_s=patience_s)


def test_enough_requests_are_enough_and_leaving_makes_room() -> None:
    own = lane()
    with own.admission(), own.admission():
        with own.admission(), pytest.raises(Overloaded), own.admission():
            pass
        assert own.inside == 2
        with own.admission():
            pass
    assert (own.inside, own.refused) == (0, 1)


def test_a_failure_leaves_its_place() -> None:
    own = lane()
    with pytest.raises(ValueError, match="x"), own.admission():
        raise ValueError("x")
    assert own.inside == 0


def test_work_is_done_in_the_order_of_asking() -> None:
    own, done = lane(threads=1), []

    async def ask() -> None:
        await asyncio.gather(*(own.run(done.append, n) for n in range(50)))

    asyncio.run(ask())
    own.close()
    assert done == list(range(50))


def test_work_whose_turn_comes_too_late_is_not_begun() -> None:
    own, begun = lane(threads=1, patience_s=0.05), []

    async def ask() -> list[object]:
        first = asyncio.create_task(own.run(time.sleep, 0.3))
        return await asyncio.gather(
            first, *(own.run(begun.append, n) for n in range(3)), return_exceptions=True
        )

    outcomes = asyncio.run(ask())
    own.close()
    assert outcomes[0] is None
    assert all(isinstance(outcome, Overloaded) for outcome in outcomes[1:])
    assert begun == []


def test_the_event_loop_goes_on_while_work_is_done() -> None:
    own, gate = lane(), threading.Event()

    async def ask() -> bool:
        waiting = asyncio.create_task(own.run(gate.wait, 5))
        await asyncio.sleep(0)
        gate.set()
        return await waiting

    assert asyncio.run(ask())
    own.close()


def test_busier_lanes_ask_for_later_returns() -> None:
    own = lane(threads=1, admitted=1_000)
    own._mean_s = 1.0
    own.inside = 0
    assert own.retry_after_s == 1
    own.inside = 30
    assert own.retry_after_s == 30
    own.inside = 500
    assert own.retry_after_s == 60

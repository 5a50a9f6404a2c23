from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from crosslens.api.lanes import Lane
from crosslens.api.waves import Waves
from crosslens.errors import CrosslensError, NotFound, Overloaded, Unavailable


class Work:
    """Doubles numbers; says of odd ones that they are not found; breaks at 13."""

    def __init__(self) -> None:
        self.waves: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def __call__(self, questions: Sequence[int]) -> list[int | CrosslensError]:
        self.waves.append(list(questions))
        self.begun.set()
        self.go_on.wait(10)
        if 13 in questions:
            raise ZeroDivisionError
        return [NotFound(str(n)) if n % 2 else 2 * n for n in questions]


async def held_up(
    work: Work, waves: Waves[int, int], ask: Callable[[], Awaitable[object]], *, go_on: bool = True
) -> None:
    """Ask while every thread is busy with the question 0."""
    work.go_on.clear()
    first = asyncio.create_task(waves.ask(0))
    await asyncio.to_thread(work.begun.wait)
    asked = asyncio.ensure_future(ask())
    await asyncio.sleep(0.01)
    if go_on:
        work.go_on.set()
    assert await first == 0
    await asked


def run(
    most: int, ask: Callable[[Work, Waves[int, int]], Awaitable[object]], **lane: float
) -> Work:
    work = Work()
    own = Lane("x", threads=1, admitted=99, patience_s=lane.get("patience_s", 9.0))
    asyncio.run(_awaited(ask(work, Waves(own, work, most=most))))
    own.close()
    return work


async def _awaited(coroutine: Awaitable[object]) -> None:
    await coroutine


def test_a_lone_question_is_answered_at_once_and_alone() -> None:
    async def ask(work: Work, waves: Waves[int, int]) -> None:
        assert [await waves.ask(2), await waves.ask(4)] == [4, 8]

    assert run(8, ask).waves == [[2], [4]]


def test_what_waits_together_is_answered_together_each_with_its_own_answer() -> None:
    async def ask(work: Work, waves: Waves[int, int]) -> None:
        async def all_of_them() -> None:
            outcomes = await asyncio.gather(
                *(waves.ask(n) for n in range(1, 8)), return_exceptions=True
            )
            assert [str(outcome) for outcome in outcomes] == ["1", "4", "3", "8", "5", "12", "7"]
            assert isinstance(outcomes[0], NotFound)

        await held_up(work, waves, all_of_them)

    assert run(4, ask).waves == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_one_that_breaks_a_wave_does_not_break_the_others() -> None:
    async def ask(work: Work, waves: Waves[int, int]) -> None:
        async def all_of_them() -> None:
            outcomes = await asyncio.gather(
                *(waves.ask(n) for n in (2, 13, 4)), return_exceptions=True
            )
            assert [outcomes[0], outcomes[2]] == [4, 8]
            assert isinstance(outcomes[1], ZeroDivisionError)

        await held_up(work, waves, all_of_them)

    assert run(4, ask).waves == [[0], [2, 13, 4], [2], [13], [4]]


def test_a_question_whose_turn_comes_too_late_is_told_to_come_again() -> None:
    async def ask(work: Work, waves: Waves[int, int]) -> None:
        async def one() -> None:
            asyncio.get_running_loop().call_later(0.3, work.go_on.set)
            with pytest.raises(Overloaded, match="no turn"):
                await waves.ask(2)

        await held_up(work, waves, one, go_on=False)

    assert run(4, ask, patience_s=0.2).waves == [[0]]


def test_who_went_away_is_no_trouble() -> None:
    async def ask(work: Work, waves: Waves[int, int]) -> None:
        async def leave() -> None:
            gone = asyncio.create_task(waves.ask(2))
            await asyncio.sleep(0.005)
            gone.cancel()

        await held_up(work, waves, leave)
        assert await waves.ask(6) == 12

    run(4, ask)


def test_a_closed_lane_says_so_instead_of_leaving_questions_open() -> None:
    lane = Lane("x", threads=1, admitted=9, patience_s=9.0)
    waves = Waves(lane, Work())
    lane.close()
    with pytest.raises(Unavailable, match="stopping"):
        asyncio.run(waves.ask(2))


def test_every_question_of_many_is_answered_once() -> None:
    lane = Lane("x", threads=3, admitted=9_999, patience_s=9.0)
    work = Work()
    waves: Waves[int, int] = Waves(lane, work, most=5)

    async def ask() -> list[int]:
        return await asyncio.gather(*(waves.ask(2 * n) for n in range(500)))

    assert asyncio.run(ask()) == [4 * n for n in range(500)]
    assert sorted(n for wave in work.waves for n in wave) == [2 * n for n in range(500)]
    assert max(map(len, work.waves)) == 5
    lane.close()

import asyncio

import pytest

from crosslens.api import replays
from crosslens.api.replays import KEEP_S, Replays, Reply
from crosslens.errors import Conflict, InvalidRequest


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def reply(text: str) -> Reply:
    return Reply(201, text.encode(), {})


class Work:
    def __init__(self, fails: int = 0) -> None:
        self.done = 0
        self.fails = fails

    async def __call__(self) -> Reply:
        await asyncio.sleep(0.01)
        self.done += 1
        if self.done <= self.fails:
            raise ValueError("failed")
        return reply(str(self.done))


def test_concurrent_repetitions_wait_for_the_first() -> None:
    own, work = Replays(), Work()

    async def ask() -> list[tuple[Reply, bool]]:
        return await asyncio.gather(*(own.once("c", "k", "f", work) for _ in range(10)))

    outcomes = asyncio.run(ask())
    assert work.done == 1
    assert {answer.content for answer, _ in outcomes} == {b"1"}
    assert sum(repeated for _, repeated in outcomes) == 9


def test_when_the_first_fails_the_next_who_waited_tries() -> None:
    own, work = Replays(), Work(fails=2)

    async def ask() -> list[object]:
        asked = (own.once("c", "k", "f", work) for _ in range(5))
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = asyncio.run(ask())
    assert work.done == 3
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [True, True] + [False] * 3


def test_keys_are_apart_by_caller_and_last_a_day() -> None:
    clock = Clock()
    own, work = Replays(clock=clock), Work()

    async def ask(caller: str) -> bytes:
        return (await own.once(caller, "k", "f", work))[0].content

    assert [asyncio.run(ask(c)) for c in ("a", "b", "a", "b")] == [b"1", b"2", b"1", b"2"]
    clock.now += KEEP_S + 1
    assert asyncio.run(ask("a")) == b"3"


def test_the_same_key_for_another_request_is_a_mistake() -> None:
    own, work = Replays(), Work()
    asyncio.run(own.once("c", "k", "f", work))
    with pytest.raises(Conflict):
        asyncio.run(own.once("c", "k", "g", work))


@pytest.mark.parametrize("key", ["", "a b", "ключ", "x" * 201])
def test_odd_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        asyncio.run(Replays().once("c", key, "f", Work()))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "MOST", 10)
    own, work = Replays(), Work()

    async def ask() -> None:
        for n in range(30):
            await own.once("c", str(n), "f", work)

    asyncio.run(ask())
    assert len(own._kept) <= 10

from __future__ import annotations

import pytest

from crosslens.api.replays import Claim, Replays, Reply, ReusedKey
from crosslens.catalog.memory import MemoryCatalog
from crosslens.errors import Conflict, InvalidRequest
from fakes import FakeClock

CLAIM = Claim("caller", "k", "f" * 64)


class Work:
    """A write that keeps the receipt of a claim."""

    def __init__(self, catalog: MemoryCatalog, claim: Claim = CLAIM) -> None:
        self._catalog = catalog
        self._claim = claim
        self.done = 0

    def __call__(self) -> Reply:
        reply = Reply(201, str(self.done + 1).encode(), {"etag": "1"})
        with self._catalog.transaction() as writes:
            writes.keep(self._claim.receipt(reply))
        self.done += 1
        return reply


def test_a_write_that_happened_is_answered_as_before() -> None:
    catalog = MemoryCatalog()
    own, work = Replays(catalog), Work(catalog)
    assert own.given(CLAIM) is None
    first, repeated = own.once(CLAIM, work)
    assert (repeated, work.done) == (False, 1)
    assert own.given(CLAIM) == first
    assert own.once(CLAIM, work) == (first, True)
    assert work.done == 1


def test_what_failed_keeps_nothing_and_may_be_tried_again() -> None:
    catalog = MemoryCatalog()
    own = Replays(catalog)

    def fails() -> Reply:
        raise Conflict("taken")

    with pytest.raises(Conflict, match="taken"):
        own.once(CLAIM, fails)
    assert own.once(CLAIM, Work(catalog))[1] is False


def test_the_same_key_for_another_request_is_a_mistake() -> None:
    catalog = MemoryCatalog()
    own = Replays(catalog)
    own.once(CLAIM, Work(catalog))
    other = Claim("caller", "k", "e" * 64)
    with pytest.raises(ReusedKey):
        own.given(other)
    with pytest.raises(ReusedKey):
        own.once(other, Work(catalog, other))
    assert own.given(Claim("another caller", "k", "e" * 64)) is None


def test_old_receipts_are_cleared_away_now_and_then() -> None:
    days, hours = FakeClock(), FakeClock()
    catalog = MemoryCatalog(days)
    own = Replays(catalog, clock=lambda: hours.now.timestamp())
    own.once(CLAIM, Work(catalog))
    days.advance(86_400)
    hours.advance(3_601)
    other = Claim("caller", "l", "f" * 64)
    own.once(other, Work(catalog, other))
    assert catalog.forget_receipts() == 0, "it was done already"


@pytest.mark.parametrize("key", ["", "a b", "ключ", "x" * 201])
def test_odd_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        Claim("caller", key, "f" * 64)

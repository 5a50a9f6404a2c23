import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.api.buckets import Buckets, Limited


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_the_rate_counts() -> None:
    clock = Clock()
    buckets = Buckets(2.0, 3, clock=clock)
    for _ in range(3):
        buckets.take("a")
    with pytest.raises(Limited) as refused:
        buckets.take("a")
    assert refused.value.retry_after_s == 1
    buckets.take("b")
    clock.now += 0.5
    buckets.take("a")
    with pytest.raises(Limited):
        buckets.take("a")


def test_a_rate_of_zero_limits_nothing() -> None:
    buckets = Buckets(0, 1)
    for _ in range(100):
        buckets.take("a")


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_never_more_than_the_burst_and_the_rate_over_any_time(
    rate: float, burst: int, waits: list[float]
) -> None:
    clock = Clock()
    buckets = Buckets(rate, burst, clock=clock)
    passed = 0
    for wait in waits:
        clock.now += wait
        try:
            buckets.take("a")
        except Limited:
            continue
        passed += 1
    assert passed <= burst + rate * sum(waits) + 1e-6


def test_forgotten_callers_have_full_buckets_and_memory_is_bounded() -> None:
    buckets = Buckets(1.0, 1, clock=Clock())
    for n in range(20_000):
        buckets.take(str(n))
    assert len(buckets._levels) <= 10_000

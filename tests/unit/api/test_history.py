from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from crosslens.api.history import EDGES, STEP_S, STEPS, History, quantile_ms


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_answers_are_counted_in_the_step_that_they_fall_into() -> None:
    clock = Clock()
    history = History(clock)
    history.note("/search", 200, 0.01)
    history.note("/search", 503, 0.04)
    clock.now += STEP_S
    history.note("/product", 201, 0.002)
    history.look(7)
    first, second = history.shown()
    assert (first["at"], second["at"]) == (1_000_000, 1_000_000 + STEP_S)
    assert [(p["path"], p["answers"], p["failed"]) for p in first["paths"]] == [("/search", 2, 1)]
    assert (first["queue"], second["queue"]) == (None, 7)


def test_memory_is_bounded() -> None:
    clock = Clock()
    history = History(clock)
    for _ in range(2 * STEPS):
        clock.now += STEP_S
        history.look(0)
    assert len(history.shown()) == STEPS


@given(st.lists(st.floats(0.001, 90), min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_right_to_the_width_of_a_place(seconds: list[float], share: float) -> None:
    clock = Clock()
    history = History(clock)
    for value in seconds:
        history.note("/search", 200, value)
    told = history.shown()[0]["paths"][0]
    assert told["p50_ms"] <= told["p95_ms"]
    counts = Counter(next(n for n, edge in enumerate(EDGES) if edge >= v) for v in seconds)
    exact = sorted(seconds)[max(0, -(-int(share * 100) * len(seconds) // 100) - 1)]
    assert exact * 1e3 - 0.01 <= quantile_ms(counts, share) <= exact * 1e3 * 1.123 + 0.01

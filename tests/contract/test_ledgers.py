"""What the stores of duplicates and of answers promise, in memory or in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crosslens.catalog.clock import SetClock
from crosslens.catalog.connection import open_engine
from crosslens.catalog.duplicates import DuplicateStore, MemoryDuplicates, Pair, Tier, Verdict
from crosslens.catalog.exposures import (
    Action,
    Exposure,
    ExposureStore,
    Feedback,
    MemoryExposures,
    Shown,
    pseudonym,
)
from crosslens.catalog.sql_duplicates import SqlDuplicates
from crosslens.catalog.sql_exposures import SqlExposures
from crosslens.errors import InvalidRequest, NotFound
from fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def stores(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> Iterator[tuple[DuplicateStore, ExposureStore]]:
    if request.param == "memory":
        yield MemoryDuplicates(clock), MemoryExposures()
        return
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}", busy_s=5, clock=SetClock())
    yield SqlDuplicates(engine, clock), SqlExposures(engine)
    engine.dispose()


@pytest.fixture
def duplicates(stores: tuple[DuplicateStore, ExposureStore]) -> DuplicateStore:
    return stores[0]


@pytest.fixture
def log(stores: tuple[DuplicateStore, ExposureStore]) -> ExposureStore:
    return stores[1]


class TestDuplicates:
    def test_a_scan_replaces_what_the_one_before_found(self, duplicates, clock):
        assert (duplicates.pairs(), duplicates.scanned()) == ([], None)
        duplicates.replace([Pair(1, 2, Tier.EXACT, {"pictures": [0, 1]}), Pair(1, 9, Tier.NEAR)])
        duplicates.replace([Pair(3, 4, Tier.NEAR, {"distance": 2}), Pair(2, 4, Tier.SAME_PRODUCT)])
        assert [(p.left, p.right, p.tier) for p in duplicates.pairs()] == [
            (2, 4, Tier.SAME_PRODUCT),
            (3, 4, Tier.NEAR),
        ]
        assert duplicates.pairs()[1].evidence == {"distance": 2}
        assert duplicates.scanned() == clock.now

    def test_decisions_outlive_scans_and_the_newest_counts(self, duplicates):
        duplicates.decide([3, 1, 2], Verdict.DISTINCT)
        duplicates.decide([2, 1], Verdict.MERGED)
        duplicates.replace([])
        held = {key: each.verdict for key, each in duplicates.decisions().items()}
        assert held == {(1, 2): "merged", (1, 3): "distinct", (2, 3): "distinct"}
        duplicates.forget([1, 3])
        assert set(duplicates.decisions()) == {(1, 2), (2, 3)}

    def test_more_pairs_than_one_statement_takes_are_kept(self, duplicates):
        duplicates.replace(Pair(1, n, Tier.NEAR) for n in range(2, 1_300))
        assert len(duplicates.pairs()) == 1_298


class TestLog:
    def exposure(self, clock: FakeClock, n: int = 1, **given: object) -> Exposure:
        shown = (Shown(7, 0.5, {"keyword": 2.0}, "a"), Shown(8, 0.25))
        fields = {"answer": f"{n:032x}", "at": clock.now, "scene": "products", "shown": shown}
        return Exposure(**{**fields, **given})

    def test_an_answer_is_read_back_as_it_was_written(self, log, clock):
        exposure = self.exposure(
            clock,
            user=pseudonym("ann"),
            experiments={"rank": "mmr"},
            asked={"words": "鞋"},
            first=10,
        )
        log.log([exposure, exposure])
        log.log([exposure])
        assert log.exposure(exposure.answer) == exposure
        assert (exposure.rank(8), len(exposure.user)) == (11, 32)
        with pytest.raises(InvalidRequest, match="9 was not in answer"):
            exposure.rank(9)
        with pytest.raises(NotFound):
            log.exposure("f" * 32)

    def test_feedback_counts_once_and_stands_beside_its_answer(self, log, clock):
        exposure = self.exposure(clock)
        log.log([exposure])
        click = Feedback(exposure.answer, 8, Action.CLICK, 1, clock.now)
        buy = Feedback(exposure.answer, 7, Action.BUY, 0, clock.now)
        assert log.tell([click, buy, click]) == 2
        assert log.tell([click]) == 0
        (told,) = log.read("products")
        assert told.feedback == (buy, click)

    def test_a_scene_is_read_in_the_order_of_time_between_two_moments(self, log, clock):
        start = clock.now
        for n in range(1_200):
            log.log([self.exposure(clock, n, at=start + timedelta(seconds=n // 2))])
        log.log([self.exposure(clock, 9_999, scene="other")])
        until = start + timedelta(seconds=550)
        read = [t.exposure for t in log.read("products", since=start, until=until)]
        assert [e.answer for e in read] == [f"{n:032x}" for n in range(1_100)]

    def test_old_answers_are_forgotten_with_their_feedback(self, log, clock):
        log.log(
            [self.exposure(clock, 1), self.exposure(clock, 2, at=clock.now + timedelta(days=9))]
        )
        log.tell([Feedback(f"{1:032x}", 8, Action.CLICK, 1, clock.now)])
        assert log.forget(clock.now + timedelta(days=1)) == 1
        assert [told.exposure.answer for told in log.read("products")] == [f"{2:032x}"]

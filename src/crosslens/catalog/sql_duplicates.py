"""Duplicates and decisions in SQL, beside the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from crosslens.catalog.clock import Clock, utc_now
from crosslens.catalog.connection import writing
from crosslens.catalog.duplicates import Decision, Pair, Tier, Verdict, pairs_of
from crosslens.catalog.failures import translated
from crosslens.catalog.rows import as_datetime, as_micros, chunks
from crosslens.catalog.schema import counters, duplicate_decisions, duplicates

_SCANNED = "duplicates"  # the counter that holds the time of the last scan
_FORGET = delete(duplicate_decisions).where(
    duplicate_decisions.c.left_id == bindparam("left"),
    duplicate_decisions.c.right_id == bindparam("right"),
)
_PAIRS = select(duplicates).order_by(duplicates.c.left_id, duplicates.c.right_id)
_SCANNED_AT = select(counters.c.value).where(counters.c.name == _SCANNED)


class SqlDuplicates:
    """A `DuplicateStore` in the catalogue's database; the engine belongs to who made it."""

    def __init__(self, engine: Engine, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._writer = writing(engine)
        self._clock = clock

    def replace(self, pairs: Iterable[Pair]) -> None:
        """Keep what a scan found."""
        with translated(), self._writer.begin() as connection:
            connection.execute(delete(duplicates))
            for part in chunks(pairs):
                connection.execute(insert(duplicates), [_row(pair) for pair in part])
            connection.execute(delete(counters).where(counters.c.name == _SCANNED))
            now = as_micros(self._clock())
            connection.execute(insert(counters), {"name": _SCANNED, "value": now})

    def pairs(self) -> list[Pair]:
        """Return what the last scan found."""
        with translated(), self._engine.connect() as connection:
            return [
                Pair(left, right, Tier(tier), evidence)
                for left, right, tier, evidence in connection.execute(_PAIRS)
            ]

    def scanned(self) -> datetime | None:
        """Say when the last scan ended."""
        with translated(), self._engine.connect() as connection:
            at = connection.scalar(_SCANNED_AT)
        return None if at is None else as_datetime(at)

    def decide(self, product_ids: Sequence[int], verdict: Verdict) -> None:
        """Remember a verdict."""
        keys, now = pairs_of(product_ids), as_micros(self._clock())
        rows = [
            {"left_id": left, "right_id": right, "verdict": verdict.value, "decided": now}
            for left, right in keys
        ]
        with translated(), self._writer.begin() as connection:
            _forget(connection, keys)
            for part in chunks(rows):
                connection.execute(insert(duplicate_decisions), part)

    def forget(self, product_ids: Sequence[int]) -> None:
        """Forget verdicts."""
        with translated(), self._writer.begin() as connection:
            _forget(connection, pairs_of(product_ids))

    def decisions(self) -> dict[tuple[int, int], Decision]:
        """Return every decision."""
        with translated(), self._engine.connect() as connection:
            return {
                (left, right): Decision(left, right, Verdict(verdict), as_datetime(at))
                for left, right, verdict, at in connection.execute(select(duplicate_decisions))
            }

    def close(self) -> None:
        """Do nothing: the engine belongs to who made it."""


def _row(pair: Pair) -> dict[str, object]:
    return {
        "left_id": pair.left,
        "right_id": pair.right,
        "tier": pair.tier.value,
        "evidence": dict(pair.evidence),
    }


def _forget(connection: Connection, keys: Sequence[tuple[int, int]]) -> None:
    for part in chunks(keys):
        connection.execute(_FORGET, [{"left": left, "right": right} for left, right in part])

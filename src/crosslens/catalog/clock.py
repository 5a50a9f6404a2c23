"""The time, as something to hand over, so that tests can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


class SetClock:
    """
    A clock that is set from elsewhere and goes on by itself; until then it shows the machine's.

    Workers on several machines set theirs by the database server, for leases are compared times.
    """

    def __init__(self, fallback: Clock = utc_now) -> None:
        self._fallback = fallback
        self._setting: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Return the time now, in UTC."""
        if self._setting is None:
            return self._fallback()
        then, since = self._setting
        return then + timedelta(seconds=monotonic() - since)

    def ahead_s(self) -> float:
        """Return the seconds by which the machine's clock is ahead of this one."""
        return (self._fallback() - self()).total_seconds()

    def set(self, now: datetime) -> None:
        """Show this time from now on."""
        self._setting = now, monotonic()

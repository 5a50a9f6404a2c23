"""Transactions that a database undoes in favour of others: done again, a little later."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from crosslens.errors import LostRace

T = TypeVar("T")
ATTEMPTS = 6


def until_won(action: Callable[[], T]) -> T:
    """
    Do a whole transaction, again whenever the database undid it in favour of another.

    Raises:
        LostRace: it was undone every time.
    """
    for lost in range(1, ATTEMPTS):
        try:
            return action()
        except LostRace:
            time.sleep(random.uniform(0, 0.02 * 2**lost))  # noqa: S311 - to part those that met
    return action()

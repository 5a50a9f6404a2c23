"""Changes: the outbox. A change says "look at product 7 again", never what to write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """
    A product to be looked at again.

    Attributes:
        id: position in the outbox; rises with every announcement.
        revision: the product's revision when it was announced.
        tries: how often settling it has failed.
    """

    id: int
    product_id: int
    revision: int
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """A change that failed too often, with its last error."""

    product_id: int
    tries: int
    error: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """
    What the outbox holds, in products.

    Attributes:
        oldest_s: seconds since the oldest waiting change was announced; 0 when none waits.
    """

    waiting: int
    leased: int
    parked: int
    oldest_s: float

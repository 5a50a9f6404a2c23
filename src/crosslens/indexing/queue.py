"""Where a worker gets its changes: straight from the outbox, or by way of a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from crosslens.catalog.changes import Backlog, Change
from crosslens.catalog.product import Product


class Queue(Protocol):
    """
    What a worker asks of a catalogue; every `CatalogStore` is one.

    A change stays its owner's until it is settled or postponed; of one that a worker took with it
    when it died, another one learns.
    """

    def lease(self, *, limit: int, lease_s: float, owner: str) -> list[Change]:
        """Take up to `limit` products' changes that are due."""
        ...

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id as they are now."""
        ...

    def settle(self, changes: Sequence[Change], *, owner: str) -> None:
        """Acknowledge changes that the index has."""
        ...

    def postpone(
        self, change: Change, *, owner: str, error: str, delay_s: float, park: bool = False
    ) -> None:
        """Give a change back with its error: due again after `delay_s`, or parked for good."""
        ...

    def owners(self) -> list[str]:
        """List who holds a lease that has not run out, by name."""
        ...

    def release(self, owner: str) -> int:
        """End the leases of an owner that is known to be dead."""
        ...

    def backlog(self) -> Backlog:
        """Count what waits."""
        ...

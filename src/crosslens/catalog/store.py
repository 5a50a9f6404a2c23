"""The catalogue seam: products, pictures and changes under one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from crosslens.catalog.changes import Backlog, Change, Parked
from crosslens.catalog.listing import Mark, Order
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.receipts import Receipt
from crosslens.values import Attributes


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over the catalogue; retired products are counted apart."""

    products: int
    pictures: int
    retired: int


class Transaction(Protocol):
    """
    Writes that happen together or not at all. Each product written is announced, once, in the
    same transaction.
    """

    def insert(self, fields: ProductFields, pictures: Sequence[Picture]) -> Product:
        """
        Store a new product at revision 1.

        Raises:
            Conflict: its source key is taken.
        """
        ...

    def update(
        self,
        product_id: int,
        fields: ProductFields,
        pictures: Sequence[Picture],
        *,
        revision: int | None = None,
    ) -> Product:
        """
        Replace what is known of a product, which also brings a retired one back; revision + 1.

        Raises:
            NotFound: no such product.
            Conflict: `revision` is given and is not the current one, or the key is taken.
        """
        ...

    def retire(self, product_id: int, *, revision: int | None = None) -> Product:
        """
        Take a product out of every search; revision + 1.

        Raises:
            NotFound: no such product, or it is retired already.
            Conflict: `revision` is given and is not the current one.
        """
        ...

    def by_source_keys(self, keys: Sequence[str]) -> dict[str, Product]:
        """Read products by source key, retired ones included."""
        ...

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id, retired ones included; unknown ids are left out."""
        ...

    def keep(self, receipt: Receipt) -> None:
        """
        Keep a receipt with what is written.

        Raises:
            Conflict: its caller has used the key already.
        """
        ...


class CatalogStore(Protocol):
    """Products, pictures and the outbox; safe to call from many threads and processes."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """
        Open a write transaction: commits on leaving, rolls back on an exception.

        Raises:
            StorageFull: the disk has no room; nothing is written.
            Unavailable: the database is away, or locked for longer than its time-out.
        """
        ...

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id, retired ones included; unknown ids are left out."""
        ...

    def attributes(self, product_ids: Sequence[int]) -> dict[int, Attributes]:
        """
        Read the attributes alone of live products, in any order; others are left out.

        Many products cost a seventh of what `read` takes.
        """
        ...

    def by_source_keys(self, keys: Sequence[str]) -> dict[str, Product]:
        """Read products by source key, retired ones included."""
        ...

    def stream(self, *, after: int = 0, batch: int = 500) -> Iterator[list[Product]]:
        """Yield live products with id > `after`, by rising id, in batches."""
        ...

    def page(self, *, limit: int, offset: int = 0, newest_first: bool = True) -> list[Product]:
        """Read live products ordered by id."""
        ...

    def listed(
        self,
        *,
        limit: int,
        order: Order = Order.ID,
        descending: bool = False,
        offset: int = 0,
        after: Mark | None = None,
    ) -> list[Product]:
        """Read live products in an order, from the start or after a mark of the same order."""
        ...

    def count(self) -> int:
        """Count live products; quick however many there are."""
        ...

    def summary(self) -> Summary:
        """Count products and pictures."""
        ...

    def receipt(self, caller: str, key: str) -> Receipt | None:
        """Return the receipt that a caller's key was used for, within a day."""
        ...

    def forget_receipts(self) -> int:
        """Delete the receipts that are too old to count; return how many."""
        ...

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """Yield (id, revision, pictures) of live products by rising id, for `audit`."""
        ...

    def pictures_in_use(self) -> Iterator[str]:
        """Yield the SHA-256 of every picture of a live product, each once."""
        ...

    def lease(self, *, limit: int, lease_s: float, owner: str) -> list[Change]:
        """
        Take up to `limit` products' changes that are due, those due longest first.

        A product is leased to one owner at a time and appears once, with its newest change; a
        lease that has run out may be taken by anyone.
        """
        ...

    def prolong(self, changes: Sequence[Change], *, lease_s: float, owner: str) -> None:
        """
        Let the leases of these changes end in `lease_s` seconds.

        What is not the owner's any more, or was announced again since, stays as it is.
        """
        ...

    def settle(self, changes: Sequence[Change], *, owner: str) -> None:
        """
        Acknowledge: forget everything announced for these products up to each change's id.

        A change announced after the lease stays, and is due at once. One whose lease has passed
        to another owner stays that owner's.
        """
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
        """End the leases of an owner that is known to be dead; return how many are due again."""
        ...

    def announce(self, product_ids: Sequence[int]) -> int:
        """
        Announce products (also retired or unknown ones) again and return how many they are.

        Parked and postponed ones are due at once, with no tries counted.
        """
        ...

    def position(self) -> int:
        """Return the id of the newest change ever announced; 0 before the first."""
        ...

    def changed_since(self, position: int) -> Iterator[list[int]]:
        """
        Yield ids of products announced after `position`, settled or not, in batches.

        It ends however much is announced meanwhile: all from before the call are among them.
        """
        ...

    def backlog(self) -> Backlog:
        """Count what waits."""
        ...

    def parked(self, *, limit: int = 100) -> list[Parked]:
        """List parked changes with their errors."""
        ...

    def waiting(self, product_ids: Sequence[int]) -> Mapping[int, Parked | None]:
        """Say which of these products have an unsettled change: parked with its error, or None."""
        ...

    def clock_ahead_s(self) -> float:
        """Return the seconds by which this machine's clock is ahead of the one leases go by."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...

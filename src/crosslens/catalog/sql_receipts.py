"""Receipts in SQL."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select

from crosslens.catalog.receipts import KEPT, Receipt
from crosslens.catalog.schema import receipts
from crosslens.errors import Conflict

_KEPT_MICROS = KEPT // timedelta(microseconds=1)
_MINE = (receipts.c.caller == bindparam("whose")) & (receipts.c.key == bindparam("named"))
_FIND = select(
    receipts.c.caller,
    receipts.c.key,
    receipts.c.fingerprint,
    receipts.c.status,
    receipts.c.headers,
    receipts.c.content,
).where(_MINE, receipts.c.made > bindparam("oldest"))
_REPLACE = delete(receipts).where(_MINE)
_FORGET = delete(receipts).where(receipts.c.made <= bindparam("oldest"))


def find(connection: Connection, caller: str, key: str, *, now: int) -> Receipt | None:
    """Return a receipt that is not too old."""
    values = {"whose": caller, "named": key, "oldest": now - _KEPT_MICROS}
    row = connection.execute(_FIND, values).one_or_none()
    return None if row is None else Receipt(*row)


def keep(connection: Connection, receipt: Receipt, *, now: int) -> None:
    """
    Add a receipt, in place of one that is too old.

    Raises:
        Conflict: there is one that counts.
    """
    if find(connection, receipt.caller, receipt.key, now=now) is not None:
        raise Conflict(f"the key {receipt.key!r} was used already")
    connection.execute(_REPLACE, {"whose": receipt.caller, "named": receipt.key})
    row = {
        "caller": receipt.caller,
        "key": receipt.key,
        "fingerprint": receipt.fingerprint,
        "status": receipt.status,
        "headers": dict(receipt.headers),
        "content": receipt.content,
        "made": now,
    }
    connection.execute(insert(receipts), row)


def forget(connection: Connection, *, now: int) -> int:
    """Delete the receipts that are too old; return how many."""
    return connection.execute(_FORGET, {"oldest": now - _KEPT_MICROS}).rowcount

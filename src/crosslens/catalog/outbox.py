"""The outbox in SQL: what each method of the store does to the rows of `changes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Update,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from crosslens.catalog.changes import Backlog, Change, Parked
from crosslens.catalog.rows import Row, chunks
from crosslens.catalog.schema import PARKED, SETTLED, WAITING, changes, products

MAX_ERROR = 10_000
CHANGED_AT_ONCE = 1_000
_MICROS = 1_000_000

_c = changes.c
_now: BindParameter[int] = bindparam("now")
_waits = _c.state == WAITING
_leased = _c.lease_until > _now

# MySQL assigns from left to right and reads what it has just assigned: `state` comes last.
_REANNOUNCE = (
    update(changes)
    .where(_c.product_id == bindparam("product"))
    .ordered_values(
        (_c.id, bindparam("new_id")),
        (_c.revision, bindparam("new_revision")),
        (_c.announced_at, case((_waits & ~_leased, _c.announced_at), else_=_now)),
        (
            _c.due_at,
            case((_leased, _c.lease_until), (_waits & (_c.due_at < _now), _c.due_at), else_=_now),
        ),
        (_c.tries, 0),
        (_c.error, None),
        (_c.state, WAITING),
    )
)
_DUE = (
    select(_c.id, _c.product_id, _c.revision, _c.tries)
    .where(_waits, _c.due_at <= _now)
    .order_by(_c.due_at, _c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)  # SQLite has one writer and needs no lock
)
_LEASE = (
    update(changes)
    .where(_c.product_id.in_(bindparam("ids", expanding=True)))
    .values(
        lease_owner=bindparam("owner"), lease_until=bindparam("until"), due_at=bindparam("until")
    )
)
# The id of a leased row is the leased change's, unless the product was announced again meanwhile.
_mine = _c.product_id.in_(bindparam("products", expanding=True)) & (
    _c.lease_owner == bindparam("owner")
)
_unchanged = _mine & _c.id.in_(bindparam("ids", expanding=True))
_SETTLE = (
    update(changes)
    .where(_unchanged)
    .values(state=SETTLED, lease_owner=None, lease_until=0, tries=0, error=None)
)
_PROLONG = (
    update(changes)
    .where(_unchanged, _waits)
    .values(lease_until=bindparam("until"), due_at=bindparam("until"))
)
_RELEASE = update(changes).where(_mine).values(lease_owner=None, lease_until=0, due_at=_now)
_POSTPONE = (
    update(changes)
    .where(_unchanged)
    .values(
        lease_owner=None,
        lease_until=0,
        tries=_c.tries + 1,
        error=bindparam("why"),
        due_at=bindparam("due"),
        state=bindparam("next_state"),
    )
)


def announce(
    connection: Connection, revisions: Mapping[int, int], *, last_id: int, now: int
) -> int:
    """Announce products (id → revision) under the ids after `last_id`; return the last one used."""
    known = set(_existing(connection, revisions))
    again: list[Row] = []
    new: list[Row] = []
    for id, (product_id, revision) in enumerate(revisions.items(), last_id + 1):
        if product_id in known:
            again.append(
                {"product": product_id, "new_id": id, "new_revision": revision, "now": now}
            )
        else:
            new.append(_fresh(id, product_id, revision, now))
    if again:
        connection.execute(_REANNOUNCE, again)
    if new:
        connection.execute(insert(changes), new)
    return last_id + len(revisions)


def _existing(connection: Connection, product_ids: Mapping[int, int]) -> Iterator[int]:
    for part in chunks(product_ids):
        yield from connection.scalars(select(_c.product_id).where(_c.product_id.in_(part)))


def _fresh(id: int, product_id: int, revision: int, now: int) -> Row:
    return {
        "product_id": product_id,
        "id": id,
        "revision": revision,
        "state": WAITING,
        "announced_at": now,
        "due_at": now,
        "lease_owner": None,
        "lease_until": 0,
        "tries": 0,
        "error": None,
    }


def revisions_of(connection: Connection, product_ids: Sequence[int]) -> dict[int, int]:
    """Return the revision of each product; 0 for one that never was."""
    found = dict.fromkeys(product_ids, 0)
    for part in chunks(product_ids):
        rows = connection.execute(
            select(products.c.id, products.c.revision).where(products.c.id.in_(part))
        )
        found.update((id, revision) for id, revision in rows)
    return found


def lease(connection: Connection, *, limit: int, owner: str, now: int, until: int) -> list[Change]:
    """Take changes that are due, those due longest first."""
    rows = connection.execute(_DUE, {"now": now, "most": max(limit, 0)}).all()
    taken = [Change(id, product_id, revision, tries) for id, product_id, revision, tries in rows]
    for part in chunks(change.product_id for change in taken):
        connection.execute(_LEASE, {"ids": part, "owner": owner, "until": until})
    return taken


def prolong(connection: Connection, leased: Sequence[Change], *, owner: str, until: int) -> None:
    """Let leases end later, where they are still the owner's and nothing was announced since."""
    for part in chunks(leased):
        ids = [change.id for change in part]
        products = [change.product_id for change in part]
        held = {"ids": ids, "products": products, "owner": owner}
        connection.execute(_PROLONG, {**held, "until": until})


def settle(connection: Connection, leased: Sequence[Change], *, owner: str, now: int) -> None:
    """Forget what was announced up to each change; what came later is due at once."""
    for part in chunks(leased):
        _both(connection, _SETTLE, part, owner=owner, now=now)


def postpone(
    connection: Connection, change: Change, *, owner: str, error: str, now: int, due: int | None
) -> None:
    """Give a change back, due again at `due`, or parked when that is None."""
    fate = {
        "why": error[:MAX_ERROR],
        "due": now if due is None else due,
        "next_state": PARKED if due is None else WAITING,
    }
    _both(connection, _POSTPONE, [change], owner=owner, now=now, **fate)


def _both(
    connection: Connection, fate: Update, leased: Sequence[Change], *, now: int, **values: Any
) -> None:
    """Let what is unchanged since its lease have its fate; what is still leased then is not."""
    values["products"] = [change.product_id for change in leased]
    connection.execute(fate, {"ids": [change.id for change in leased], **values})
    connection.execute(
        _RELEASE, {"products": values["products"], "owner": values["owner"], "now": now}
    )


def owners(connection: Connection, *, now: int) -> list[str]:
    """List the owners of leases that have not run out."""
    held = select(_c.lease_owner).where(_waits, _c.due_at > now, _c.lease_until > now)
    return sorted(owner for owner in connection.scalars(held.distinct()) if owner is not None)


def release(connection: Connection, owner: str, *, now: int) -> int:
    """End an owner's leases; what it held is due at once."""
    ended = connection.execute(
        update(changes)
        .where(_waits, _c.due_at > now, _c.lease_owner == owner)
        .values(lease_owner=None, lease_until=0, due_at=now)
    )
    return ended.rowcount


def changed_since(connection: Connection, position: int) -> list[tuple[int, int]]:
    """Return the next (change id, product id) after a position, by rising change id."""
    statement = (
        select(_c.id, _c.product_id).where(_c.id > position).order_by(_c.id).limit(CHANGED_AT_ONCE)
    )
    return [(id, product_id) for id, product_id in connection.execute(statement)]


def backlog(connection: Connection, *, now: int) -> Backlog:
    """Count what waits; each part reads one index."""
    rows = connection.execute(
        select(_c.state, func.count()).where(_c.state != SETTLED).group_by(_c.state)
    )
    unsettled: dict[int, int] = {row[0]: row[1] for row in rows}
    leased = connection.scalar(
        select(func.count()).where(_waits, _c.due_at > now, _c.lease_until > now)
    )
    oldest = connection.scalar(
        select(_c.announced_at)
        .where(_waits, _c.lease_until <= now)
        .order_by(_c.announced_at)
        .limit(1)
    )
    return Backlog(
        waiting=unsettled.get(WAITING, 0) - (leased or 0),
        leased=leased or 0,
        parked=unsettled.get(PARKED, 0),
        oldest_s=0.0 if oldest is None else max(0, now - oldest) / _MICROS,
    )


def parked(connection: Connection, *, limit: int) -> list[Parked]:
    """List parked changes, those announced first first."""
    rows = connection.execute(
        select(_c.product_id, _c.tries, _c.error)
        .where(_c.state == PARKED)
        .order_by(_c.due_at, _c.id)
        .limit(max(limit, 0))
    )
    return [Parked(product_id, tries, error or "") for product_id, tries, error in rows]


def waiting(connection: Connection, product_ids: Sequence[int]) -> dict[int, Parked | None]:
    """Say which products have an unsettled change."""
    found: dict[int, Parked | None] = {}
    for part in chunks(product_ids):
        rows = connection.execute(
            select(_c.product_id, _c.state, _c.tries, _c.error).where(
                _c.product_id.in_(part), _c.state != SETTLED
            )
        )
        for id, state, tries, error in rows:
            found[id] = Parked(id, tries, error or "") if state == PARKED else None
    return found

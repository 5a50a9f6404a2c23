"""Which bundle serves in place of those that settings may still name."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, delete, insert, select, update

from crosslens.catalog.connection import writing
from crosslens.catalog.failures import translated
from crosslens.catalog.schema import switches

_c = switches.c


class SqlSwitches:
    """
    The switches of bundles that processes over one catalogue have made, so that each learns of
    those of the others; the engine belongs to who made it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = writing(engine)

    def serving(self, named: Mapping[str, str]) -> dict[str, str]:
        """Return purpose → the bundle that serves in place of the one that settings name."""
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(select(_c.purpose, _c.former, _c.bundle)).all()
        instead = {(purpose, former): bundle for purpose, former, bundle in rows}
        return {purpose: instead.get((purpose, name), name) for purpose, name in named.items()}

    def note(self, named: Mapping[str, str], serving: Mapping[str, str]) -> None:
        """
        Keep that bundles serve from now on, in place of those that settings name and of all that
        served before.

        Args:
            named: purpose → bundle of the settings of who switches.
            serving: purpose → bundle; the same as named where nothing was switched.
        """
        with translated(), self._writer.begin() as connection:
            for purpose, bundle in serving.items():
                _succeed(connection, purpose, named[purpose], bundle)


def _succeed(connection: Connection, purpose: str, named: str, bundle: str) -> None:
    ours = _c.purpose == purpose
    known = connection.execute(select(_c.former, _c.bundle).where(ours)).all()
    formers = {former for former, _ in known}
    connection.execute(delete(switches).where(ours, _c.former == bundle))
    connection.execute(update(switches).where(ours).values(bundle=bundle))
    for former in {named, *(row[1] for row in known)} - formers - {bundle}:
        row = {"purpose": purpose, "former": former, "bundle": bundle}
        connection.execute(insert(switches), row)

"""Catalogues as older versions of crosslens left them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import text

from crosslens.catalog import connection as opening
from crosslens.catalog.clock import SetClock

_INSERT = text(
    "INSERT INTO products (id, source_key, title, description, attributes, created, updated,"
    " revision, retired) VALUES (:id, NULL, :title, '', :attributes, 0, 0, 1, :retired)"
)
_COUNT = text("UPDATE counters SET value = :last WHERE name = 'product'")


def older(url: str, schema: str, titles: Sequence[str]) -> None:
    """Make a catalogue of an older schema, with products of these titles."""
    engine = opening._opened(opening._parse(url), 30, SetClock(), 1)
    with opening.writing(engine).begin() as connection:
        opening._migrate(connection, schema)
        rows = [
            {"id": id, "title": title, "attributes": json.dumps({}), "retired": False}
            for id, title in enumerate(titles, 1)
        ]
        connection.execute(_INSERT, rows)
        connection.execute(_COUNT, {"last": len(titles)})
    engine.dispose()

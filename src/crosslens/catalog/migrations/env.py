"""Alembic's entry: migrate on the connection, and in the transaction, of whoever asks."""

from __future__ import annotations

from alembic import context

from crosslens.catalog.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()

"""The statements of the SQL catalogue are written for every engine, not for SQLite alone."""

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.expression import ClauseElement

from crosslens.catalog import outbox, rows, sql, writing
from crosslens.catalog.schema import metadata

DIALECTS = {
    "mysql": mysql.dialect(),
    "postgresql": postgresql.dialect(),
    "sqlite": sqlite.dialect(),
}
STATEMENTS = {
    f"{module.__name__}.{name}": value
    for module in (outbox, rows, sql, writing)
    for name, value in vars(module).items()
    if isinstance(value, ClauseElement) and name.isupper()
}


def compiled(statement: ClauseElement, dialect: str) -> str:
    return " ".join(str(statement.compile(dialect=DIALECTS[dialect])).split())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_can_be_said_in_every_dialect(name, dialect):
    assert compiled(STATEMENTS[name], dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_table_can_be_made_in_every_dialect(dialect):
    for table in metadata.sorted_tables:
        assert compiled(CreateTable(table), dialect)
        for index in table.indexes:
            assert compiled(CreateIndex(index), dialect)


def test_workers_on_a_server_skip_rows_that_another_worker_takes():
    due = STATEMENTS["crosslens.catalog.outbox._DUE"]
    assert compiled(due, "postgresql").endswith("FOR UPDATE SKIP LOCKED")
    assert compiled(due, "mysql").endswith("FOR UPDATE SKIP LOCKED")
    assert "LOCKED" not in compiled(due, "sqlite")


def test_ids_of_servers_are_64_bit_and_source_keys_tell_case_apart():
    """Reference bug P9: 64-bit ids met a 32-bit column, and a long text column an index."""
    made = compiled(CreateTable(metadata.tables["products"]), "mysql")
    assert "id BIGINT NOT NULL" in made
    assert "source_key VARBINARY(2000)" in made
    assert "COLLATE utf8mb4_bin" in made
    assert "description MEDIUMTEXT" in made or "description TEXT(1000000)" in made
    changes = compiled(CreateTable(metadata.tables["changes"]), "postgresql")
    assert "product_id BIGINT NOT NULL" in changes


def test_mysql_reads_the_old_state_before_it_assigns_the_new():
    said = compiled(STATEMENTS["crosslens.catalog.outbox._REANNOUNCE"], "mysql")
    assert said.index("due_at=CASE") < said.index("state=%s WHERE")
    assert said.index("announced_at=CASE") < said.index("state=%s WHERE")

"""SQLite on disk: opening, schema, errors, several processes, crashes."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from crosslens.catalog import connection as catalog_connection
from crosslens.catalog import rows, sql
from crosslens.catalog.connection import upgrade
from crosslens.catalog.listing import Order, mark
from crosslens.catalog.product import Picture, ProductFields
from crosslens.catalog.schema import SCHEMA, metadata
from crosslens.catalog.sql import SqlCatalog
from crosslens.catalog.store import Summary
from crosslens.errors import Conflict, CrosslensError, InvalidRequest, StorageFull, Unavailable
from fakes import FakeClock
from older import older

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def catalog(path: Path) -> Iterator[SqlCatalog]:
    store = SqlCatalog(f"sqlite:///{path}", busy_s=0.2)
    yield store
    store.close()


def fill(catalog: SqlCatalog, count: int) -> None:
    with catalog.transaction() as writes:
        for n in range(count):
            shown = [Picture(f"{n:064x}", 10, 10, "jpeg", 100)]
            writes.insert(ProductFields(f"product {n}", source_key=f"key {n}"), shown)


class TestOpening:
    def test_a_catalogue_outlives_its_process(self, path, catalog):
        fill(catalog, 3)
        before = catalog.read([1, 2, 3])
        catalog.close()
        again = SqlCatalog(f"sqlite:///{path}")
        assert again.read([1, 2, 3]) == before
        again.close()

    def test_folders_are_made_and_odd_names_are_fine(self, tmp_path):
        odd = tmp_path / "a b" / "50% 目录" / "c.db"
        store = SqlCatalog(f"sqlite:///{odd}")
        fill(store, 1)
        store.close()
        assert odd.exists()

    def test_an_open_catalogue_imports_no_migration_tool(self, path, catalog):
        catalog.close()
        code = (
            "import sys; from crosslens.catalog.sql import SqlCatalog; "
            f"SqlCatalog('sqlite:///{path}').close(); print('alembic' in sys.modules)"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert out.stdout.strip() == b"False"

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "nonsense", "", "/a/b.db"])
    def test_what_names_no_database_is_refused(self, url):
        with pytest.raises(InvalidRequest, match="catalogue URL"):
            SqlCatalog(url)

    @pytest.mark.parametrize("url", ["nosuchengine://x/y", "mongodb://x/y"])
    def test_an_unknown_engine_is_refused(self, url):
        with pytest.raises(CrosslensError):
            SqlCatalog(url)

    def test_a_file_that_is_no_database_is_an_error_of_ours(self, path):
        path.write_bytes(b"not a database at all" * 500)
        with pytest.raises(CrosslensError, match="not a database"):
            SqlCatalog(f"sqlite:///{path}")

    def test_a_folder_that_cannot_be_made_is_an_error_of_ours(self, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(Unavailable, match="cannot be opened"):
            SqlCatalog(f"sqlite:///{tmp_path / 'file' / 'catalog.db'}")

    def test_the_password_is_not_shown(self, catalog):
        assert "catalog.db" in repr(catalog)

    def test_processes_may_open_a_new_catalogue_at_once(self, path):
        with ProcessPoolExecutor(4, mp_context=SPAWN) as pool:
            counts = list(pool.map(open_and_insert, [str(path)] * 4, range(4)))
        assert counts == [1] * 4
        store = SqlCatalog(f"sqlite:///{path}")
        assert store.summary().products == 4
        store.close()


def open_and_insert(path: str, n: int) -> int:
    store = SqlCatalog(f"sqlite:///{path}")
    with store.transaction() as writes:
        revision = writes.insert(ProductFields(f"product {n}"), ()).revision
    store.close()
    return revision


class TestSchema:
    def test_the_migrations_lead_to_the_tables_of_the_code(self, path, catalog):
        engine = create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            options = {"compare_type": True, "compare_server_default": True}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata) == []
        engine.dispose()

    def test_the_schema_that_the_code_asks_for_is_the_newest_migration(self):
        config = Config()
        folder = Path(catalog_connection.__file__).parent / "migrations"
        config.set_main_option("script_location", str(folder))
        config.set_main_option("path_separator", "os")
        assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA

    def test_a_catalogue_of_an_older_version_is_brought_up_to_date_with_all_it_has(self, path):
        older(f"sqlite:///{path}", "0002", [f"Product {n}" for n in range(2_345)] + ["a", "ＡＢ"])
        store = SqlCatalog(f"sqlite:///{path}")
        first = [product.id for product in store.listed(limit=4, order=Order.TITLE)]
        assert first == [2_346, 2_347, 1, 2]
        assert store.count() == 2_347
        store.close()

    def test_a_newer_schema_is_refused_by_name(self, path, catalog):
        set_version(path, "9999")
        with pytest.raises(Conflict, match="schema 9999, this version of crosslens knows"):
            SqlCatalog(f"sqlite:///{path}")

    def test_a_schema_that_failed_half_way_is_made_anew(self, path):
        empty = sqlite3.connect(path)
        empty.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        empty.commit()
        empty.close()
        store = SqlCatalog(f"sqlite:///{path}")
        fill(store, 1)
        store.close()


def set_version(path: Path, version: str) -> None:
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = ?", (version,))
    raw.commit()
    raw.close()


class TestListing:
    """Every order is read from an index, from the start or from a mark on, whole or by offset."""

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("marked", [False, True])
    @pytest.mark.parametrize("order", list(Order))
    def test_no_order_is_sorted_or_looks_at_products_that_it_does_not_show(
        self, catalog, order, marked, descending
    ):
        fill(catalog, 20)
        after = mark(catalog.read([7])[7], order) if marked else None
        statement = rows.ordered_ids(order, descending=descending, after=after).limit(5)
        with catalog._engine.connect() as connection:
            text = statement.compile(connection, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
        [step] = [row[-1] for row in plan]
        wanted = {Order.UPDATED: "products_by_update", Order.TITLE: "products_by_title"}
        assert step.startswith(
            f"SEARCH products USING COVERING INDEX {wanted.get(order, 'products_live')} (retired=?"
        )
        assert ("<" in step or ">" in step) == marked

    def test_live_products_are_counted_without_looking_at_them(self, catalog):
        fill(catalog, 20)
        with catalog.transaction() as writes:
            writes.retire(3)
        assert (catalog.count(), catalog.summary().products) == (19, 19)
        with catalog._engine.connect() as connection:
            text = sql._COUNTS.compile(connection, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
        assert all("counters" in step[-1] for step in plan)


class TestFailures:
    def test_a_full_disk_is_told_and_nothing_is_half_written(self, catalog):
        fill(catalog, 5)
        with catalog._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        catalog._engine.dispose()
        from sqlalchemy import event

        event.listen(
            catalog._engine,
            "connect",
            lambda raw, _: raw.execute(f"PRAGMA max_page_count={pages + 4}"),
        )
        with pytest.raises(StorageFull, match="full"), catalog.transaction() as writes:
            writes.insert(ProductFields("x", "words " * 16_000), ())
        assert catalog.summary().products == catalog.position() == 5
        with catalog.transaction() as writes:
            writes.retire(1)

    def test_a_writer_waits_for_another_and_then_gives_up(self, path, catalog):
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another writer"):
            fill(catalog, 1)
        assert catalog.summary().products == 0  # readers never wait
        raw.execute("ROLLBACK")
        raw.close()
        fill(catalog, 1)

    def test_reading_goes_on_while_a_transaction_is_open(self, catalog):
        fill(catalog, 1)
        with catalog.transaction() as writes:
            writes.retire(1)
            assert not catalog.read([1])[1].retired
        assert catalog.read([1])[1].retired

    def test_a_process_killed_half_way_leaves_neither_row_nor_change(self, path, catalog):
        process = SPAWN.Process(target=write_and_hang, args=(str(path),))
        process.start()
        wait_for(path.with_suffix(".hanging"))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert catalog.summary().products == catalog.backlog().waiting == catalog.position() == 0
        fill(catalog, 1)
        assert catalog.position() == 1

    def test_what_was_committed_survives_kill_9(self, path, catalog):
        process = SPAWN.Process(target=write_and_die, args=(str(path),))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert catalog.summary().products == catalog.backlog().waiting == 25


def write_and_hang(path: str) -> None:
    store = SqlCatalog(f"sqlite:///{path}")
    with store.transaction() as writes:
        writes.insert(ProductFields("x"), ())
        writes.read([1])  # flushes
        Path(path).with_suffix(".hanging").touch()
        time.sleep(60)


def write_and_die(path: str) -> None:
    fill(SqlCatalog(f"sqlite:///{path}"), 25)
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, "the other process did not start"
        time.sleep(0.02)


class TestProcesses:
    def test_processes_never_lease_the_same_product(self, path, catalog):
        fill(catalog, 120)
        with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
            taken = list(pool.map(lease_all, [str(path)] * 2, ["a", "b"]))
        assert sorted(taken[0] + taken[1]) == list(range(1, 121))
        assert catalog.backlog().waiting == 0

    def test_processes_writing_at_once_lose_nothing(self, path, catalog):
        with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
            list(pool.map(insert_one_by_one, [str(path)] * 2, [25, 25]))
        assert catalog.summary().products == catalog.position() == 50


def lease_all(path: str, owner: str) -> list[int]:
    store = SqlCatalog(f"sqlite:///{path}")
    taken = []
    while changes := store.lease(limit=3, lease_s=60, owner=owner):
        taken += [change.product_id for change in changes]
        store.settle(changes, owner=owner)
    store.close()
    return taken


def insert_one_by_one(path: str, count: int) -> None:
    store = SqlCatalog(f"sqlite:///{path}")
    for _ in range(count):
        with store.transaction() as writes:
            writes.insert(ProductFields("x"), ())
    store.close()


class TestSize:
    def test_leasing_and_counting_use_an_index(self, path, catalog):
        """A million waiting changes must not be read to take ten."""
        raw = sqlite3.connect(path)
        due = "SELECT id FROM changes WHERE state = 1 AND due_at <= 5 ORDER BY due_at, id LIMIT 9"
        [plan] = raw.execute(f"EXPLAIN QUERY PLAN {due}").fetchall()
        raw.close()
        assert "USING COVERING INDEX changes_due" in plan[3]
        assert "TEMP B-TREE" not in plan[3]

    def test_ids_of_changes_are_64_bit(self, path, catalog):
        """Reference bug P9: 64-bit ids met a 32-bit column."""
        raw = sqlite3.connect(path)
        raw.execute("UPDATE counters SET value = ?", (2**40,))
        raw.commit()
        raw.close()
        with catalog.transaction() as writes:
            product = writes.insert(ProductFields("x"), ())
        assert product.id == catalog.position() == 2**40 + 1
        assert catalog.read([product.id]) == {product.id: product}

    def test_times_are_exact_to_the_microsecond_in_utc(self, path):
        clock = FakeClock()
        clock.now = clock.now.replace(year=2199, microsecond=999_999)
        store = SqlCatalog(f"sqlite:///{path}", clock=clock)
        fill(store, 1)
        assert store.read([1])[1].created == clock.now
        store.close()


def test_what_is_counted_as_it_is_written_is_what_counting_gives(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    shown = [Picture("ab" * 32, 1, 1, "png", 1), Picture("cd" * 32, 1, 1, "png", 1)]
    with closing(SqlCatalog(url)) as store:
        with store.transaction() as writes:
            for n in range(4):
                writes.insert(ProductFields(f"title {n}"), shown[: n % 3])
            writes.retire(3)
        with store.transaction() as writes:
            writes.update(3, ProductFields("back"), shown[:1])
            writes.retire(2)
        kept = store.summary()
        assert kept == Summary(products=3, pictures=1, retired=1)
        upgrade(url)
        assert store.summary() == kept

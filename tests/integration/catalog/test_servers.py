"""The catalogue on servers: opening, text, several processes, refusals, lost connections."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from catalog_processes import EDITS, PRODUCTS, edit_everything, handle, open_and_insert
from crosslens.catalog.clock import SetClock, utc_now
from crosslens.catalog.connection import open_engine, upgrade
from crosslens.catalog.editing import Editor
from crosslens.catalog.listing import Order, mark, title_key
from crosslens.catalog.memory import MemoryMedia
from crosslens.catalog.product import Picture, ProductFields
from crosslens.catalog.schema import SCHEMA, metadata
from crosslens.catalog.sql import SqlCatalog
from crosslens.errors import Conflict, CrosslensError, Unavailable
from older import older
from servers import SqlServer, empty, free_port
from shell import Shell

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(
    params=[
        pytest.param("mysql", marks=pytest.mark.mysql),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def server(request: pytest.FixtureRequest) -> SqlServer:
    found: SqlServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def new_url(server: SqlServer) -> str:
    return server.new_database()


@pytest.fixture
def url(request: pytest.FixtureRequest, server: SqlServer) -> str:
    """A catalogue without products."""
    url: str = request.getfixturevalue(f"{server.name}_catalog")
    empty(url)
    return url


@pytest.fixture
def catalog(url: str) -> Iterator[SqlCatalog]:
    with closing(SqlCatalog(url, busy_s=1)) as store:
        yield store


def fill(catalog: SqlCatalog, count: int) -> None:
    with catalog.transaction() as writes:
        for n in range(count):
            writes.insert(ProductFields(f"product {n}"), ())


def cut_connections(server: SqlServer, url: str) -> None:
    """End every connection to a database, as a server does that is restarted."""
    name = url.rpartition("/")[2]
    if server.kind == "postgresql":
        server.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
    else:
        server.run("KILL USER shop")


class TestOpening:
    def test_the_migrations_lead_to_the_tables_of_the_code(self, url, catalog):
        engine = open_engine(url, busy_s=5, clock=SetClock())
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        engine.dispose()

    def test_processes_may_open_an_empty_database_at_once(self, new_url):
        with ProcessPoolExecutor(3, mp_context=SPAWN) as pool:
            assert list(pool.map(open_and_insert, [new_url] * 3)) == [1] * 3
        with closing(SqlCatalog(new_url)) as store:
            assert store.summary().products == 3

    def test_an_upgrade_of_what_is_new_changes_nothing(self, url, catalog):
        assert upgrade(url) == (SCHEMA, SCHEMA)

    def test_an_empty_database_is_made_ready_by_an_upgrade_and_the_future_is_refused(
        self, new_url, server
    ):
        assert upgrade(new_url) == (None, SCHEMA)
        name = new_url.rpartition("/")[2]
        run_in(server, name, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(Conflict, match="schema 9999, this version of crosslens knows up to"):
            SqlCatalog(new_url)
        with pytest.raises(Conflict, match="9999"):
            upgrade(new_url)

    def test_an_upgrade_tells_old_titles_their_places(self, new_url):
        older(new_url, "0002", ["banana", "Apple", "ÄPFEL 苹果"])
        upgrade(new_url)
        with closing(SqlCatalog(new_url)) as store:
            assert [p.id for p in store.listed(limit=9, order=Order.TITLE)] == [2, 1, 3]

    def test_an_older_schema_is_altered_only_when_a_person_says_so(self, new_url, server):
        upgrade(new_url)
        name = new_url.rpartition("/")[2]
        run_in(server, name, "UPDATE alembic_version SET version_num = '0001'")
        with pytest.raises(Conflict, match=f"has schema 0001, .* needs {SCHEMA}") as caught:
            SqlCatalog(new_url)
        assert "crosslens catalog upgrade" in (caught.value.hint or "")

    def test_the_tables_of_another_shop_are_left_alone(self, new_url, server):
        name = new_url.rpartition("/")[2]
        run_in(
            server,
            name,
            "CREATE TABLE products (sku INTEGER)",
            f"GRANT SELECT ON products TO {who(server)}",
        )
        with pytest.raises(Conflict, match="a table 'products' that is not a catalogue's"):
            SqlCatalog(new_url)

    def test_the_password_is_not_shown(self, catalog):
        assert "geheim" not in repr(catalog)


def who(server: SqlServer) -> str:
    return "shop" if server.kind == "postgresql" else "'shop'@'%'"


def run_in(server: SqlServer, database: str, *statements: str) -> None:
    server.inside(database).run(*statements)


class TestText:
    def test_source_keys_are_compared_exactly(self, catalog):
        keys = [
            "a",
            "A",
            "á",
            "a\u0301",
            "a ",
            " a",
            "a\t",
            "ａ",
            "ß",
            "ss",
            "🎈",
            "👟",
            "𠮷",
            "吉",
            "i",
            "İ",
            "ı",
        ]
        with catalog.transaction() as writes:
            ids = {key: writes.insert(ProductFields(key, source_key=key), ()).id for key in keys}
        found = catalog.by_source_keys([*keys, "Ａ", "a  ", "SS"])
        assert {key: product.id for key, product in found.items()} == ids
        for key in keys:
            with pytest.raises(Conflict), catalog.transaction() as writes:
                writes.insert(ProductFields("again", source_key=key), ())

    def test_titles_stand_in_the_order_of_their_folded_characters_as_on_sqlite(self, catalog):
        titles = ["b", "a", "B", "ä", "z", "Z", "中", "👟", "_", "1", "10", "2"]
        with catalog.transaction() as writes:
            for title in titles:
                writes.insert(ProductFields(title), ())
        shown = [p.title for p in catalog.listed(limit=99, order=Order.TITLE)]
        assert shown == sorted(titles, key=title_key)

    def test_long_titles_that_begin_alike_are_all_on_some_page(self, catalog):
        """MySQL sorts by the first kilobyte of a text, unless told otherwise."""
        titles = [f"{'长' * 1_990}{n:03d}" for n in (7, 3, 9, 1, 5, 8, 2)]
        with catalog.transaction() as writes:
            for title in titles:
                writes.insert(ProductFields(title), ())
        seen: list[str] = []
        at = None
        while page := catalog.listed(limit=2, order=Order.TITLE, after=at):
            seen += [product.title for product in page]
            at = mark(page[-1], Order.TITLE)
        assert sorted(seen) == sorted(titles)

    def test_the_largest_product_is_kept(self, catalog):
        attributes = {f"name {n}": "𠮷" * 10_000 for n in range(100)}
        fields = ProductFields("𠮷" * 2_000, "𠮷" * 100_000, attributes, "𠮷" * 500)
        with catalog.transaction() as writes:
            written = writes.insert(fields, ())
        assert catalog.read([written.id])[written.id].fields == fields


class TestTogether:
    def test_no_change_is_handled_twice_at_one_revision_while_products_change(self, url, catalog):
        fill(catalog, PRODUCTS)
        with ProcessPoolExecutor(3, mp_context=SPAWN) as pool:
            handled = [pool.submit(handle, url, owner) for owner in ("a", "b")]
            edited = pool.submit(edit_everything, url).result()
            seen = [pair for worker in handled for pair in worker.result()]
        assert edited == EDITS * PRODUCTS
        assert len(seen) == len(set(seen))
        ids = range(1, PRODUCTS + 1)
        assert {pair for pair in seen if pair[1] > EDITS} == {(id, EDITS + 1) for id in ids}
        assert catalog.backlog().waiting == catalog.backlog().leased == 0

    def test_of_two_edits_at_one_revision_one_is_a_conflict(self, catalog):
        fill(catalog, 1)
        both, outcomes = threading.Barrier(2), []

        def edit(title: str) -> None:
            both.wait()
            try:
                with catalog.transaction() as writes:
                    writes.update(1, ProductFields(title), (), revision=1)
                outcomes.append("done")
            except Conflict:
                outcomes.append("conflict")

        in_threads(lambda: edit("a"), lambda: edit("b"))
        assert sorted(outcomes) == ["conflict", "done"]
        assert catalog.read([1])[1].revision == 2

    def test_edits_from_many_threads_each_count_one_revision(self, catalog):
        fill(catalog, 2)
        editor = Editor(catalog, MemoryMedia())

        def edit(name: str) -> None:
            for n in range(15):
                editor.edit(1 + n % 2, title=f"{name} {n}")

        in_threads(*(lambda name=name: edit(name) for name in "abcd"))
        assert sum(catalog.read([id])[id].revision for id in (1, 2)) == 2 + 60
        assert catalog.position() == 62

    def test_a_product_is_read_with_the_pictures_of_its_revision(self, catalog):
        fill(catalog, 1)
        shown = {n: Picture(f"{n:064x}", 1, 1, "png", 1) for n in range(2, 42)}

        def write() -> None:
            for revision, picture in shown.items():
                with catalog.transaction() as writes:
                    written = writes.update(1, ProductFields("x"), [picture])
                assert written.revision == revision

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            product = catalog.read([1])[1]
            if product.revision > 1:
                assert product.pictures == (shown[product.revision],)
        writer.join()

    def test_a_writer_waits_for_another_and_then_gives_up(self, catalog):
        with catalog.transaction() as first:
            first.insert(ProductFields("x"), ())
            with pytest.raises(Unavailable, match="held by another writer"):
                fill(catalog, 1)
        fill(catalog, 1)


def in_threads(*actions) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestAway:
    def test_connections_that_were_cut_are_opened_again(self, server, url, catalog):
        fill(catalog, 2)
        cut_connections(server, url)
        assert catalog.summary().products == 2
        fill(catalog, 1)

    def test_a_connection_cut_in_a_transaction_leaves_nothing_written(self, server, url, catalog):
        def write() -> None:
            with catalog.transaction() as writes:
                writes.insert(ProductFields("x"), ())
                cut_connections(server, url)

        with pytest.raises(Unavailable, match="does not answer"):
            write()
        assert catalog.summary().products == 0

    @pytest.mark.filterwarnings("ignore::ResourceWarning")  # PyMySQL forgets a socket
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_what_is_wrong_with_the_url_is_said_and_the_password_is_not(self, server, url):
        name = url.rpartition("/")[2]
        wrong = {
            "refuses this user or password": server.url(name, password="geheim-wrong"),
            "refuses this user": server.url(name, user="nobody"),
            "has no such database|may not do that": server.url("elsewhere"),
            "does not answer": server.url(name).replace(str(server.port), str(free_port())),
            "nobody knows the catalogue's server": server.url(name).replace(
                "127.0.0.1", "no-such-host.invalid"
            ),
        }
        for message, bad in wrong.items():
            with pytest.raises(Unavailable, match=message) as caught:
                SqlCatalog(bad)
            assert "geheim" not in str(caught.value)
            assert caught.value.hint

    def test_a_user_without_rights_is_told_so(self, server, url, catalog):
        name = url.rpartition("/")[2]
        server.run("DROP USER IF EXISTS reader" if server.kind == "mysql" else "SELECT 1")
        create = (
            "CREATE USER reader IDENTIFIED BY"
            if server.kind == "mysql"
            else "CREATE ROLE reader LOGIN PASSWORD"
        )
        server.run(f"{create} 'x'")
        everything = f"{name}.*" if server.kind == "mysql" else "ALL TABLES IN SCHEMA public"
        run_in(server, name, f"GRANT SELECT ON {everything} TO reader")
        with closing(SqlCatalog(server.url(name, user="reader", password="x"))) as store:
            with pytest.raises(Unavailable, match="may not do that"):
                fill(store, 1)
            assert store.summary().products == 0
        run_in(
            server,
            name,
            f"REVOKE ALL PRIVILEGES ON {everything} FROM reader"
            if server.kind == "postgresql"
            else "DROP USER reader",
        )

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_the_doctor_says_what_is_wrong(self, server, shell: Shell):
        shell.home.mkdir()
        bad = server.url("shop", password="geheim-wrong")
        (shell.home / "crosslens.toml").write_text(f'catalog_url = "{bad}"\n', "utf-8")
        ran = shell("doctor")
        assert ran.code == 1
        assert "refuses this user or password" in ran.out
        assert "check user and password in catalog_url" in ran.out
        assert "geheim" not in ran.out + ran.err


class TestClock:
    def test_products_and_leases_go_by_the_servers_time(self, server, catalog):
        now = {"mysql": "UTC_TIMESTAMP(6)", "postgresql": "clock_timestamp() AT TIME ZONE 'UTC'"}
        fill(catalog, 1)
        engine = catalog._engine
        with engine.connect() as connection:
            shown = connection.execute(text(f"SELECT {now[server.kind]}")).scalar_one()
        created = catalog.read([1])[1].created.replace(tzinfo=None)
        assert abs((shown - created).total_seconds()) < 2

    def test_a_machine_whose_clock_is_wrong_keeps_its_leases_and_can_say_so(self, url, catalog):
        late = SetClock(lambda: utc_now() - timedelta(hours=1))
        engine = open_engine(url, busy_s=5, clock=late)
        fill(catalog, 1)
        with closing(SqlCatalog(url, clock=late)) as wrong:
            assert len(wrong.lease(limit=9, lease_s=60, owner="wrong")) == 1
        assert catalog.lease(limit=9, lease_s=60, owner="right") == []
        assert abs(catalog.clock_ahead_s()) < 60
        assert -3_660 < late.ahead_s() < -3_540
        engine.dispose()


def test_errors_of_a_server_are_ours(catalog: SqlCatalog) -> None:
    with pytest.raises(CrosslensError), catalog._reading() as connection:
        connection.execute(text("SELECT nonsense FROM nowhere"))

"""What only an index in Milvus can suffer: other processes, kills, absence, strangers."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contract.vector_indexes import LOOKS, SPEC, TITLES, ids, rows, vectors
from crosslens.errors import IndexBroken, InvalidRequest, MissingExtra, Unavailable
from crosslens.values import AttributeType, Modality, Space, Vectors
from crosslens.vectors import milvus as store_module
from crosslens.vectors import milvus_generations as engine
from crosslens.vectors import milvus_keywords as keywords
from crosslens.vectors import milvus_rows, saved_spec
from crosslens.vectors.filters import parse
from crosslens.vectors.index import Counts, IndexSpec
from crosslens.vectors.milvus import MilvusStore
from crosslens.vectors.milvus_abilities import Abilities, abilities_of
from crosslens.vectors.milvus_connection import Access, Connection
from crosslens.vectors.milvus_graphs import GRAPHS
from crosslens.vectors.milvus_index import MAY_BE_UNFLUSHED, MilvusIndex
from crosslens.vectors.milvus_keywords import ByFunction
from crosslens.vectors.milvus_schema import KEY, create

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
pytestmark = [pytest.mark.milvus, pytest.mark.timeout(120)]

TESTS = Path(__file__).parents[2]
NUMBERS = count()


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Keeps one Milvus Lite running for the module; stores share it, each with its prefix."""
    connection = Connection(str(tmp_path_factory.mktemp("milvus") / "shared.db"))
    yield connection
    connection.close()


@pytest.fixture
def prefix() -> str:
    return f"test{next(NUMBERS)}"


def opened(milvus: Connection, prefix: str, spec: IndexSpec = SPEC) -> MilvusStore:
    return MilvusStore(milvus._uri, spec, prefix=prefix)


@pytest.fixture
def store(milvus: Connection, prefix: str) -> Iterator[MilvusStore]:
    store = opened(milvus, prefix)
    yield store
    store.close()


def child(code: str, *args: object) -> subprocess.Popen[str]:
    """Python in another process that can import these tests."""
    script = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{textwrap.dedent(code)}"
    command = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


WRITER = """
    from contract.vector_indexes import SPEC, rows
    from crosslens.vectors.milvus import MilvusStore
    index = MilvusStore(sys.argv[1], SPEC).live()
    for batch in range(100_000):
        index.upsert([rows(batch * 10 + n, pictures=["a", "b"]) for n in range(10)])
        print(batch, flush=True)
"""


def test_a_file_serves_one_process_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "index.db"
    writer = child(WRITER, file)
    try:
        writer.stdout.readline()
        with pytest.raises(Unavailable, match="another process"):
            MilvusStore(str(file), SPEC).live()
        acknowledged = int(writer.stdout.readline())
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.communicate()[0].split()
    store = MilvusStore(str(file), SPEC)
    held = {key: (revision, shown) for key, revision, shown in store.live().revisions()}
    store.close()
    last = max([acknowledged, *map(int, rest)])
    assert all(held[key] == (1, 2) for key in range(last * 10 + 10))


def test_a_closed_store_lets_other_processes_in(tmp_path: Path) -> None:
    file = tmp_path / "index.db"
    store = MilvusStore(str(file), SPEC)
    store.live()
    store.close()
    writer = child(WRITER, file)
    try:
        assert writer.stdout.readline().strip() == "0"
    finally:
        writer.kill()
        writer.communicate()


def test_a_server_that_is_away_is_said_to_be() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(Unavailable, match=uri):
            MilvusStore(uri, SPEC, access=Access(timeout_s=0.5)).live()
    assert time.monotonic() - start < 120, "it is not waited for in vain"


def test_a_server_that_goes_away_is_said_to_be(tmp_path: Path) -> None:
    from milvus_lite.server_manager import server_manager_instance

    file = tmp_path / "index.db"
    store = MilvusStore(str(file), SPEC, access=Access(timeout_s=0.5))
    index = store.live()
    server_manager_instance.release_server(str(file))
    for call in (
        lambda: index.upsert([rows(1)]),
        lambda: index.nearest(vectors(TITLES, 1), Modality.TEXT, limit=1),
        lambda: index.matching(["shoe"], limit=1),
        lambda: index.revisions(),
        index.counts,
    ):
        with pytest.raises(Unavailable):
            call()
    store.close()


@pytest.mark.parametrize("uri", ["", "index", "ftp://host", "/tmp/index.sqlite"])
def test_a_uri_that_is_neither_server_nor_file_is_refused(uri: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\.db"):
        MilvusStore(uri, SPEC).live()


@pytest.mark.parametrize("prefix", ["", "a-b", "1a", "a b", "a" * 200])
def test_a_prefix_that_milvus_does_not_take_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidRequest, match="prefix"):
        MilvusStore("index.db", SPEC, prefix=prefix)


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite.server_manager"])
def test_a_missing_package_is_named_with_its_command(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"crosslens\[milvus\]"):
        MilvusStore(str(tmp_path / "index.db"), SPEC).live()


def collections(milvus: Connection, prefix: str) -> list[str]:
    return sorted(name for name in milvus.ask("list_collections") if name.startswith(prefix))


def test_only_the_live_generation_stays_and_aliases_name_it(
    milvus: Connection, store: MilvusStore, prefix: str
) -> None:
    store.live()
    for _ in range(2):
        store.draft().take_over()
    store.draft().discard()
    left = collections(milvus, prefix)
    assert len(left) == 2
    targets = [
        milvus.ask("describe_alias", f"{prefix}_{part}")["collection_name"]
        for part in ("pictures", "text")
    ]
    assert targets == left


def test_stores_of_other_prefixes_are_left_alone(
    milvus: Connection, store: MilvusStore, prefix: str
) -> None:
    other = opened(milvus, f"{prefix}_text")
    other.live().upsert([rows(5)])
    store.live().upsert([rows(1)])
    store.draft().take_over()
    assert list(other.live().revisions()) == [(5, 1, 0)]
    assert list(store.live().revisions()) == []
    other.close()


def test_a_crash_between_the_aliases_is_mended(
    milvus: Connection, store: MilvusStore, prefix: str
) -> None:
    store.live().upsert([rows(1, pictures=["a"])])
    half = engine.Generation.new(prefix, SPEC)
    create(milvus, half, ByFunction(milvus))
    milvus.ask("alter_alias", half.pictures, f"{prefix}_pictures")
    again = opened(milvus, prefix)
    assert list(again.live().revisions()) == [(1, 1, 1)]
    again.draft().discard()
    again.close()
    assert half.pictures not in collections(milvus, prefix)
    assert list(store.live().revisions()) == [(1, 1, 1)]


def test_another_store_follows_a_rebuild_and_writes_go_to_what_is_live(
    milvus: Connection, store: MilvusStore, prefix: str
) -> None:
    follower = opened(milvus, prefix)
    index = follower.live()
    store.live().upsert([rows(1, pictures=["a"], tokens=["shoe"])])
    assert ids(index.matching(["shoe"], limit=5)) == [1]
    changed = IndexSpec(SPEC.text, SPEC.picture, {"brand": AttributeType.KEYWORD})
    rebuilder = opened(milvus, prefix, changed)
    for key, read in (
        (2, lambda: ids(index.matching(["shoe"], limit=5))),
        (3, lambda: ids(index.nearest(vectors(LOOKS, "a"), Modality.PICTURE, limit=5)[0])),
        (4, lambda: [held for held, _, _ in index.revisions()]),
        (5, lambda: [index.counts() and 5]),
    ):
        draft = rebuilder.draft()
        draft.index.upsert([rows(key, pictures=["a"], tokens=["shoe"])])
        draft.take_over()
        assert read() == [key]
        assert index.counts() == Counts(1, 1)
    assert index.spec == changed
    rebuilder.draft().take_over()
    index.upsert([rows(9, pictures=["a"], attributes={"brand": "x"})])
    assert list(rebuilder.live().revisions()) == [(9, 1, 1)]
    found = rebuilder.live().nearest(
        vectors(TITLES, 9), Modality.TEXT, limit=5, where=parse("brand = X")
    )
    assert ids(found[0]) == [9]
    index.delete([9])
    assert rebuilder.live().counts() == Counts(0, 0)
    rebuilder.close()
    follower.close()


def test_what_is_written_while_another_store_switches_is_not_lost(
    milvus: Connection, store: MilvusStore, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = store.live()
    rebuilder = opened(milvus, prefix)
    write = MilvusIndex._write

    def slow(self: MilvusIndex, written: object) -> None:
        write(self, written)
        monkeypatch.setattr(MilvusIndex, "_write", write)
        engine.point_at(milvus, draft.index.generation)

    draft = rebuilder.draft()
    monkeypatch.setattr(MilvusIndex, "_write", slow)
    index.upsert([rows(1, pictures=["a"])])
    assert list(draft.index.revisions()) == [(1, 1, 1)]
    draft.take_over()
    assert list(index.revisions()) == [(1, 1, 1)]
    rebuilder.close()


def test_a_crash_between_the_collections_shows_in_revisions(
    milvus: Connection, store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = store.live()
    index.upsert([rows(key, pictures=["a", "b"]) for key in (1, 2, 3)])
    ask = Connection.ask

    def dying(self: Connection, call: str, *args: object, **kwargs: object) -> object:
        if call in ("upsert", "delete") and "_text_" in str(args[0]):
            raise Unavailable("gone")
        return ask(self, call, *args, **kwargs)

    monkeypatch.setattr(Connection, "ask", dying)
    for write in (
        lambda: index.upsert([rows(1, revision=2, pictures=["a", "b", "c"])]),
        lambda: index.upsert([rows(4, pictures=["a"])]),
        lambda: index.delete([3]),
    ):
        with pytest.raises(Unavailable):
            write()
    monkeypatch.undo()
    assert list(index.revisions()) == [(1, -1, 3), (2, 1, 2), (3, -1, 0), (4, -1, 1)]
    index.upsert([rows(1, revision=3, pictures=["z"]), rows(4, pictures=[])])
    index.delete([3])
    assert list(index.revisions()) == [(1, 3, 1), (2, 1, 2), (4, 1, 0)]


def strangers(milvus: Connection, name: str) -> None:
    milvus.ask("create_collection", name, dimension=4)


def test_a_collection_of_somebody_else_is_not_taken_for_ours(
    milvus: Connection, store: MilvusStore, prefix: str
) -> None:
    for name in (f"{prefix}_text_strange", f"{prefix}_other"):
        strangers(milvus, name)
        milvus.ask("create_alias", name, f"{prefix}_text")
        with pytest.raises(IndexBroken, match="rebuild"):
            store.live()
        milvus.ask("drop_alias", f"{prefix}_text")
    store.live().upsert([rows(1)])
    store.draft().take_over()
    assert {f"{prefix}_text_strange", f"{prefix}_other"} < set(collections(milvus, prefix))


def test_a_collection_that_has_the_name_of_an_alias_is_named(
    milvus: Connection, store: MilvusStore, prefix: str
) -> None:
    strangers(milvus, f"{prefix}_pictures")
    with pytest.raises(IndexBroken, match="another prefix"):
        store.live()
    assert collections(milvus, prefix) == [f"{prefix}_pictures"]


def test_two_processes_that_start_at_once_share_one_index(
    milvus: Connection, store: MilvusStore, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = opened(milvus, prefix)

    def late(connection: Connection, *args: Any) -> None:
        monkeypatch.setattr(store_module, "create", create)
        other.live().upsert([rows(1)])
        create(connection, *args)

    monkeypatch.setattr(store_module, "create", late)
    assert list(store.live().revisions()) == [(1, 1, 0)]
    assert len(collections(milvus, prefix)) == 2
    other.close()


def test_where_a_collection_is_lost_an_empty_index_is_begun_and_in_doubt(
    milvus: Connection, prefix: str
) -> None:
    store = opened(milvus, prefix)
    assert store.live().counts().products == 0
    assert store.doubtful, "nobody has compared it yet"
    store.trust()
    store.live().upsert([rows(1)])
    store.close()
    milvus.ask("drop_alias", f"{prefix}_pictures")
    milvus.ask("drop_collection", collections(milvus, prefix)[0])
    store = opened(milvus, prefix)
    assert list(store.live().revisions()) == []
    assert store.doubtful
    store.live().upsert([rows(2)])
    assert list(store.live().revisions()) == [(2, 1, 0)]
    store.close()


def test_an_attribute_that_is_gone_is_gone_from_filters(store: MilvusStore) -> None:
    index = store.live()
    query = vectors(TITLES, 1)
    for attributes, meant in (({"colour": "red"}, [1]), ({}, [])):
        index.upsert([rows(1, attributes=attributes)])
        index.optimize()
        where = parse("colour is set")
        assert ids(index.nearest(query, Modality.TEXT, limit=5, where=where)[0]) == meant


def test_a_narrow_filter_loses_nothing_of_many_rows(store: MilvusStore) -> None:
    index = store.live()
    index.upsert([rows(key, attributes={"year": float(key % 100)}) for key in range(2_000)])
    assert index.needs_optimize()
    index.optimize()
    assert not index.needs_optimize()
    query = vectors(TITLES, "q")
    found = index.nearest(query, Modality.TEXT, limit=20, where=parse("year = 7"))[0]
    assert sorted(ids(found)) == list(range(7, 2_000, 100))
    assert index.counts().products == MAY_BE_UNFLUSHED


class Server:
    """Stands for a connection to a server and keeps what it is asked."""

    consistency = "Strong"

    def __init__(self, can: Abilities = Abilities()) -> None:  # noqa: B008 - nothing in it changes
        self.can = can
        self.library = importlib.import_module("pymilvus")
        self.asked: list[tuple[str, tuple[object, ...], dict[str, object]]] = []

    def ask(self, call: str, *args: object, **kwargs: object) -> list[list[object]]:
        self.asked.append((call, args, kwargs))
        return [[]]


def test_a_server_gets_graphs_a_whitespace_analyzer_and_the_spec() -> None:
    server = Server()
    create(server, engine.Generation("shop", "1", SPEC), ByFunction(server))  # type: ignore[arg-type]
    for name in ("shop_pictures_1", "shop_text_1"):
        calls = [(call, args[1:], kwargs) for call, args, kwargs in server.asked if args[0] == name]
        assert [call for call, _, _ in calls] == [
            "create_collection",
            "create_index",
            "load_collection",
            "load_collection",
        ]
        schema = calls[0][2]["schema"]
        assert saved_spec.from_json(schema.description) == SPEC
        graphs = [graph.to_dict() for graph in calls[1][1][0]]
        dense = [graph for graph in graphs if graph["field_name"] != keywords.KEYWORDS]
        assert {(graph["index_type"], graph["metric_type"]) for graph in dense} == {
            ("HNSW", "COSINE")
        }
        assert len(dense) == 2
    sparse = graphs[-1]
    assert (sparse["metric_type"], sparse["bm25_k1"], sparse["bm25_b"]) == ("BM25", 1.2, 0.75)
    tokens = next(field for field in schema.fields if field.name == keywords.TOKENS)
    assert tokens.params["max_length"] == 65_535
    assert json.loads(tokens.params["analyzer_params"]) == {"tokenizer": "whitespace"}


def test_keywords_fit_into_the_column_of_a_server() -> None:
    text = " ".join(f"word{n}" for n in range(100_000))
    written = ByFunction(Server()).fields(text)[keywords.TOKENS]  # type: ignore[arg-type]
    assert len(written.encode()) <= keywords.MOST_TEXT
    assert len(set(written.split())) == len(written.split()) > 8_000
    assert all(word.isalnum() and word.islower() | word.isdigit() for word in written.split())


@pytest.mark.parametrize(("where", "limit", "ef"), [("", 10, 128), ("a", 10, 512), ("", 900, 1800)])
def test_a_server_looks_further_for_more_hits_and_under_filters(
    where: str, limit: int, ef: int
) -> None:
    server = Server()
    query = vectors(TITLES, 1)
    milvus_rows.nearest(server, "text", query, limit=limit, where=where)  # type: ignore[arg-type]
    assert server.asked[0][2]["search_params"] == {"metric_type": "COSINE", "params": {"ef": ef}}


def test_limits_beyond_the_servers_are_bounded(store: MilvusStore) -> None:
    index = store.live()
    index.upsert([rows(key, pictures=["a"], tokens=["shoe"]) for key in range(5)])
    assert len(index.nearest(vectors(TITLES, 1), Modality.TEXT, limit=10**6)[0]) == 5
    assert len(index.nearest(vectors(LOOKS, 1), Modality.PICTURE, limit=10**6)[0]) == 5
    assert len(index.matching(["shoe"], limit=10**6)) == 5


def test_an_index_without_pictures_or_attributes_works(milvus: Connection, prefix: str) -> None:
    space = Space("only", 4)
    store = opened(milvus, prefix, IndexSpec((space,), (space,)))
    found = store.live().nearest(
        Vectors.normalized(space, vectors(Space("only", 4), 1).array), Modality.TEXT, limit=3
    )
    assert found == [[]]
    store.close()


@pytest.mark.parametrize("version", ["2.2.16", "v2.3.1", "1.1.0"])
def test_an_old_server_is_refused_with_what_is_needed(version: str) -> None:
    with pytest.raises(Unavailable, match=r"2\.3\.2 or newer"):
        abilities_of(version)


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ("v2.3.5-lite", Abilities(many_vectors=False, nulls=False, bm25=False)),
        ("2.4.17", Abilities(nulls=False, bm25=False)),
        ("v2.5.0-beta", Abilities()),
        ("2.6.4", Abilities()),
        ("Cloud (compatible with Milvus 2.5)", Abilities()),
        ("nightly", Abilities()),
        ("milvus_lite-3.2.2", Abilities(lite=True)),
    ],
)
def test_a_server_is_asked_for_what_its_version_has(version: str, can: Abilities) -> None:
    assert abilities_of(version) == can


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_kind_of_index_is_built_and_asked_as_it_wants(graph: str) -> None:
    server = Server()
    generation = engine.Generation("shop", "1", SPEC, graph=graph)
    create(server, generation, ByFunction(server))  # type: ignore[arg-type]
    built = next(args[1] for call, args, _ in server.asked if call == "create_index")
    assert {index.to_dict()["index_type"] for index in built} == {graph}
    narrow, wide = GRAPHS[graph].ask(10, False), GRAPHS[graph].ask(10, True)
    assert all(wide[name] > narrow[name] for name in narrow)


def test_a_kind_of_index_that_milvus_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="HNSW"):
        MilvusStore("index.db", SPEC, graph="TREE")


def test_an_older_server_gets_a_collection_for_each_space_and_flags_in_place_of_nulls() -> None:
    server = Server(Abilities(many_vectors=False, nulls=False, bm25=False))
    generation = engine.Generation("shop", "1", SPEC, apart=True)
    create(server, generation, keywords.ByCounting(server))  # type: ignore[arg-type]
    made = {a[0]: kw["schema"] for call, a, kw in server.asked if call == "create_collection"}
    assert list(made) == [part.name for part in generation.all_parts()]
    for schema in made.values():
        names = [field.name for field in schema.fields]
        assert sum(name.startswith("v") for name in names) == 1
        assert sum(name.startswith("sa") for name in names) == len(SPEC.attributes)
        assert not any(field.nullable for field in schema.fields)
    assert {keywords.WORDS, KEY} <= {field.name for field in made["shop_text_1"].fields}
    assert generation.holding(Modality.TEXT, TITLES) == "shop_text_1"
    assert generation.holding(Modality.PICTURE, LOOKS) != "shop_pictures_1"

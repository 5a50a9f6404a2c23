"""What only a Milvus server can say no to, and what an older one is asked instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from contract.vector_indexes import SPEC, TITLES, WORDS, ids, rows, vectors
from crosslens.errors import IndexBroken, Unavailable
from crosslens.values import Modality, Space
from crosslens.vectors import milvus_keywords as keywords
from crosslens.vectors import saved_spec
from crosslens.vectors.index import IndexSpec, VectorIndex
from crosslens.vectors.milvus import Access, MilvusStore
from crosslens.vectors.milvus_connection import Connection
from milvus_server import MilvusServer

pytestmark = [pytest.mark.milvus, pytest.mark.timeout(120)]
_numbers = count(1)


@pytest.fixture(scope="module")
def store(milvus_server: MilvusServer) -> Iterator[MilvusStore]:
    store = milvus_server.store(SPEC, prefix="said")
    yield store
    store.close()


@pytest.fixture
def index(store: MilvusStore) -> VectorIndex:
    live = store.live()
    live.delete([held for held, _, _ in live.revisions()])
    return live


@pytest.mark.parametrize("token", ["root:wrong", "nobody:Milvus", ""])
def test_a_wrong_token_is_named_with_its_setting(milvus_server: MilvusServer, token: str) -> None:
    access = dataclasses.replace(milvus_server.access, token=token, timeout_s=5)
    with pytest.raises(Unavailable) as caught:
        MilvusStore(milvus_server.uri, SPEC, access=access).live()
    assert "refuses the token" in caught.value.message
    assert "milvus_token" in caught.value.hint


@pytest.mark.parametrize("authority", [None, "tests"])
def test_a_server_whose_certificate_is_not_trusted_is_not_spoken_with(
    milvus_server: MilvusServer, authority: str | None, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_text(milvus_server.certificate.read_text("ascii").swapcase(), "ascii")
    trusted = None if authority is None else stranger
    access = dataclasses.replace(milvus_server.access, authority=trusted, timeout_s=2)
    with pytest.raises(Unavailable, match="localhost") as caught:
        MilvusStore(milvus_server.uri, SPEC, access=access).live()
    assert "milvus_ca" in caught.value.hint


def test_a_collection_of_another_dimension_is_not_taken_for_ours(
    milvus_server: MilvusServer,
) -> None:
    milvus = Connection(milvus_server.uri, access=milvus_server.access)
    prefix, column = f"strange{next(_numbers)}", "vector"
    spec = IndexSpec((Space(column, 8),), (Space(column, 8),))
    kinds = milvus.library.DataType
    schema = milvus.library.MilvusClient.create_schema(description=saved_spec.to_json(spec))
    schema.add_field("id", kinds.INT64, is_primary=True)
    from crosslens.vectors.columns import space_column

    schema.add_field(space_column(Space(column, 8)), kinds.FLOAT_VECTOR, dim=4)
    name = f"{prefix}_text_0123456789ab"
    milvus.ask("create_collection", name, schema=schema)
    milvus.ask("create_alias", name, f"{prefix}_text")
    try:
        store = milvus_server.store(spec, prefix=prefix)
        with pytest.raises(IndexBroken, match="4 dimensions in place of the 8") as caught:
            store.live()
        assert "another prefix" in caught.value.hint
        store.close()
    finally:
        milvus.ask("drop_alias", f"{prefix}_text")
        milvus.ask("drop_collection", name)
        milvus.close()


def test_many_questions_travel_together(index: VectorIndex) -> None:
    index.upsert([rows(key, pictures=[f"{key}/{n}" for n in range(3)]) for key in range(8)])
    found = index.nearest(vectors(TITLES, *range(8)), Modality.TEXT, limit=1)
    assert [ids(hits) for hits in found] == [[key] for key in range(8)]
    shown = index.nearest(vectors(WORDS, "5/2", "1/0"), Modality.PICTURE, limit=8)
    assert [hits[0].product_id for hits in shown] == [5, 1]
    assert all(sorted(ids(hits)) == list(range(8)) for hits in shown)


def test_of_a_question_that_too_many_answer_the_rare_words_decide(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.upsert([
        rows(key, tokens=["shoe", "red"] if key % 10 == 0 else ["shoe"]) for key in range(40)
    ])  # fmt: skip
    exact = index.matching(["shoe", "red"], limit=4)
    monkeypatch.setattr(keywords, "_MOST_ROWS", 10)
    index.upsert([rows(40, tokens=["other"])])
    assert ids(index.matching(["shoe", "red"], limit=4)) == ids(exact) == [0, 10, 20, 30]
    assert len(index.matching(["shoe"], limit=40)) == 10


def test_a_server_that_was_away_is_used_again_when_it_is_back(
    milvus_server: MilvusServer,
) -> None:
    access = Access(milvus_server.access.token, milvus_server.certificate, timeout_s=0.01)
    with pytest.raises(Unavailable):
        MilvusStore(milvus_server.uri, SPEC, access=access).live()
    store = milvus_server.store(SPEC, prefix="said")
    assert store.live().counts().products >= 0
    store.close()

"""DashVector beyond the contract: delays, limits, keys, and its own sum of vector and words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import dashvector_stand_in
from contract.vector_indexes import SPEC, TITLES, ids, rows, vectors
from crosslens.errors import InvalidRequest, Unavailable, UnusableVector, WrongSpace
from crosslens.values import Modality, Space, Vectors
from crosslens.vectors.dashvector import DashVectorStore
from crosslens.vectors.dashvector_index import DashVectorIndex
from crosslens.vectors.index import Counts, IndexSpec
from crosslens.vectors.term_statistics import TermStatistics
from fakes import jpeg
from shell import Shell

CORPUS = [["red", "shirt"], ["blue", "shirt"], ["red", "shoe", "shoe"]]


@pytest.fixture
def service() -> Iterator[dashvector_stand_in.StandIn]:
    with dashvector_stand_in.running() as service:
        yield service


def store_at(service: dashvector_stand_in.StandIn, **options: object) -> DashVectorStore:
    options = {"key": service.key, "training": lambda: TermStatistics.train(CORPUS)} | options
    return DashVectorStore(service.endpoint, options.pop("spec", SPEC), **options)


@pytest.fixture
def store(service: dashvector_stand_in.StandIn) -> Iterator[DashVectorStore]:
    with closing(store_at(service)) as store:
        yield store


def filled(store: DashVectorStore) -> DashVectorIndex:
    store.live().upsert([rows(n, tokens=tokens) for n, tokens in enumerate(CORPUS, start=1)])
    index = store._index
    assert isinstance(index, DashVectorIndex)
    return index


def test_what_the_service_shows_late_is_waited_for(
    service: dashvector_stand_in.StandIn, store: DashVectorStore
) -> None:
    index = store.live()
    service.lag_s = 0.15
    index.upsert([rows(1, pictures=["a", "b"], tokens=["shoe"])])
    assert ids(index.matching(["shoe"], limit=5)) == [1]
    assert index.counts() == Counts(1, 2)
    index.upsert([rows(1, revision=2, pictures=["a"])])
    assert list(index.revisions()) == [(1, 2, 1)]
    index.delete([1])
    assert index.counts() == Counts(0, 0)


def test_a_service_that_never_shows_a_write_is_unavailable(
    service: dashvector_stand_in.StandIn,
) -> None:
    with closing(store_at(service, timeout_s=0.2)) as store:
        index = store.live()
        service.lag_s = 60
        with pytest.raises(Unavailable, match="not ready"):
            index.upsert([rows(1)])


def test_a_service_that_asks_for_patience_gets_it(
    service: dashvector_stand_in.StandIn, store: DashVectorStore
) -> None:
    index = filled(store)
    service.too_fast = 3
    assert ids(index.matching(["shoe"], limit=5)) == [3]


def test_a_wrong_key_and_a_silent_host_are_said(service: dashvector_stand_in.StandIn) -> None:
    with (
        closing(store_at(service, key="wrong")) as store,
        pytest.raises(Unavailable, match="API key"),
    ):
        store.live()
    with (
        closing(DashVectorStore("http://127.0.0.1:9", SPEC, key="k", timeout_s=0.5)) as store,
        pytest.raises(Unavailable, match="does not answer"),
    ):
        store.live()


def test_a_key_never_travels_in_the_clear(service: dashvector_stand_in.StandIn) -> None:
    for endpoint, key, reason in (
        ("http://cluster.example", "k", "TLS"),
        ("ftp://cluster.example", "k", "expected the host"),
        ("", "k", "expected the host"),
        ("cluster.example", "", "needs an API key"),
    ):
        with pytest.raises(InvalidRequest, match=reason):
            DashVectorStore(endpoint, SPEC, key=key)
    with pytest.raises(InvalidRequest, match="prefix"):
        store_at(service, prefix="a_b")


def test_what_the_service_has_no_room_for_is_refused(
    service: dashvector_stand_in.StandIn, store: DashVectorStore
) -> None:
    index = store.live()
    with pytest.raises(UnusableVector, match="lists 40 values"):
        index.upsert([rows(1, attributes={"usage": [f"use {n}" for n in range(40)]})])
    with pytest.raises(UnusableVector, match="no place"):
        index.upsert([rows(2**60)])
    many = IndexSpec(tuple(Space(f"s{n}", 4) for n in range(4)), (TITLES,))
    with (
        closing(store_at(service, spec=many, prefix="many")) as other,
        pytest.raises(UnusableVector, match="1 to 3 spaces"),
    ):
        other.live()


def test_another_process_follows_a_switch(service: dashvector_stand_in.StandIn) -> None:
    with closing(store_at(service)) as ours, closing(store_at(service)) as theirs:
        ours.live().upsert([rows(1)])
        assert list(theirs.live().revisions()) == [(1, 1, 0)]
        draft = ours.draft()
        draft.index.upsert([rows(2)])
        draft.take_over()
        assert list(theirs.live().revisions()) == [(2, 1, 0)]
        theirs.live().upsert([rows(3)])
        assert list(ours.live().revisions()) == [(2, 1, 0), (3, 1, 0)]
        assert len(service.collections) == 2


def test_two_first_processes_agree_on_one_index(service: dashvector_stand_in.StandIn) -> None:
    with closing(store_at(service)) as ours, closing(store_at(service)) as theirs:
        ours.live().upsert([rows(1)])
        assert (ours.doubtful, theirs.doubtful) == (True, False)
        ours.trust()
        assert not ours.doubtful
        assert list(theirs.live().revisions()) == [(1, 1, 0)]


def test_the_services_own_sum_is_exact_at_both_ends(store: DashVectorStore) -> None:
    index = filled(store)
    query = vectors(TITLES, 2)
    asked = ["red", "shoe"]
    alone = index.nearest(query, Modality.TEXT, limit=3)[0]
    assert index.hybrid(query, asked, alpha=1.0, limit=3) == alone
    words = index.hybrid(query, asked, alpha=0.0, limit=3)
    matched = index.matching(asked, limit=3)
    assert ids(words) == ids(matched) == [3, 1]
    assert all(0 < one.score <= 1 for one in words)
    assert words[0].score / words[1].score == pytest.approx(matched[0].score / matched[1].score)


def test_the_services_own_sum_weighs_both_sides(store: DashVectorStore) -> None:
    index = filled(store)
    query = vectors(TITLES, 2)
    asked = ["red", "shoe"]
    near = {c.product_id: c.score for c in index.nearest(query, Modality.TEXT, limit=3)[0]}
    words = {c.product_id: c.score for c in index.hybrid(query, asked, alpha=0.0, limit=3)}
    for alpha in (0.25, 0.5, 0.8):
        for found in index.hybrid(query, asked, alpha=alpha, limit=3):
            key = found.product_id
            meant = alpha * near[key] + (1 - alpha) * words.get(key, 0.0)
            assert found.score == pytest.approx(meant, abs=1e-6)
    with pytest.raises(InvalidRequest, match="alpha"):
        index.hybrid(query, asked, alpha=2.0, limit=3)
    stranger = Vectors.normalized(Space("stranger", 8), np.ones((1, 8), np.float32))
    with pytest.raises(WrongSpace):
        index.hybrid(stranger, asked, alpha=0.5, limit=3)


def test_a_home_lives_on_the_service(
    shell: Shell, service: dashvector_stand_in.StandIn, tmp_path: Path
) -> None:
    shell.home.mkdir()
    (shell.home / "crosslens.toml").write_text(
        f'index_url = "dashvector:{service.endpoint}"\ndashvector_key = "{service.key}"\n'
    )
    goods = [("红色连衣裙", (205, 30, 30)), ("blue shirt 42码", (30, 60, 200))]
    for n, (_, colour) in enumerate(goods):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(colour))
    rows = [{"id": n, "title": title, "image": f"{n}.jpg"} for n, (title, _) in enumerate(goods)]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert shell.json("import", tmp_path / "items.jsonl")["stored"] == 2
    told = shell.json("index", "train-keywords")
    assert (told["products"], told["file"]) == (2, str(shell.home / "keywords.json"))
    shell.json("index", "rebuild")
    hits = shell.json("search", "42码", "--kind", "hybrid", "--alpha", "0")["hits"]
    assert [hit["title"] for hit in hits] == ["blue shirt 42码"]
    found = shell.json("search", "--image", tmp_path / "0.jpg")["hits"]
    assert found[0]["title"] == "红色连衣裙"
    shell.json("product", "remove", found[0]["product_id"])
    assert shell("index", "audit").code == 0
    assert len(service.collections) == 2

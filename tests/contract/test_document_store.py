"""What every document store does. MongoDB is a stand-in that speaks its wire protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from crosslens.documents.memory import MemoryDocuments
from crosslens.documents.store import DocumentStore
from crosslens.errors import Conflict, InvalidRequest, Unavailable


@pytest.fixture(params=["memory", "mongo"])
def store(request: pytest.FixtureRequest) -> Iterator[DocumentStore]:
    if request.param == "memory":
        yield MemoryDocuments()
        return
    with mongo() as (server, _), opened(server.uri("shop.products")) as found:
        yield found


@contextmanager
def mongo():
    pytest.importorskip("pymongo", reason="pymongo is not installed")
    import mongo_stand_in

    with mongo_stand_in.running() as server:
        yield server, mongo_stand_in


@contextmanager
def opened(uri: str, **options: float) -> Iterator[DocumentStore]:
    from crosslens.documents.mongo import MongoDocuments

    with closing(MongoDocuments(uri, **options)) as store:
        yield store


def test_documents_are_replaced_as_a_whole_under_their_key(store: DocumentStore) -> None:
    store.put([{"queryid": "1", "title": "old", "note": "x"}, {"queryid": "2", "title": "红"}])
    store.put([{"queryid": "1", "title": "new", "tags": ["a", "b"]}])
    assert store.count() == 2
    assert store.held(["1", "2", "3"]) == {"1", "2"}
    store.put([])
    assert store.held([]) == set()


def test_the_last_of_two_documents_with_one_key_counts(store: DocumentStore) -> None:
    store.put([{"queryid": "1", "n": n} for n in range(3)])
    assert store.count() == 1


def test_more_documents_than_one_message_takes_are_all_kept(store: DocumentStore) -> None:
    store.put([{"queryid": str(n), "text": "x" * 1_000} for n in range(2_500)])
    assert store.count() == 2_500
    assert len(store.held([str(n) for n in range(2_600)])) == 2_500


def test_what_mongodb_keeps_is_what_was_given() -> None:
    with mongo() as (server, _), opened(server.uri("shop.products")) as store:
        store.put([{"queryid": "1", "category": ["a", "b"], "price": 1.5, "n": 2**40}])
        (kept,) = server.collections["shop.products"]
        assert {k: v for k, v in kept.items() if k != "_id"} == {
            "queryid": "1", "category": ["a", "b"], "price": 1.5, "n": 2**40,
        }  # fmt: skip
        assert server.unique["shop.products"] == {"queryid"}


def test_a_collection_that_repeats_keys_already_is_refused() -> None:
    with mongo() as (server, _):
        server.collections["shop.products"] = [{"queryid": "1"}, {"queryid": "1"}]
        uri = server.uri("shop.products")
        with pytest.raises(Conflict, match=r"shop\.products holds several"), opened(uri):
            pass


def test_bad_documents_are_the_callers_fault() -> None:
    with mongo() as (server, _), opened(server.uri("shop.products")) as store:
        for bad in ({"n": 2**70}, {"text": "x" * 1_200_000}, {"$set": 1}, {"v": object()}):
            with pytest.raises(InvalidRequest):
                store.put([{"queryid": "1", **bad}])
        store.put([{"queryid": "1"}])
        assert store.count() == 1


def test_a_server_that_is_away_or_refuses_is_unavailable() -> None:
    with mongo() as (server, _):
        uri = server.uri("shop.products")
        with opened(uri, timeout_s=2) as store:
            server.fail["update"] = 13
            with pytest.raises(Unavailable, match="does not let us in"):
                store.put([{"queryid": "1"}])
    with pytest.raises(Unavailable, match="does not answer"), opened(uri, timeout_s=0.3):
        pass


def test_an_address_without_a_collection_is_refused() -> None:
    pytest.importorskip("pymongo", reason="pymongo is not installed")
    for uri in ("mongodb://127.0.0.1/", "mongodb://127.0.0.1/shop", "mongodb://"):
        with pytest.raises(InvalidRequest, match="MongoDB URI"), opened(uri):
            pass

"""Changes by way of Kafka, against the mock cluster of librdkafka, which speaks its protocol."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from crosslens.catalog.clock import utc_now
from crosslens.catalog.memory import MemoryCatalog
from crosslens.catalog.product import ProductFields
from crosslens.catalog.sql import SqlCatalog
from crosslens.errors import Unavailable
from crosslens.indexing.audit import audit
from crosslens.indexing.kafka import (
    DEAD,
    OWNER,
    Broker,
    KafkaQueue,
    Lookout,
    Relay,
    make_topics,
)
from crosslens.indexing.worker import Pace, Worker
from crosslens.settings import load
from crosslens.wiring import build
from fakes import FakeClock
from fleet import TOPIC, Kafka
from house import House

confluent_kafka = pytest.importorskip("confluent_kafka")
_topics = count(1)
QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    quiet = {"bootstrap.servers": "unused", "log_level": 0}
    mock = confluent_kafka.Producer({**quiet, "test.mock.num.brokers": 1})
    known = mock.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in known)
    mock.flush(1)


@pytest.fixture
def broker(servers: str) -> Broker:
    name = f"changes-{next(_topics)}"
    broker = Broker(servers, topic=name, group=f"{name}-group", partitions=4, options=QUICK)
    mock = confluent_kafka.Producer(broker.config())
    for topic in (name, name + DEAD):  # the mock makes topics when asked for, not when told to
        mock.list_topics(topic, timeout=10)
    make_topics(broker)
    return broker


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


def add(catalog: Any, count: int) -> None:
    with catalog.transaction() as writes:
        for n in range(count):
            writes.insert(ProductFields(f"product {n}"), ())


def arrived(queue: KafkaQueue, count: int, *, lease_s: float = 60) -> list[Any]:
    found: list[Any] = []
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        found += queue.lease(limit=100, lease_s=lease_s, owner="me")
    return found


def dead(broker: Broker) -> list[dict[str, Any]]:
    """Read the topic of what was parked."""
    consumer = confluent_kafka.Consumer(
        broker.config(group_id="undertaker", auto_offset_reset="earliest")
    )
    consumer.subscribe([broker.topic + DEAD])
    messages = []
    until = time.monotonic() + 15
    while not messages and time.monotonic() < until:
        messages = consumer.consume(10, 1.0)
    consumer.close()
    return [m.value() for m in messages]


def test_changes_arrive_and_are_settled_in_the_outbox(catalog, broker):
    add(catalog, 20)
    with closing(KafkaQueue(catalog, broker)) as queue:
        assert Relay(catalog, broker).drain() == 20
        assert catalog.backlog().leased == 20
        changes = arrived(queue, 20)
        assert sorted(change.product_id for change in changes) == list(range(1, 21))
        assert queue.lag() == 20
        queue.settle(changes, owner="me")
        assert catalog.backlog().leased == catalog.backlog().waiting == 0
        assert queue.lag() == 0


def test_nothing_is_published_twice_and_edits_are_published_again(catalog, broker):
    add(catalog, 3)
    relay = Relay(catalog, broker)
    assert (relay.drain(), relay.drain()) == (3, 0)
    with closing(KafkaQueue(catalog, broker)) as queue:
        queue.settle(arrived(queue, 3), owner="me")
        with catalog.transaction() as writes:
            writes.update(2, ProductFields("new"), ())
        assert relay.drain() == 1
        assert [(c.product_id, c.revision) for c in arrived(queue, 1)] == [(2, 2)]


def test_what_was_not_settled_goes_to_the_next_consumer(catalog, broker):
    add(catalog, 10)
    Relay(catalog, broker).drain()
    with closing(KafkaQueue(catalog, broker)) as first:
        changes = arrived(first, 10)
        first.settle(changes[:4], owner="me")
        kept = {change.product_id for change in changes[4:]}
        time.sleep(0.5)
    with closing(KafkaQueue(catalog, broker)) as second:
        again = {change.product_id for change in arrived(second, len(kept))}
    assert kept <= again


def test_what_a_worker_took_and_did_not_settle_in_time_is_given_out_again(catalog, broker):
    add(catalog, 3)
    Relay(catalog, broker).drain()
    with closing(KafkaQueue(catalog, broker)) as queue:
        changes = arrived(queue, 3, lease_s=2.0)
        queue.settle(changes[:1], owner="me")
        again = {change.product_id for change in arrived(queue, 2)}
        assert again == {change.product_id for change in changes[1:]}


def test_what_the_broker_has_lost_is_published_again(broker):
    clock = FakeClock()
    catalog = MemoryCatalog(clock)
    add(catalog, 3)
    relay = Relay(catalog, replace(broker, lease_s=900))
    assert relay.drain() == 3
    clock.advance(899)
    assert relay.drain() == 0
    clock.advance(1)
    assert relay.drain() == 3


def test_a_broker_is_seen_to_answer_or_to_be_away(broker):
    assert Lookout(broker).look() == {"topic": broker.topic, "partitions": 4}
    with pytest.raises(Unavailable, match=r"Kafka at 127.0.0.1:1 failed"):
        Lookout(Broker("127.0.0.1:1")).look()


def test_a_group_shares_the_products_and_each_has_its_own(catalog, broker):
    add(catalog, 60)
    with closing(KafkaQueue(catalog, broker)) as one, closing(KafkaQueue(catalog, broker)) as two:
        taken: dict[str, list[int]] = {"one": [], "two": []}
        stop = threading.Event()

        def work(name: str, queue: KafkaQueue) -> None:
            while not stop.is_set():
                changes = queue.lease(limit=10, lease_s=60, owner=name)
                taken[name] += [change.product_id for change in changes]
                queue.settle(changes, owner=name)

        threads = [
            threading.Thread(target=work, args=pair) for pair in (("one", one), ("two", two))
        ]
        for thread in threads:
            thread.start()
        time.sleep(8)  # until both have their partitions
        Relay(catalog, broker).drain()
        until = time.monotonic() + 20
        while catalog.backlog().leased and time.monotonic() < until:
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
    assert sorted(taken["one"] + taken["two"]) == list(range(1, 61))
    assert catalog.backlog().waiting == catalog.backlog().leased == 0


def test_a_poison_product_is_parked_in_the_outbox_and_buried_with_its_reason(catalog, broker):
    add(catalog, 2)
    Relay(catalog, broker).drain()
    with closing(KafkaQueue(catalog, broker)) as queue:
        changes = {change.product_id: change for change in arrived(queue, 2)}
        queue.postpone(changes[1], owner="me", error="坏 picture", delay_s=0.1)
        [again] = arrived(queue, 1)
        assert (again.product_id, again.tries) == (1, 1)
        queue.postpone(again, owner="me", error="坏 picture", delay_s=0, park=True)
        queue.settle([changes[2]], owner="me")
        assert [parked.product_id for parked in catalog.parked()] == [1]
        assert catalog.backlog().waiting == catalog.backlog().leased == 0
        assert queue.lag() == 0
    [told] = dead(broker)
    assert json.loads(told)["product"] == 1
    assert json.loads(told)["error"] == "坏 picture"


def test_a_message_that_is_no_change_is_buried_and_passed_over(catalog, broker):
    stranger = confluent_kafka.Producer(broker.config())
    # The key of what comes after it: only within a partition is there a before and an after.
    stranger.produce(broker.topic, key="1", value=b"\xff not json")
    stranger.flush(10)
    add(catalog, 1)
    Relay(catalog, broker).drain()
    with closing(KafkaQueue(catalog, broker)) as queue:
        assert [change.product_id for change in arrived(queue, 1)] == [1]
    assert dead(broker) == [b"\xff not json"]


def test_without_a_broker_changes_stay_in_the_outbox(catalog):
    add(catalog, 3)
    nobody = Broker("127.0.0.1:1", options={"message.timeout.ms": "500"})
    relay = Relay(catalog, nobody)
    with pytest.raises(Unavailable, match="does not take changes"):
        relay.drain()
    backlog = catalog.backlog()
    assert (backlog.leased, backlog.waiting, backlog.parked) == (0, 3, 0)


def test_a_worker_indexes_what_comes_by_way_of_the_broker(broker, tmp_path: Path):
    house = House()
    for n in range(12):
        house.add(f"red shoe {n}")
    with closing(KafkaQueue(house.catalog, broker)) as queue:
        Relay(house.catalog, broker).drain()
        worker = Worker(queue, house.store.live(), house.maker, pace=Pace(idle_s=0.01))
        until = time.monotonic() + 30
        while house.catalog.backlog().leased and time.monotonic() < until:
            worker.drain()
    assert house.store.live().counts().products == 12


def test_a_broker_that_is_killed_and_comes_back_empty_loses_nothing(tmp_path: Path):
    house, stop = House(clock=utc_now), threading.Event()  # leases have to run out by themselves
    mock = Kafka(tmp_path)
    mock.start()
    known = Broker(f"127.0.0.1:{mock.port}", topic=TOPIC, lease_s=4, options=QUICK)
    with closing(KafkaQueue(house.catalog, known)) as queue:
        worker = Worker(queue, house.store.live(), house.maker, pace=Pace(idle_s=0.01, batch=4))
        runs = [Relay(house.catalog, known).run, worker.run]
        threads = [threading.Thread(target=run, args=(stop,)) for run in runs]
        for thread in threads:
            thread.start()
        for n in range(40):
            house.add(f"red shoe {n}")
            if n % 20 == 10:
                mock.kill()
            if n % 20 == 15:
                mock.start()
        until = time.monotonic() + 90
        while (left := house.catalog.backlog()).waiting + left.leased and time.monotonic() < until:
            time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
    mock.kill()
    backlog = house.catalog.backlog()
    assert backlog.waiting == backlog.leased == backlog.parked == 0
    assert audit(house.catalog, house.store.live()).clean
    assert house.store.live().counts().products == 40


@pytest.mark.postgres
def test_the_outbox_of_a_server_is_relayed_and_settled(postgres_catalog, broker):
    from servers import empty

    empty(postgres_catalog)
    with closing(SqlCatalog(postgres_catalog)) as catalog:
        add(catalog, 30)
        with closing(KafkaQueue(catalog, broker)) as queue:
            assert Relay(catalog, broker).drain() == 30
            assert catalog.owners() == [OWNER]
            queue.settle(arrived(queue, 30), owner="me")
            assert catalog.backlog().leased == catalog.backlog().waiting == 0


def test_a_home_whose_settings_name_brokers_indexes_by_their_way(broker, tmp_path: Path):
    named = {"kafka_servers": broker.servers, "kafka_topic": broker.topic}
    own = load(tmp_path, index_url="memory:", **named, kafka_group="g", kafka_options=QUICK)
    with build(own) as app, TestClient(app.http(), base_url="http://localhost") as http:
        for n in range(5):
            http.post("/product", json={"title": f"red shoe {n}"})
        until = time.monotonic() + 40
        while app.index.counts().products < 5 and time.monotonic() < until:
            time.sleep(0.2)
        assert app.index.counts().products == 5
        while app.catalog.backlog().leased and time.monotonic() < until:
            time.sleep(0.1)
        assert "crosslens_queue_lag 0.0" in http.get("/metrics").text

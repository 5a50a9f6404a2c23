"""
Changes by way of Kafka: for many workers, each with the products of its partitions to itself.

The outbox stays the truth. A relay leases changes and publishes them, keyed by product; a worker
settles them there once the index has them, and only then commits its offset. What the broker loses
is published again when its lease runs out; what comes twice is settled twice, which is harmless.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from time import monotonic
from typing import Any

from crosslens.catalog.changes import Backlog, Change
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import CrosslensError, MissingExtra, Unavailable
from crosslens.indexing.underway import Underway
from crosslens.telemetry import logger

OWNER = "kafka"  # of all leases that are out for delivery
DEAD = ".dead"  # ending of the topic with what was parked

_PUBLISH_S = 30.0  # a relay that dies before it has published keeps nobody waiting for longer
_IN_FLIGHT = 20_000  # leased at most, so that a slow group gets nothing twice
_BATCH = 500
_PATIENCE_S = 10.0
_POLL_S = 0.2
_AGAIN_S = 5.0
_LOOK_S = 3.0


@dataclass(frozen=True, slots=True)
class Broker:
    """
    Where changes travel.

    Attributes:
        servers: host:port, several with commas.
        group: workers of one group share the changes.
        partitions: of the topic, if it is made here; more workers than that have nothing to do.
        lease_s: seconds after which what is not settled is taken for lost and published again.
        options: further ones of librdkafka, such as security.protocol and sasl.password.
    """

    servers: str
    topic: str = "crosslens.changes"
    group: str = "crosslens"
    partitions: int = 12
    lease_s: float = 900.0
    options: Mapping[str, str] = field(default_factory=dict)

    def config(self, **own: Any) -> dict[str, Any]:
        """Return what a client of librdkafka is made with."""
        named = {name.replace("_", "."): value for name, value in own.items()}
        quiet = {"logger": _silent(), "log_level": 3}
        return {"bootstrap.servers": self.servers, **quiet, **named, **self.options}


def make_topics(broker: Broker) -> None:
    """
    Make the topics that are not there yet, since what is made by chance has one partition.

    Raises:
        Unavailable: the broker does not answer, or does not permit it.
    """
    library = _library()
    from confluent_kafka.admin import AdminClient, NewTopic

    with _explained(broker):
        admin = AdminClient(broker.config())
        known = admin.list_topics(timeout=_PATIENCE_S).topics
        wanted = {broker.topic: broker.partitions, broker.topic + DEAD: 1}
        new = [NewTopic(name, count) for name, count in wanted.items() if name not in known]
        for made in admin.create_topics(new).values() if new else ():
            try:
                made.result(_PATIENCE_S)
            except library.KafkaException as exc:
                if exc.args[0].code() != library.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise


class Lookout:
    """
    Look whether the broker answers.

    Raises:
        MissingExtra: the extra `kafka` is not installed.
    """

    def __init__(self, broker: Broker) -> None:
        _library()
        from confluent_kafka.admin import AdminClient

        self._broker = broker
        self._client = AdminClient(broker.config())

    def look(self) -> dict[str, Any]:
        """
        Return the topic and its partitions; 0 until a worker has made it.

        Raises:
            Unavailable: the broker does not answer.
        """
        with _explained(self._broker):
            topics = self._client.list_topics(timeout=_LOOK_S).topics
        known = topics.get(self._broker.topic)
        return {"topic": self._broker.topic, "partitions": len(known.partitions) if known else 0}


class Relay:
    """
    Publish what is due; several may run at once.

    Raises:
        MissingExtra: the extra `kafka` is not installed.
    """

    def __init__(self, catalog: CatalogStore, broker: Broker) -> None:
        self._catalog = catalog
        self._broker = broker
        self._producer = self._connected()

    def drain(self) -> int:
        """
        Publish everything that is due, as far as there is room in flight; return how much.

        Raises:
            Unavailable: the broker does not take it; what was not published is due again soon.
        """
        published = 0
        while (room := _IN_FLIGHT - self._catalog.backlog().leased) > 0:
            limit = min(room, _BATCH)
            changes = self._catalog.lease(limit=limit, lease_s=_PUBLISH_S, owner=OWNER)
            if not changes:
                break
            self._publish(changes)
            self._catalog.prolong(changes, lease_s=self._broker.lease_s, owner=OWNER)
            published += len(changes)
        return published

    def run(self, stop: threading.Event, *, idle_s: float = 0.2) -> None:
        """Publish until told to stop; survives failures of catalogue and broker."""
        while not stop.is_set():
            try:
                self.drain()
                stop.wait(idle_s)
            except CrosslensError as exc:
                logger("relay").warning("relay waits", error=str(exc))
                stop.wait(_AGAIN_S)

    def _connected(self) -> Any:
        patience = int(_PATIENCE_S * 1_000)
        return _library().Producer(
            self._broker.config(enable_idempotence=True, message_timeout_ms=patience)
        )

    def _publish(self, changes: Sequence[Change]) -> None:
        left = {change.product_id: change for change in changes}
        try:
            with _explained(self._broker):
                self._send(changes, left)
        except Unavailable as exc:
            self._give_back(left.values(), exc)
            raise
        if left:
            refused = Unavailable(
                f"Kafka at {self._broker.servers} does not take changes",
                hint="is it running, and does kafka_servers name it?",
            )
            self._give_back(left.values(), refused)
            raise refused

    def _send(self, changes: Sequence[Change], left: dict[int, Change]) -> None:
        for change in changes:
            self._producer.produce(
                self._broker.topic,
                key=str(change.product_id),
                value=_written(change),
                on_delivery=_forgetter(left, change.product_id),
            )
        self._producer.flush(_PATIENCE_S + 1)

    def _give_back(self, left: Iterable[Change], why: Unavailable) -> None:
        """Make changes due again soon, of a new producer: one may be done for by what happened."""
        self._producer = self._connected()
        for change in left:
            self._catalog.postpone(change, owner=OWNER, error=why.message, delay_s=_AGAIN_S)


class KafkaQueue:
    """
    A `Queue` that is one consumer of a group.

    Not safe to call from many threads: a worker has one of its own.

    Raises:
        MissingExtra: the extra `kafka` is not installed.
    """

    def __init__(self, catalog: CatalogStore, broker: Broker) -> None:
        library = _library()
        self._catalog = catalog
        self._broker = broker
        self._underway = Underway()
        self._producer = library.Producer(broker.config(enable_idempotence=True))
        self._consumer = library.Consumer(
            broker.config(
                group_id=broker.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy="cooperative-sticky",
            )
        )
        self._consumer.subscribe([broker.topic], on_revoke=self._revoked, on_lost=self._revoked)

    def __repr__(self) -> str:
        return f"KafkaQueue({self._broker.servers!r}, {self._broker.topic!r})"

    def lease(self, *, limit: int, lease_s: float, owner: str) -> list[Change]:
        """
        Take what has arrived, a product once with its newest change; and what was taken `lease_s`
        ago and is neither settled nor postponed.

        Raises:
            Unavailable: the broker does not answer.
        """
        now = monotonic()
        again = islice(self._underway.due(now), max(limit, 0))
        taken = {change.product_id: change for change in again}
        for change in self._arrived(limit - len(taken)):
            if change.id >= taken.get(change.product_id, change).id:
                taken[change.product_id] = change
        for change in taken.values():
            self._underway.lend(change, until=now + lease_s)
        return list(taken.values())

    def _arrived(self, limit: int) -> list[Change]:
        with _explained(self._broker):
            messages = self._consumer.consume(max(limit, 0), _POLL_S)
        sound = [message for message in messages if message.error() is None]
        if not sound:  # else what is broken is told again
            self._complain(messages)
        found = [self._received(message) for message in sound]
        return [change for change in found if change is not None]

    def _complain(self, messages: Sequence[Any]) -> None:
        unknown = _library().KafkaError.UNKNOWN_TOPIC_OR_PART  # made, but not everywhere yet
        for error in (message.error() for message in messages):
            if error.code() != unknown:
                raise Unavailable(f"Kafka at {self._broker.servers}: {error.str()}")

    def read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        """Read products by id."""
        return self._catalog.read(product_ids)

    def settle(self, changes: Sequence[Change], *, owner: str) -> None:
        """Acknowledge in the outbox, then commit as far as everything before is settled too."""
        self._catalog.settle(changes, owner=OWNER)
        self._done(changes)

    def postpone(
        self, change: Change, *, owner: str, error: str, delay_s: float, park: bool = False
    ) -> None:
        """Keep a change for later, uncommitted; or park it, and say so in the topic of the dead."""
        if not park:
            again = replace(change, tries=change.tries + 1)
            self._underway.lend(again, until=monotonic() + delay_s)
            return
        self._catalog.postpone(change, owner=OWNER, error=error, delay_s=0, park=True)
        self._bury(str(change.product_id), _written(change, error=error))
        self._done([change])

    def owners(self) -> list[str]:
        """List nobody: the broker notices who is dead."""
        return []

    def release(self, owner: str) -> int:
        """End nothing."""
        return 0

    def backlog(self) -> Backlog:
        """Count what waits in the outbox; what is on its way is leased there."""
        return self._catalog.backlog()

    def lag(self) -> int:
        """Count the messages of this consumer's partitions that are not settled, as last heard."""
        with _explained(self._broker):
            ahead = sum(self._ahead(place) for place in self._consumer.assignment())
        return ahead + self._underway.waiting

    def close(self) -> None:
        """Leave the group; what is not committed goes to the others."""
        self._consumer.close()
        self._producer.flush(_PATIENCE_S)

    def _ahead(self, place: Any) -> int:
        heard = self._consumer.get_watermark_offsets(place, cached=True)
        [reached] = self._consumer.position([place])
        return int(heard[1] - reached.offset) if heard and min(heard[1], reached.offset) >= 0 else 0

    def _received(self, message: Any) -> Change | None:
        place, offset = (message.topic(), message.partition()), message.offset()
        try:
            change = _read(message.value())
        except (ValueError, KeyError, TypeError) as exc:
            self._underway.pass_over(place, offset)
            self._bury_stranger(message, str(exc))
            return None
        self._underway.add(place, offset, change)
        return change

    def _bury_stranger(self, message: Any, why: str) -> None:
        where = {"topic": message.topic(), "offset": message.offset()}
        logger("worker").warning("a message that is no change", error=why, **where)
        try:
            self._bury(message.key(), message.value())
        except Unavailable as exc:  # nothing of ours is lost with it
            logger("worker").warning("it is not buried", error=exc.message, **where)

    def _bury(self, key: Any, value: Any) -> None:
        with _explained(self._broker):
            self._producer.produce(self._broker.topic + DEAD, key=key, value=value)
            if self._producer.flush(_PATIENCE_S):
                raise Unavailable(
                    f"Kafka at {self._broker.servers} does not take the parked change"
                )

    def _done(self, changes: Sequence[Change]) -> None:
        library = _library()
        ends = self._underway.close(changes)
        if not ends:
            return
        places = [library.TopicPartition(topic, n, end) for (topic, n), end in ends.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except library.KafkaException as exc:  # they come again, to us or to whoever has them now
            logger("worker").warning("offsets not committed", error=str(exc))

    def _revoked(self, _consumer: Any, places: Sequence[Any]) -> None:
        self._underway.drop({(place.topic, place.partition) for place in places})


def _written(change: Change, **more: str) -> bytes:
    told = {"product": change.product_id, "change": change.id, "revision": change.revision}
    return json.dumps({**told, "tries": change.tries, **more}, ensure_ascii=False).encode()


def _read(content: bytes) -> Change:
    told = json.loads(content)
    numbers = [told[name] for name in ("change", "product", "revision", "tries")]
    if not all(type(number) is int for number in numbers):
        raise ValueError(f"not whole numbers: {numbers}")
    return Change(*numbers)


def _forgetter(left: dict[int, Change], product_id: int) -> Callable[[Any, Any], None]:
    def delivered(error: Any, _message: Any) -> None:
        if error is None:
            left.pop(product_id, None)

    return delivered


@contextmanager
def _explained(broker: Broker) -> Iterator[None]:
    try:
        yield
    except (_library().KafkaException, BufferError, TimeoutError) as exc:
        raise Unavailable(
            f"Kafka at {broker.servers} failed ({exc})", hint="does kafka_servers name it?"
        ) from exc


def _silent() -> logging.Logger:
    quiet = logging.getLogger("crosslens.kafka")
    quiet.setLevel(logging.CRITICAL)  # what matters is raised
    return quiet


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError as exc:
        raise MissingExtra(
            "changes by way of Kafka need confluent-kafka, which is not installed",
            hint="pip install 'crosslens[kafka]'",
        ) from exc
    return confluent_kafka

"""The server profile as processes that can be killed and come back to where they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

import kafka_mock
import milvus_server
from milvus_server import MilvusServer
from servers import SqlServer, await_port, free_port, mariadb, private_folder

AGAIN_S = 0.3
TOPIC = "changes"
# what a broker forgets is published again soon, and the dead leave their group soon
KAFKA = {
    "kafka_topic": TOPIC,
    "kafka_lease_s": "20",
    "kafka_options": json.dumps({"session.timeout.ms": "6000", "reconnect.backoff.max.ms": "1000"}),
}
PATIENCE_S = 300.0


class Away(Exception):
    """A process ended while it started, as one does whose servers are away."""


class Member(Protocol):
    """A process that can be killed and started again at the same place."""

    @property
    def name(self) -> str:
        """What it is."""
        ...

    def start(self) -> None:
        """Start it and wait until it answers; raises Away where it ends instead."""
        ...

    def kill(self) -> None:
        """Send SIGKILL and wait for the end; one that does not run is no error."""
        ...

    def shoot(self) -> bool:
        """Send SIGKILL, whatever it is at; say whether it was running."""
        ...


@dataclass(eq=False)
class Crosslens:
    """`crosslens serve SORT` on a port of its own."""

    name: str
    home: Path
    environment: Mapping[str, str]
    sort: str
    port: int = field(default_factory=free_port)
    running: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.home / f"{self.name}.log"

    def start(self) -> None:
        self.kill()  # a former one is closed
        self.home.mkdir(parents=True, exist_ok=True)
        own = [sys.executable, "-m", "crosslens", "--home", str(self.home)]
        with self.log.open("a") as errors:
            self.running = subprocess.Popen(
                [*own, "serve", self.sort, "--port", str(self.port)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=dict(self.environment),
            )
        assert self.running.stdout is not None
        if not self.running.stdout.readline():
            self.kill()
            raise Away(self.name)

    def kill(self) -> None:
        if self.running is not None and self.running.stdout is not None:
            self.running.kill()
            self.running.wait()
            self.running.stdout.close()

    def shoot(self) -> bool:
        return _shot(self.running)

    def ready(self) -> bool:
        """Ask whether everything it needs answers."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=20).status_code == 200
        except httpx.HTTPError:
            return False


@dataclass(eq=False)
class Database:
    """MariaDB, over the same files after each kill."""

    server: SqlServer
    running: subprocess.Popen[bytes]
    name: str = "mariadb"

    def start(self) -> None:
        with (self.server.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(
                self.server.command, cwd=self.server.folder, stdout=log, stderr=log
            )
        try:
            await_port(self.server.port, self.running, self.server.folder)
        except RuntimeError as exc:
            raise Away(self.name) from exc

    def kill(self) -> None:
        self.running.kill()
        self.running.wait()

    def shoot(self) -> bool:
        return _shot(self.running)


@dataclass(eq=False)
class Vectors:
    """Milvus, over the same files after each kill."""

    server: MilvusServer
    name: str = "milvus"

    def start(self) -> None:
        try:
            self.server.start()
        except RuntimeError as exc:
            raise Away(self.name) from exc

    def kill(self) -> None:
        self.server.kill()

    def shoot(self) -> bool:
        return _shot(self.server.running)


@dataclass(eq=False)
class Kafka:
    """The mock of librdkafka, at the same address after each kill, and with nothing in it."""

    folder: Path
    port: int = field(default_factory=free_port)
    running: subprocess.Popen[bytes] | None = None
    name: str = "kafka"

    def start(self) -> None:
        own = [sys.executable, kafka_mock.__file__, str(self.port), TOPIC, f"{TOPIC}.dead"]
        with (self.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(own, stdout=log, stderr=log)
        try:
            await_port(self.port, self.running, self.folder)
        except RuntimeError as exc:
            raise Away(self.name) from exc

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.wait()

    def shoot(self) -> bool:
        return _shot(self.running)


@dataclass
class Fleet:
    """All of them; they share one home, and what the settings name."""

    database: Database
    vectors: Vectors
    brokers: Sequence[Kafka]
    apis: Sequence[Crosslens]
    workers: Sequence[Crosslens]
    settings: Mapping[str, str]
    environment: Mapping[str, str]
    home: Path
    _starting: dict[str, threading.Lock] = field(default_factory=dict)  # one at a time, each

    @property
    def members(self) -> list[Member]:
        """Who can be killed."""
        return [*self.apis, *self.workers, self.database, self.vectors, *self.brokers]

    @property
    def urls(self) -> list[str]:
        """Where the service answers."""
        return [api.url for api in self.apis]

    def strike(self, names: Sequence[str]) -> float:
        """Kill members at once, start them again, and return the seconds until all is well."""
        struck = [member for member in self.members if member.name in names]
        for member in struck:
            member.kill()
        begun = time.monotonic()
        threads = [threading.Thread(target=revive, args=(member,)) for member in struck]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.await_ready()
        return time.monotonic() - begun

    @contextmanager
    def looked_after(self) -> Iterator[None]:
        """Start again whoever ends, until the block does."""
        stop = threading.Event()

        def look_after(member: Member) -> None:
            while not stop.wait(0.1):
                with suppress(Away):
                    self._start_if_ended(member)

        threads = [threading.Thread(target=look_after, args=(who,)) for who in self.members]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def await_ready(self) -> None:
        """Wait until every process of ours reaches what it needs."""
        until = time.monotonic() + PATIENCE_S
        for member in (*self.apis, *self.workers):
            while not member.ready():
                for ended in self._ended():
                    with suppress(Away):
                        self._start_if_ended(ended)
                if time.monotonic() > until:
                    raise AssertionError(f"{member.name} is not ready:\n{self.said(member)}")
                time.sleep(0.05)

    def _start_if_ended(self, member: Member) -> None:
        with self._starting.setdefault(member.name, threading.Lock()):
            if member in self._ended():
                member.start()

    def _ended(self) -> list[Member]:
        """Who ended by itself: a Milvus does that when it was too slow for its own lease."""
        running = {
            **{who: who.running for who in (*self.apis, *self.workers, *self.brokers)},
            self.database: self.database.running,
            self.vectors: self.vectors.server.running,
        }
        return [who for who, process in running.items() if process and process.poll() is not None]

    def said(self, member: Crosslens) -> str:
        """Return the end of what a process said, and what it answers."""
        try:
            answer = httpx.get(f"{member.url}/ready", timeout=20).text
        except httpx.HTTPError as exc:
            answer = str(exc)
        return f"{answer}\n{member.log.read_text('utf-8', 'replace')[-3_000:]}"


def _shot(running: subprocess.Popen[Any] | None) -> bool:
    if running is None or running.poll() is not None:
        return False
    running.kill()
    return True


def revive(member: Member) -> None:
    """Start a process as often as it takes, as whoever looks after processes does."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return member.start()
        except Away:
            if time.monotonic() > until:
                raise
            time.sleep(AGAIN_S)


@contextmanager
def fleet(
    home: Path,
    *,
    apis: int = 1,
    workers: int = 1,
    vectors: MilvusServer | None = None,
    brokered: bool = False,
    **settings: str,
) -> Iterator[Fleet]:
    """
    Run a fleet until the block ends.

    Args:
        vectors: a Milvus that runs already, and goes on afterwards; None: one of its own.
        brokered: whether changes travel by way of a broker.

    Raises:
        Absent: a server is not installed.
    """
    with ExitStack() as stack:
        sql = stack.enter_context(mariadb(durable=True))
        milvus = vectors or stack.enter_context(milvus_server.milvus(missed_s=10))
        shared = {"catalog_url": sql.new_database(), "lease_s": "5", "keep_vectors": "false"}
        shared |= milvus.settings | {"milvus_prefix": f"fleet{free_port()}"} | settings
        brokers = [Kafka(stack.enter_context(private_folder()))] if brokered else []
        for broker in brokers:
            shared |= KAFKA | {"kafka_servers": f"127.0.0.1:{broker.port}"}
        named = {f"CROSSLENS_{name.upper()}": value for name, value in shared.items()}
        own = dict(os.environ) | named  # noqa: TID251 - of children
        answering = [Crosslens(f"api {n}", home, own, "api") for n in range(apis)]
        settling = [Crosslens(f"worker {n}", home, own, "worker") for n in range(workers)]
        database, vectors_ = Database(sql, sql.process), Vectors(milvus)
        all_ = Fleet(database, vectors_, brokers, answering, settling, shared, own, home)
        stack.callback(_end, all_)
        for member in (*brokers, *answering, *settling):
            member.start()
        all_.await_ready()
        yield all_


def _end(all_: Fleet) -> None:
    for member in (*all_.apis, *all_.workers, *all_.brokers, all_.database):
        member.kill()

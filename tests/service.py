"""The HTTP application over a house in memory, and over a real server on a free port."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi.testclient import TestClient

from crosslens.api.app import create_app
from crosslens.api.services import Bounds, Services
from crosslens.api.serving import told
from crosslens.errors import NotFound
from crosslens.indexing.rebuild import rebuild
from house import ATTRIBUTES, House


class FakeFetcher:
    """Pictures by URL, without a network."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.delay_s = 0.0

    def fetch(self, url: str) -> bytes:
        time.sleep(self.delay_s)
        if url not in self.pages:
            raise NotFound("the server of the picture URL says 404")
        return self.pages[url]


@dataclass
class Served:
    """A house with its door open; `http` knocks."""

    http: TestClient
    house: House
    fetcher: FakeFetcher
    app: Any
    home: Path

    def add(self, title: str = "red shoe", **fields: Any) -> dict[str, Any]:
        answer = self.http.post("/product", json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def search(self, words: str = "", **fields: Any) -> dict[str, Any]:
        body = {"words": words, **fields} if words else fields
        answer = self.http.post("/search", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settle(self) -> None:
        """Wait until the worker has seen everything."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            changes = self.http.get("/ready").json()["checks"]["changes"]
            if not changes["waiting"] + changes["leased"]:
                return
            time.sleep(0.01)
        raise AssertionError("the worker does not settle")


def application(home: Path, bounds: Bounds | None, house: House, **swapped: Any) -> Any:
    """Make the application over a house."""
    parts: dict[str, Any] = {
        "home": home,
        "catalog": house.catalog,
        "media": house.media,
        "editor": house.editor,
        "engine": house.engine(),
        "index_store": house.store,
        "fetcher": FakeFetcher(),
        "work": lambda stop: house.worker(idle_s=0.01).run(stop),
        "attributes": ATTRIBUTES,
        "rebuild": lambda step: told(rebuild(house.catalog, house.store, house.maker)),
    }
    return create_app(Services(**(parts | swapped)), bounds)


@contextmanager
def served(
    home: Path, bounds: Bounds | None = None, house: House | None = None, **swapped: Any
) -> Iterator[Served]:
    """Open a service in this process, without a network."""
    house, fetcher = house or House(), FakeFetcher()
    app = application(home, bounds, house, **{"fetcher": fetcher, **swapped})
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as http:
        yield Served(http, house, fetcher, app, home)


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Let an application listen on a free port of this machine; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def base64_of(content: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(content).decode()}


@dataclass
class Server:
    """`crosslens serve` as a process of its own."""

    home: Path
    arguments: Sequence[str] = ()
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> float:
        """Start it on a free port and return the seconds until it said that it is ready."""
        started = time.perf_counter()
        command = (sys.executable, "-m", "crosslens")
        self.process = subprocess.Popen(
            [*command, "--home", str(self.home), "serve", "--port", "0", *self.arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise AssertionError(f"no address: {line!r} {self.process.communicate()}")
        self.url = found[0]
        return time.perf_counter() - started

    def kill(self) -> str:
        """Kill it and return what it said on stderr."""
        assert self.process is not None
        self.process.kill()
        return self.process.communicate()[1]

    def stop(self, number: int) -> tuple[int, str]:
        """Send a signal and return the exit code and what was said on stderr."""
        assert self.process is not None
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=300)
        return self.process.returncode, err

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, **options)

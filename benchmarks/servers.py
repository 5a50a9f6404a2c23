"""
The server profile: two of each process beside one, crowds, and a switch of bundles under load.

    python benchmarks/servers.py --products 600 --seconds 10
    python benchmarks/servers.py --parts crowds --crowds 40 400
    python benchmarks/servers.py --parts switch

Over MariaDB and Milvus 2.3.5 of their own, as the tests start them. Everything shares one machine,
so two of each show that nothing is done twice and what sharing costs, not what more machines give.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from crowd import Round, crowd, post
from fleet import Fleet, fleet
from milvus_server import MilvusServer, milvus
from storm import Storm
from tiny_bundle import proved_tiny

BATCH = 50
PATIENT_S = 120  # a busy Milvus must not take itself for dead
PARTS = ("beside", "crowds", "switch")


@dataclass
class Users:
    """Searches one after another, each user for itself."""

    urls: Sequence[str]
    count: int
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def search(self, stop: threading.Event, *, seconds: float | None = None) -> None:
        """Search until told to stop, or for so long from when all users have begun."""
        begun = threading.Barrier(self.count, lambda: _later(stop, seconds))
        with ThreadPoolExecutor(self.count) as pool:
            list(pool.map(lambda n: self._one(n, stop, begun), range(self.count)))

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Search until the block ends."""
        stop = threading.Event()
        thread = threading.Thread(target=self.search, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _one(self, number: int, stop: threading.Event, begun: threading.Barrier) -> None:
        url = self.urls[number % len(self.urls)]
        with httpx.Client(timeout=60, verify=False) as http:
            begun.wait()
            asked = 0
            while not stop.is_set():
                since = time.perf_counter()
                words = f"shoe {(number * 97 + asked) % 500}"
                try:
                    answer = http.post(f"{url}/search", json={"words": words})
                    self.statuses[str(answer.status_code)] += 1
                except httpx.TransportError as exc:
                    self.statuses[type(exc).__name__] += 1
                self.seconds.append(time.perf_counter() - since)
                asked += 1


def _later(stop: threading.Event, seconds: float | None) -> None:
    if seconds is not None:
        threading.Timer(seconds, stop.set).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--products", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--crowds", type=int, nargs="+", default=[40, 400])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    with milvus(missed_s=PATIENT_S) as vectors:
        for each in (1, 2) if "beside" in asked.parts else ():
            beside(vectors, each, asked)
        if "crowds" in asked.parts:
            crowds(vectors, asked)
        if "switch" in asked.parts:
            switch(vectors, asked)


def beside(vectors: MilvusServer, each: int, asked: argparse.Namespace) -> None:
    """Add products and search, with so many APIs and so many workers."""
    with (
        tempfile.TemporaryDirectory() as home,
        fleet(Path(home), apis=each, workers=each, vectors=vectors, log_level="info") as all_,
    ):
        begun = time.perf_counter()
        add(all_, asked.products)
        stored = time.perf_counter() - begun
        await_settled(all_)
        indexed = time.perf_counter() - begun
        handled = settled_by(all_)
        users = Users(all_.urls, asked.users)
        users.search(threading.Event(), seconds=asked.seconds)
        tell(
            f"{each} API, {each} worker",
            stored_per_s=round(asked.products / stored, 1),
            indexed_per_s=round(asked.products / indexed, 1),
            changes=asked.products,
            handled=handled,
            handled_twice=sum(handled) - asked.products,
            answers_per_s=round(len(users.seconds) / asked.seconds, 1),
            statuses=dict(users.statuses),
            p50_ms=round(1_000 * statistics.median(users.seconds)),
            p95_ms=round(1_000 * statistics.quantiles(users.seconds, n=20)[-1]),
        )


def crowds(vectors: MilvusServer, asked: argparse.Namespace) -> None:
    """Let more and more users search at two APIs at once; beyond capacity they get 429 alone."""
    with (
        tempfile.TemporaryDirectory() as home,
        fleet(Path(home), apis=2, workers=1, vectors=vectors) as all_,
    ):
        add(all_, asked.products)
        await_settled(all_)
        ports = [api.port for api in all_.apis]
        for users in (10, *asked.crowds):  # the first one warms up
            seen = Round()
            crowd(ports, [(questions(n), 0.0, seen) for n in range(users)], asked.seconds)
            tell(
                f"{users} users at 2 APIs",
                answers_per_s=round(seen.statuses[200] / asked.seconds, 1),
                statuses=dict(seen.statuses),
                **{f"p{share}_ms": round(seen.at(share / 100)) for share in (50, 95, 99)},
            )
            odd = {status: n for status, n in seen.statuses.items() if status not in (200, 429)}
            assert not odd, odd


def questions(number: int) -> Iterator[bytes]:
    """Yield what one user asks."""
    for asked in count():
        words = f"shoe {(number * 97 + asked) % 500} {number}"
        yield post("/search", json.dumps({"words": words}).encode())


def switch(vectors: MilvusServer, asked: argparse.Namespace) -> None:
    """Exchange the bundle while ten users search and five write, over two APIs and two workers."""
    with tempfile.TemporaryDirectory() as home:
        proved_tiny(Path(home) / "bundles" / "other")
        with fleet(Path(home), apis=2, workers=2, vectors=vectors) as all_:
            add(all_, asked.products)
            await_settled(all_)
            storm, users = Storm.over(all_, writers=5), Users(all_.urls, 10)
            storm.known = asked.products
            with storm.raging(), users.searching():
                time.sleep(2)
                took = use(all_.urls[0], "other")
                time.sleep(4)
            verdict = storm.verdict()
            served = [models(url) for url in all_.urls]
            tell(
                "switch of bundles",
                seconds=round(took, 1),
                searches=dict(users.statuses),
                longest_search_ms=round(1_000 * max(users.seconds)),
                writes=storm.writes,
                served_by=served,
                verdict=str(verdict),
            )
            assert set(users.statuses) == {"200"}, users.statuses
            assert verdict.clean, verdict


def models(url: str) -> list[str]:
    """Return the bundles that a process answers with."""
    told = httpx.get(f"{url}/model", timeout=60).json()
    return [model["name"] for model in told if model["used_for"]]


def use(url: str, name: str) -> float:
    """Switch to a bundle and return the seconds that it took."""
    begun = time.perf_counter()
    with httpx.Client(base_url=url, timeout=120) as http:
        task = http.post(f"/model/{name}/use", json={"purpose": "cross-modal"}).headers["location"]
        while (told := http.get(task).json())["state"] in ("waiting", "running"):
            time.sleep(0.05)
    assert told["state"] == "done", told
    return time.perf_counter() - begun


def add(all_: Fleet, count: int) -> None:
    """Add products in batches, by as many doors as there are."""

    def batch(first: int) -> None:
        rows = [
            {"title": f"shoe {n}", "source_key": f"old {n}"} for n in range(first, first + BATCH)
        ]
        url = all_.urls[first // BATCH % len(all_.urls)]
        httpx.post(f"{url}/product/batch", json={"products": rows}, timeout=60).raise_for_status()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(batch, range(0, count, BATCH)))


def await_settled(all_: Fleet) -> None:
    """Wait until no change waits."""
    while True:
        told = httpx.get(f"{all_.urls[0]}/ready", timeout=60).json()["checks"]["changes"]
        if told["ok"] and not told["waiting"] + told["leased"]:
            return
        time.sleep(0.05)


def settled_by(all_: Fleet) -> list[int]:
    """Return how many changes each worker says it has settled."""
    return [
        sum(
            line["products"]
            for line in map(json.loads, worker.log.read_text("utf-8").splitlines())
            if line["event"] == "settled"
        )
        for worker in all_.workers
    ]


def tell(what: str, **figures: object) -> None:
    print(json.dumps({"what": what, **figures}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()

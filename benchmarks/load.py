"""
Closed-loop users over real HTTP, beside the bare encoder and engine, in one run.

    python benchmarks/load.py --products 100000 --users 1 10 40 100 400
    python benchmarks/load.py --products 1000000 --users 40 --home /tmp/million
    python benchmarks/load.py --users 40 --writes-per-s 10
    python benchmarks/load.py --users 40 --bundle BUNDLE

A service is a process of its own, `crosslens serve` in all but its encoders: product vectors are
synthetic (clusters in 512 dimensions), queries go through the text tower of a bundle, the built-in
one unless another is named, and if that is of another width through one fixed matrix. Each user
sends its next question when the answer to the last one is there; no two questions are the same, and
the query cache is off. The users are on the same cores.

Bare is the text tower and one probe of the index, at the number of threads at which that is
fastest, in a process of its own before and after. Shares are of its queries per second, and of its
CPU per query, which other work on the machine touches less: there the users' own CPU counts too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosslens import settings, telemetry, wiring
from crosslens.catalog.product import ProductFields
from crosslens.cli.serve import listening, quiet_signals, run
from crosslens.encode.encoder import Encoders
from crosslens.search.request import SearchRequest
from crosslens.values import Kind, Modality, Space, Vectors
from crosslens.vectors.index import ProductRows
from crowd import Round, crowd, post

SPACE = Space("load@1/fp32", 512)
COLOURS = ["red", "blue", "green"]
THINGS = ["linen", "cotton", "silk", "dress", "shirt", "shoe", "bag", "lamp", "chair", "long"]
WORDS = [*COLOURS, *THINGS]
THREADS = (2, 4, 16, 40)
CLUSTERS = 1_000
AT_ONCE = 1_000
WARM_UP_S = 2.0


class Wide:
    """A text tower, and a projection if its vectors are of another width; pictures are refused."""

    space = SPACE

    def __init__(self, app: wiring.App) -> None:
        self._tower = app.bundle(app.settings.cross_modal).words
        matrix = np.random.default_rng(3).standard_normal((self._tower.space.dim, SPACE.dim))
        self._matrix = None if self._tower.space.dim == SPACE.dim else matrix.astype("f4")

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        array = self._tower.encode_queries(words).array
        if self._matrix is None:
            return Vectors(SPACE, array)
        return Vectors.normalized(SPACE, array @ self._matrix)

    encode_items = encode_queries

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        assert not pictures, "this benchmark has none"
        return Vectors(SPACE, np.zeros((0, SPACE.dim), "f4"))


def opened(home: Path, bundle: str | None) -> wiring.App:
    chosen = {"cross_modal": bundle} if bundle else {}
    own = settings.load(home, query_cache=0, attributes={"colour": "keyword"}, **chosen)
    wide = Wide(wiring.App(own))
    return wiring.App(own, encoders=Encoders(wide, wide, wide, wide))


def fill(home: Path, products: int) -> None:
    started = time.perf_counter()
    app, rng = opened(home, None), np.random.default_rng(0)
    centres = rng.standard_normal((CLUSTERS, SPACE.dim)).astype("f4")
    for start in range(0, products, AT_ONCE):
        ids = range(start + 1, min(start + AT_ONCE, products) + 1)
        noise = rng.standard_normal((len(ids), SPACE.dim)).astype("f4")
        vectors = Vectors.normalized(SPACE, centres[rng.integers(0, CLUSTERS, len(ids))] + noise)
        with app.catalog.transaction() as writes:
            for id in ids:
                colour = COLOURS[id % len(COLOURS)]
                title = f"{colour} {THINGS[id % len(THINGS)]} {id}"
                writes.insert(ProductFields(title, "", {"colour": colour}, str(id)), ())
        app.index.upsert([row(id, vectors, n) for n, id in enumerate(ids)])
        leased = app.catalog.lease(limit=AT_ONCE, lease_s=60, owner="fill")
        app.catalog.settle(leased, owner="fill")
    app.index.optimize()
    app.close()
    print(f"{products:,} products in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def row(id: int, vectors: Vectors, n: int) -> ProductRows:
    own = Vectors(SPACE, vectors.array[n : n + 1])
    none = Vectors(SPACE, vectors.array[:0])
    colour = COLOURS[id % len(COLOURS)]
    return ProductRows(id, 1, (own,), (none,), [colour, str(id)], {"colour": colour})


def texts(number: int) -> Iterator[str]:
    """Yield questions that nobody asks twice."""
    chance = random.Random(number)
    while True:
        yield f"{' '.join(chance.choices(WORDS, k=3))} {chance.getrandbits(30)}"


def bare(home: Path, options: argparse.Namespace) -> None:
    """Print calls per second and CPU per call of the encoder, of it and a probe, of the engine."""
    app = opened(home, options.bundle)
    engine, index, words = app.engine, app.index, app.encoders.text

    def probe(text: str) -> object:
        return index.nearest(words.encode_queries([text]), Modality.TEXT, limit=10)

    work: dict[str, Callable[[str], object]] = {
        "encoder": lambda text: words.encode_queries([text]),
        "bare": probe,
        "engine": lambda text: engine.search(SearchRequest(text, kind=Kind.TEXT2TEXT)),
    }
    seconds = options.seconds / 2
    told = {name: max(rate(call, seconds, n) for n in THREADS) for name, call in work.items()}
    print(json.dumps(told))
    app.close()


def rate(call: Callable[[str], object], seconds: float, threads: int) -> tuple[float, float]:
    """Return calls per second and CPU milliseconds per call."""
    due = time.perf_counter() + seconds
    cpu, begun = time.process_time(), time.perf_counter()

    def go_on(number: int) -> int:
        own, done = texts(number), 0
        while time.perf_counter() < due:
            call(next(own))
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(go_on, range(threads)))
    took = time.perf_counter() - begun
    return done / took, (time.process_time() - cpu) * 1e3 / done


def serve(home: Path, options: argparse.Namespace) -> None:
    telemetry.configure()
    with listening("127.0.0.1", 0) as door, quiet_signals():
        app = opened(home, options.bundle)
        run(app.http(), door, lambda url: print(url.rpartition(":")[2], flush=True))
        app.close()


@dataclass
class Service:
    """The service as a process, and what it takes of the machine."""

    process: subprocess.Popen[str]
    port: int

    def cpu_s(self) -> float:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Row:
    """A row of the table: searches, writes beside them, CPU of the service and of the users."""

    users: int
    seen: Round
    written: Round
    service_s: float
    users_s: float
    megabytes: float
    recovered_ms: float


def questions(number: int, kind: str) -> Iterator[bytes]:
    for text in texts(1_000 + number):
        yield post("/search", json.dumps({"words": text, "kind": kind}).encode())


def additions() -> Iterator[bytes]:
    for text in texts(0):
        yield post("/product", json.dumps({"title": f"new {text}"}).encode())


def ask(service: Service, users: int, seconds: float, options: argparse.Namespace) -> Row:
    seen, written = Round(), Round()
    people = [(questions(n, options.kind), 0.0, seen) for n in range(users)]
    if options.writes_per_s:
        people.append((additions(), 1 / options.writes_per_s, written))
    used, own = service.cpu_s(), time.process_time()
    crowd(service.port, people, seconds)
    used, own = service.cpu_s() - used, time.process_time() - own
    after = Round()
    crowd(service.port, [(questions(-1, options.kind), 9.9, after)], 0.5)
    return Row(users, seen, written, used, own, service.memory_mb(), after.at(0))


def measure(home: Path, options: argparse.Namespace) -> None:
    before = bare_once(home, options)
    process = child(home, options, "serve")
    assert process.stdout is not None
    service = Service(process, int(process.stdout.readline()))
    ask(service, 20, WARM_UP_S, options)
    rows = [ask(service, users, options.seconds, options) for users in options.users]
    process.terminate()
    process.communicate()
    report(options, before, bare_once(home, options), rows)


def child(home: Path, options: argparse.Namespace, part: str) -> subprocess.Popen[str]:
    bundle = ["--bundle", options.bundle] if options.bundle else []
    seconds = ["--seconds", str(options.seconds)]
    command = [sys.executable, __file__, "--home", str(home), "--part", part, *seconds, *bundle]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # it spins at the projection of `Wide`
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def bare_once(home: Path, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    out, _ = child(home, options, "bare").communicate()
    return dict(json.loads(out))


def report(options: argparse.Namespace, before: Any, after: Any, rows: list[Row]) -> None:
    mean = {
        name: [statistics.mean(pair) for pair in zip(before[name], after[name], strict=True)]
        for name in before
    }
    per_s, cpu_ms = mean["bare"]
    print(f"\n{options.products:,} products of {SPACE.dim}-d, {options.kind}, "
          f"{options.writes_per_s:g} writes/s, {os.cpu_count()} cores\n")  # fmt: skip
    print("| what | queries/s | p50 ms | p95 ms | p99 ms | refused | CPU ms/query | users' CPU | "
          "of bare | by CPU | MB | after it ms |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, (own_per_s, own_ms) in mean.items():
        shares = f"{own_per_s / per_s:.0%} | {cpu_ms / own_ms:.0%}"
        print(f"| {name} | {own_per_s:,.0f} | | | | | {own_ms:.2f} | | {shares} | | |")
    for row in rows:
        print(line(row, options.seconds, per_s, cpu_ms))
        odd = {status: n for status, n in row.seen.statuses.items() if status not in (200, 429)}
        assert not odd, odd


def line(row: Row, seconds: float, bare_per_s: float, bare_ms: float) -> str:
    done, seen = max(row.seen.statuses[200], 1), row.seen
    service_ms, users_ms = row.service_s * 1e3 / done, row.users_s * 1e3 / done
    written = row.written.statuses[201]
    told = f"{row.users} users" + (f", {written / seconds:.1f} writes/s" if written else "")
    return (
        f"| {told} | {done / seconds:,.0f} | {seen.at(0.5):.0f} | {seen.at(0.95):.0f} | "
        f"{seen.at(0.99):.0f} | {seen.statuses[429]} | {service_ms:.2f} | {users_ms:.2f} | "
        f"{done / seconds / bare_per_s:.0%} | {bare_ms / (service_ms + users_ms):.0%} | "
        f"{row.megabytes:.0f} | {row.recovered_ms:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--users", nargs="+", type=int, default=[1, 10, 40, 100, 400])
    parser.add_argument("--seconds", type=float, default=6.0, help="per row of the table")
    parser.add_argument("--kind", default="text2text", choices=["text2text", "hybrid"])
    parser.add_argument("--writes-per-s", type=float, default=0.0, help="beside the users")
    parser.add_argument("--bundle", help="whose text tower: a name or a folder")
    parser.add_argument("--home", type=Path, help="a folder to keep, and to measure again")
    parser.add_argument("--part", choices=["bare", "serve"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        {"bare": bare, "serve": serve}[options.part](options.home, options)
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        if not (home / "catalog.db").exists():
            fill(home, options.products)
        measure(home, options)


if __name__ == "__main__":
    main()

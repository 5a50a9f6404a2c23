"""
Closed-loop users over real HTTP, beside the bare encoder and engine, in one run.

    python benchmarks/load.py --products 100000 --users 1 10 40 100 400

A service is a process of its own, `crosslens serve` in all but its encoders: product vectors are
synthetic (clusters in 512 dimensions) and queries go through the built-in text tower, all of it,
and then through one fixed matrix to 512 dimensions. Each user sends its next question when the
answer to the last one is there; no two questions are the same, and the query cache is off. Bare is
the text tower and one probe of the index in as many threads as the service has, in a process of its
own before and after. The users are written on sockets, so that they take little of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server

import numpy as np

from crosslens import settings, telemetry, wiring
from crosslens.catalog.product import ProductFields
from crosslens.encode.encoder import Encoders
from crosslens.search.request import SearchRequest
from crosslens.values import Kind, Modality, Space, Vectors
from crosslens.vectors.index import ProductRows

SPACE = Space("load@1/fp32", 512)
WORDS = [
    "red",
    "blue",
    "green",
    "linen",
    "cotton",
    "silk",
    "dress",
    "shirt",
    "shoe",
    "bag",
    "lamp",
    "chair",
    "small",
    "large",
    "long",
]
THREADS = 16


class Wide:
    """The built-in text tower and a projection; pictures are refused."""

    space = SPACE

    def __init__(self, app: wiring.App) -> None:
        self._tower = app.bundle(app.settings.cross_modal).words
        matrix = np.random.default_rng(3).standard_normal((self._tower.space.dim, SPACE.dim))
        self._matrix = matrix.astype("f4")

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        return Vectors.normalized(SPACE, self._tower.encode_queries(words).array @ self._matrix)

    encode_items = encode_queries

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        raise NotImplementedError("this benchmark has no pictures")


def opened(home: Path) -> wiring.App:
    own = settings.load(home, query_cache=0, attributes={"colour": "keyword"})
    wide = Wide(wiring.App(own))
    return wiring.App(own, encoders=Encoders(wide, wide, wide, wide))


def fill(home: Path, products: int) -> None:
    app, rng = opened(home), np.random.default_rng(0)
    centres = rng.standard_normal((1_000, SPACE.dim)).astype("f4")
    for start in range(0, products, 1_000):
        ids = range(start + 1, min(start + 1_000, products) + 1)
        noise = rng.standard_normal((len(ids), SPACE.dim)).astype("f4")
        vectors = Vectors.normalized(SPACE, centres[rng.integers(0, 1_000, len(ids))] + noise)
        with app.catalog.transaction() as writes:
            for id in ids:
                colour = WORDS[id % 3]
                title = f"{colour} {WORDS[3 + id % 12]} {id}"
                writes.insert(ProductFields(title, "", {"colour": colour}, str(id)), ())
        app.index.upsert([row(id, vectors, n) for n, id in enumerate(ids)])
        app.catalog.settle(app.catalog.lease(limit=1_000, lease_s=60, owner="fill"), owner="fill")
    app.index.optimize()
    app.close()


def row(id: int, vectors: Vectors, n: int) -> ProductRows:
    own = Vectors(SPACE, vectors.array[n : n + 1])
    none = Vectors(SPACE, vectors.array[:0])
    colour = WORDS[id % 3]
    return ProductRows(id, 1, (own,), (none,), [colour, str(id)], {"colour": colour})


def bare(home: Path, seconds: float) -> None:
    """Print queries per second of the encoder, of it and a probe, and of the engine."""
    app = opened(home)
    engine, index, words = app.engine, app.index, app.encoders.text

    def encode(text: str) -> object:
        return words.encode_queries([text])

    def probe(text: str) -> object:
        return index.nearest(words.encode_queries([text]), Modality.TEXT, limit=10)

    def search(text: str) -> object:
        return engine.search(SearchRequest(text, kind=Kind.TEXT2TEXT))

    told = {}
    for name, work in (("encoder", encode), ("bare", probe), ("engine", search)):
        told[name] = rate(work, seconds)
    print(json.dumps(told))
    app.close()


def rate(work: object, seconds: float) -> tuple[float, float]:
    """Return calls per second and CPU milliseconds per call."""
    due = time.perf_counter() + seconds
    cpu, begun = time.process_time(), time.perf_counter()

    def go_on(number: int) -> int:
        texts, done = questions(number), 0
        while time.perf_counter() < due:
            work(next(texts))  # type: ignore[operator]
            done += 1
        return done

    with ThreadPoolExecutor(THREADS) as pool:
        done = sum(pool.map(go_on, range(THREADS)))
    took = time.perf_counter() - begun
    return done / took, (time.process_time() - cpu) * 1e3 / done


def questions(number: int) -> Iterator[str]:
    rng = np.random.default_rng(1_000 + number)
    while True:
        yield " ".join(rng.choice(WORDS, 3)) + f" {rng.integers(10**9)}"


def serve(home: Path) -> None:
    import uvicorn

    telemetry.configure()
    with create_server(("127.0.0.1", 0), backlog=2_048) as door:
        config = uvicorn.Config(opened(home).http(), log_config=None, access_log=False, ws="none")
        print(door.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[door])


@dataclass
class Round:
    """What users saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    ms: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        ordered = sorted(self.ms) or [float("nan")]
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def crowd(port: int, users: int, seconds: float, kind: str, writes_per_s: float) -> Round:
    seen, due = Round(), time.perf_counter() + seconds
    tasks = [user(port, n, due, kind, seen) for n in range(users)]
    if writes_per_s:
        tasks.append(writer(port, due, writes_per_s))
    await asyncio.gather(*tasks)
    return seen


async def user(port: int, number: int, due: float, kind: str, seen: Round) -> None:
    reader, out = await asyncio.open_connection("127.0.0.1", port)
    for text in questions(number + 7_000):
        begun = time.perf_counter()
        if begun > due:
            break
        status, wait = await ask(reader, out, "POST", "/search", {"words": text, "kind": kind})
        seen.statuses[status] += 1
        if status == 200:
            seen.ms.append((time.perf_counter() - begun) * 1e3)
        elif wait:
            await asyncio.sleep(min(wait, max(due - time.perf_counter(), 0)))
    out.close()


async def writer(port: int, due: float, per_s: float) -> None:
    reader, out = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.perf_counter() < due:
        number += 1
        status, _ = await ask(reader, out, "POST", "/product", {"title": f"new shirt {number}"})
        assert status == 201, status
        await asyncio.sleep(1 / per_s)
    out.close()


async def ask(
    reader: asyncio.StreamReader, out: asyncio.StreamWriter, verb: str, path: str, body: object
) -> tuple[int, float]:
    """Return the status and the seconds in which to come again."""
    content = json.dumps(body).encode()
    out.write(
        f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    wait = float(head.split(b"retry-after: ")[1].split(b"\r\n")[0]) if b"retry-after" in head else 0
    return int(head.split(b" ", 2)[1]), wait


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def child(home: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--home", str(home), *map(str, arguments)]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # it spins at the projection of `Wide`
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def bare_once(home: Path, seconds: float) -> dict[str, tuple[float, float]]:
    out, _ = child(home, "--part", "bare", "--seconds", seconds).communicate()
    return json.loads(out)


def measure(home: Path, options: argparse.Namespace) -> None:
    before = bare_once(home, options.seconds)
    server = child(home, "--part", "serve")
    assert server.stdout is not None
    port = int(server.stdout.readline())
    asyncio.run(crowd(port, 20, 2.0, options.kind, 0))  # caches, thread pools, pages
    rows = []
    for users in options.users:
        used, own = cpu_s(server.pid), time.process_time()
        seen = asyncio.run(crowd(port, users, options.seconds, options.kind, options.writes_per_s))
        used, own = cpu_s(server.pid) - used, time.process_time() - own
        rows.append((users, seen, used, own, memory_mb(server.pid)))
    server.terminate()
    server.communicate()
    report(options, before, bare_once(home, options.seconds), rows)


def report(options: argparse.Namespace, before: dict, after: dict, rows: list) -> None:  # type: ignore[type-arg]
    mean = {
        name: [statistics.mean(pair) for pair in zip(before[name], after[name], strict=True)]
        for name in before
    }
    whole = mean["bare"][0]
    print(f"\n{options.products:,} products of {SPACE.dim}-d, {options.kind}, "
          f"{options.writes_per_s:g} writes/s, {os.cpu_count()} cores\n")  # fmt: skip
    print("| what | queries/s | p50 ms | p95 ms | p99 ms | 429 | CPU ms/query | users' CPU | "
          "of bare | MB |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, (per_s, ms) in mean.items():
        print(f"| {name} | {per_s:,.0f} | | | | | {ms:.2f} | | {per_s / whole:.0%} | |")
    for users, seen, used, own, megabytes in rows:
        done = seen.statuses[200]
        per_s = done / options.seconds
        print(
            f"| {users} users | {per_s:,.0f} | {seen.at(0.5):.0f} | {seen.at(0.95):.0f} | "
            f"{seen.at(0.99):.0f} | {seen.statuses[429]} | {used * 1e3 / max(done, 1):.2f} | "
            f"{own * 1e3 / max(done, 1):.2f} | {per_s / whole:.0%} | {megabytes:.0f} |"
        )
        odd = {status: n for status, n in seen.statuses.items() if status not in (200, 429)}
        assert not odd, odd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--users", nargs="+", type=int, default=[1, 10, 40, 100, 400])
    parser.add_argument("--seconds", type=float, default=5.0, help="per row of the table")
    parser.add_argument("--kind", default="text2text", choices=["text2text", "hybrid"])
    parser.add_argument("--writes-per-s", type=float, default=0.0, help="beside the users")
    parser.add_argument("--home", type=Path, help="a folder to keep, or to measure again")
    parser.add_argument("--part", choices=["bare", "serve"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "bare":
        bare(options.home, options.seconds)
    elif options.part == "serve":
        serve(options.home)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            home = options.home or Path(scratch)
            if not (home / "catalog.db").exists():
                fill(home, options.products)
            measure(home, options)


if __name__ == "__main__":
    main()

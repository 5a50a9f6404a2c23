"""
Forty people search at once: what sharing the text tower gives, and whether anybody waits longer.

    python benchmarks/queries.py BUNDLE --seconds 8

Alone: the tower's own best rate, batches of 1 to 16 of the same texts on as many threads as the
service has. Together: 40 clients in a closed loop, a text each, through the queue that the service
uses; each asks again as soon as it is answered. Lone: a single client, through the queue and
without it. Rounds take turns; shares are medians of rounds, once by the clock and once per CPU
second, which other work on the machine touches less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from crosslens.encode.batching import BatchedText, Batcher
from crosslens.encode.onnx import OnnxText, load
from crosslens.values import Floats

CLIENTS, SIZES, LONE = 40, (1, 4, 8, 16), 60
PARTS = ("red", "linen", "连衣裙", "running", "shoes", "size", "42", "防水", "bag", "women", "复古")
Rates = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    tower = load(options.bundle).text
    assert tower is not None
    texts = words(500)
    show(np.array([measure(tower, texts, options) for _ in range(options.rounds)]))


def measure(tower: OnnxText, texts: list[str], options: argparse.Namespace) -> list[float]:
    alone = np.array([best(tower, texts, size, options) for size in SIZES]).max(0)
    together, waits = shared(tower, texts, options)
    p50, p95 = np.percentile(waits, (50, 95)) * 1e3
    return [*alone, *together, p50, p95, lone(tower, texts)]


def show(rows: Floats) -> None:
    alone, alone_cpu, together, together_cpu, p50, p95, cost = np.median(rows, axis=0)
    clock, per_cpu = np.median(rows[:, 2:4] / rows[:, :2], axis=0)
    spread = np.median(rows[:, 5] / rows[:, 4])
    print("| | alone | 40 clients | share |\n|---|---|---|---|")
    print(f"| queries/s | {alone:.0f} | {together:.0f} | {clock:.0%} |")
    print(f"| queries per CPU second | {alone_cpu:.0f} | {together_cpu:.0f} | {per_cpu:.0%} |")
    print(f"\np50 {p50:.0f} ms, p95 {p95:.0f} ms, p95/p50 {spread:.2f}; ", end="")
    print(f"a lone query costs {cost:.2f} × the bare tower")


def words(count: int) -> list[str]:
    """Texts of two to eight words, all different."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(PARTS, rng.integers(2, 9))) + f" {n}" for n in range(count)]


def best(tower: OnnxText, texts: list[str], size: int, options: argparse.Namespace) -> Rates:
    """Rates with every thread encoding batches of one size."""
    batches = [texts[at : at + size] for at in range(0, len(texts) - size, size)]

    def loop(seed: int, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            tower.encode_queries(batches[(seed * 7 + done) % len(batches)])
            done += 1
        return done * size

    return paced(loop, options.threads, options.seconds / 4)


def shared(
    tower: OnnxText, texts: list[str], options: argparse.Namespace
) -> tuple[Rates, list[float]]:
    batcher = Batcher(tower.run, slots=options.threads)
    encoder = BatchedText(tower, batcher)
    waits: list[float] = []
    lock = threading.Lock()

    def loop(seed: int, until: float) -> int:
        own: list[float] = []
        while (start := time.perf_counter()) < until:
            encoder.encode_queries([texts[(seed * 13 + len(own)) % len(texts)]])
            own.append(time.perf_counter() - start)
        with lock:
            waits.extend(own)
        return len(own)

    rates = paced(loop, CLIENTS, options.seconds)
    batcher.close()
    return rates, waits


def paced(loop: Callable[[int, float], int], threads: int, seconds: float) -> Rates:
    """Run a loop on many threads: how many per second, and per second of CPU time."""
    start, cpu_start = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(loop, range(threads), [start + seconds] * threads))
    return done / (time.perf_counter() - start), done / (time.process_time() - cpu_start)


def lone(tower: OnnxText, texts: list[str]) -> float:
    """CPU time of a query through the queue, as a multiple of the bare tower; pairs take turns."""
    batcher = Batcher(tower.run, slots=1)
    encoder = BatchedText(tower, batcher)
    ratios = [
        cpu(encoder.encode_queries, text) / cpu(tower.encode_queries, text) for text in texts[:LONE]
    ]
    batcher.close()
    return statistics.median(ratios)


def cpu(encode: Callable[[list[str]], object], text: str) -> float:
    start = time.thread_time()
    encode([text])
    return time.thread_time() - start


if __name__ == "__main__":
    main()

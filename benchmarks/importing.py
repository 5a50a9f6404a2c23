"""
Import beside the encoder alone, in one run.

    python benchmarks/importing.py ../shared/data/fashion9k --products 3000

With `--bundle FOLDER` both use that cross-modal bundle, such as a ViT-B/16 of `encoders.py`.

Alone: read each product's pictures, decode and encode them, encode its text, on as many threads as
the import uses. Import: all of that, and check, hash and store the pictures, write rows and
changes, cut keywords, write the index, build its graph. Rounds of both are interleaved.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from crosslens import settings, wiring
from crosslens.corpora.records import Record
from crosslens.corpora.sources import open_source

CHUNK = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", default="crosslens-mini")
    options = parser.parse_args()
    found = (entry for entry in open_source(options.path) if isinstance(entry, Record))
    records = list(islice(found, options.products))
    rates: dict[str, list[tuple[float, float]]] = {"encoder alone": [], "import": []}
    for _ in range(options.rounds):
        for name, work in (("encoder alone", encode), ("import", store)):
            with (
                tempfile.TemporaryDirectory() as home,
                wiring.build(settings.load(Path(home), cross_modal=options.bundle)) as app,
            ):
                app.encoders.words.encode_queries(["warm"])
                rates[name].append(timed(app, work, records))
    print("| what | products/s | CPU ms per product | share |")
    print("|---|---|---|---|")
    alone = statistics.median(rate for rate, _ in rates["encoder alone"])
    for name, measured in rates.items():
        rate = statistics.median(rate for rate, _ in measured)
        cpu = statistics.median(cpu for _, cpu in measured)
        print(f"| {name} | {rate:,.0f} | {cpu:.2f} | {rate / alone:.0%} |")


def encode(app: wiring.App, records: Sequence[Record]) -> None:
    def chunk(start: int) -> None:
        part = records[start : start + CHUNK]
        contents = [path.read_bytes() for record in part for path in record.pictures]
        app.encoders.pictures.encode_pictures(contents)
        app.encoders.words.encode_items([record.title for record in part])

    with ThreadPoolExecutor(app.threads) as pool:
        list(pool.map(chunk, range(0, len(records), CHUNK)))


def store(app: wiring.App, records: Sequence[Record]) -> None:
    tally, indexed = app.import_all(records)
    assert tally.stored == indexed == len(records), (tally, indexed)


def timed(app: wiring.App, work: object, records: Sequence[Record]) -> tuple[float, float]:
    """Return products per second and CPU milliseconds per product."""
    wall, cpu = time.perf_counter(), time.process_time()
    work(app, records)  # type: ignore[operator]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return len(records) / wall, cpu * 1e3 / len(records)


if __name__ == "__main__":
    main()

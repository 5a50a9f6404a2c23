"""
Import beside the encoder alone, in one run or in several.

    python benchmarks/importing.py ../shared/data/fashion9k --products 2000

With `--bundle FOLDER` both use that cross-modal bundle, such as a ViT-B/16 of `encoders.py`.

Alone: read each product's pictures, decode and encode them, encode its text, on as many threads as
the import uses. Import: all of that, and check, hash and store the pictures, write rows and
changes, cut keywords, write the index, build its graph. Both take the same products in chunks, in
turns, so that other work on the machine meets both; who goes first changes from chunk to chunk.

With `--work FOLDER` every chunk is noted there, and the same command goes on where the last one
ended; `--minutes` ends it early. The table is of all chunks so far.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from crosslens import settings, wiring
from crosslens.corpora.records import Record
from crosslens.corpora.sources import open_source

PIECE = 32  # products that a thread of the encoder alone takes at a time
ALONE, IMPORT = "encoder alone", "import"
Work = Callable[[wiring.App, Sequence[Record]], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--products", type=int, default=2_000)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--bundle", default="crosslens-mini")
    parser.add_argument("--work", type=Path, help="keep what is measured here, and go on with it")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    found = (entry for entry in open_source(options.path) if isinstance(entry, Record))
    records = list(islice(found, options.products))
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        run(records, work, options)
        show([json.loads(line) for line in (work / "chunks.jsonl").read_text().splitlines()])


def run(records: Sequence[Record], work: Path, options: argparse.Namespace) -> None:
    """Measure chunk after chunk, and note each as a line of JSON."""
    notes, until = work / "chunks.jsonl", time.monotonic() + options.minutes * 60
    done = sum(json.loads(line)["products"] for line in lines(notes))
    with (
        tempfile.TemporaryDirectory() as home,  # a run that was cut off leaves no half chunk
        wiring.build(settings.load(Path(home), cross_modal=options.bundle)) as app,
    ):
        app.encoders.words.encode_queries(["warm"])
        for start in range(done, len(records), options.chunk):
            if time.monotonic() > until:
                return
            part = records[start : start + options.chunk]
            with notes.open("a") as file:
                print(json.dumps(chunk(app, part, start // options.chunk)), file=file)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def chunk(app: wiring.App, part: Sequence[Record], number: int) -> dict[str, object]:
    sides: list[tuple[str, Work]] = [(ALONE, encode), (IMPORT, store)]
    measured = {name: timed(app, work, part) for name, work in sides[:: (-1) ** number]}
    return {"products": len(part), **measured}


def encode(app: wiring.App, records: Sequence[Record]) -> None:
    def piece(start: int) -> None:
        part = records[start : start + PIECE]
        contents = [path.read_bytes() for record in part for path in record.pictures]
        app.encoders.pictures.encode_pictures(contents)
        app.encoders.words.encode_items([record.title for record in part])

    with ThreadPoolExecutor(app.threads) as pool:
        list(pool.map(piece, range(0, len(records), PIECE)))


def store(app: wiring.App, records: Sequence[Record]) -> None:
    tally, indexed = app.import_all(records)
    assert tally.stored == indexed == len(records), (tally, indexed)


def timed(app: wiring.App, work: Work, records: Sequence[Record]) -> tuple[float, float]:
    """Return seconds by the clock and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    work(app, records)
    return time.perf_counter() - wall, time.process_time() - cpu


def show(chunks: Sequence[dict[str, object]]) -> None:
    products = np.array([entry["products"] for entry in chunks])
    alone, stored = (np.array([entry[name] for entry in chunks]) for name in (ALONE, IMPORT))
    print(f"{products.sum():,} products in {len(chunks)} chunks\n")
    print("| what | products/s | CPU ms per product |\n|---|---|---|")
    for name, seconds in ((ALONE, alone), (IMPORT, stored)):
        wall, cpu = seconds.sum(0)
        print(f"| {name} | {products.sum() / wall:,.1f} | {cpu * 1e3 / products.sum():.1f} |")
    clock, cpu = np.median(alone / stored, axis=0)
    print(
        f"\nimport runs at {alone[:, 0].sum() / stored[:, 0].sum():.1%} of the encoder's rate by ",
        end="",
    )
    print(f"the clock, {alone[:, 1].sum() / stored[:, 1].sum():.1%} by CPU time; ", end="")
    print(f"medians of the chunks {clock:.1%} and {cpu:.1%}")


if __name__ == "__main__":
    main()

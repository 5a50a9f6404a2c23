"""
Find duplicates in a real catalogue: precision and recall per tier and per transformation, and time.

    python benchmarks/duplicates.py ../shared/data/fashion9k --home /tmp/duplicates

Imports a folder, adds `--transformed` copies of its pictures (crop, scale, JPEG, flip, border,
overlay, in turns) under invented titles, scans, and compares with what is known: equal bytes, and
which copy was made of which. A near pair is right when both sides go back to the same bytes; near
pairs among originals are nobody's copies as far as is known, so they count as wrong although many
of them are pictures that the shop itself took over. `--sizes` scans parts of the catalogue too.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from crosslens import settings
from crosslens.catalog.duplicates import Pair, Tier
from crosslens.corpora.records import Entry, Record, Where
from crosslens.corpora.sources import open_source
from crosslens.wiring import App

Picture = Image.Image
Rng = np.random.Generator


def crop(picture: Picture, rng: Rng) -> Picture:
    share = rng.uniform(0.8, 0.92)
    x, y = rng.uniform(0, 1 - share, 2)
    w, h = picture.size
    return picture.crop((int(x * w), int(y * h), int((x + share) * w), int((y + share) * h)))


def scale(picture: Picture, rng: Rng) -> Picture:
    return ImageOps.scale(picture, rng.uniform(0.4, 0.8))


def border(picture: Picture, rng: Rng) -> Picture:
    width = int(rng.uniform(0.04, 0.14) * picture.width)
    return ImageOps.expand(picture, width, tuple(int(v) for v in rng.integers(0, 256, 3)))


def overlay(picture: Picture, rng: Rng) -> Picture:
    marked = picture.copy()
    w, h = picture.size
    height = int(rng.uniform(0.12, 0.25) * h)
    x, y = int(rng.uniform(0, 0.5) * w), (0 if rng.random() < 0.5 else h - height)
    draw = ImageDraw.Draw(marked)
    draw.rectangle((x, y, x + w // 2, y + height), fill=tuple(map(int, rng.integers(0, 256, 3))))
    draw.text((x + 5, y + 3), "SALE 50%", fill=(255, 255, 255))
    return marked


TRANSFORMS: dict[str, Callable[[Picture, Rng], Picture]] = {
    "crop": crop,
    "scale": scale,
    "jpeg": lambda picture, rng: picture,
    "flip": lambda picture, rng: ImageOps.mirror(picture),
    "border": border,
    "overlay": overlay,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--transformed", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=3)
    asked = parser.parse_args()
    for size in [*asked.sizes, 0]:
        home = asked.home / (str(size) if size else "all")
        originals = list(islice(open_source(asked.folder), size or None))
        copies = list(transformed(originals, asked.transformed if not size else 0, asked.seed))
        app = App(settings.load(home))
        try:
            app.import_all([*originals, *copies])
            report(app, size, [entry.key for entry in copies])
        finally:
            app.close()


def transformed(entries: Sequence[Entry], wanted: int, seed: int) -> Iterator[Record]:
    rng = np.random.default_rng(seed)
    records = [entry for entry in entries if isinstance(entry, Record) and entry.pictures]
    for n, at in enumerate(rng.choice(len(records), wanted, replace=False).tolist()):
        name = list(TRANSFORMS)[n % len(TRANSFORMS)]
        with Image.open(records[at].pictures[0]) as picture:
            made = TRANSFORMS[name](picture.convert("RGB"), rng)
        quality = int(rng.integers(20, 60)) if name == "jpeg" else 90
        out = io.BytesIO()
        made.save(out, "JPEG", quality=quality)
        key = f"copy:{name}:{records[at].key}"
        title = f"listing {rng.integers(10**9)}"
        yield Record(Where(Path("made")), key, title, contents=(out.getvalue(),))


def report(app: App, size: int, copies: Sequence[str]) -> None:
    shutil.rmtree(app.settings.home / "prints", ignore_errors=True)
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    found = app.duplicate_scanner.scan()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = {
        "products": app.catalog.summary().products,
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(cpu, 1),
        "pairs": dict(Counter(pair.tier.value for pair in found)),
    }
    print(json.dumps(told | (judged(app, found, copies) if not size else {})))


def judged(app: App, found: Sequence[Pair], copies: Sequence[str]) -> dict[str, object]:
    products = {p.fields.source_key or "": p for batch in app.catalog.stream() for p in batch}
    digest = {p.id: p.pictures[0].sha256 for p in products.values() if p.pictures}
    of = {p.id: products[key.split(":", 2)[2]].id for key, p in products.items() if key in copies}
    origin = {product_id: digest[of.get(product_id, product_id)] for product_id in digest}
    same_bytes = Counter(digest.values())
    near = [pair for pair in found if pair.tier is Tier.NEAR]
    right = [p for p in near if origin[p.left] == origin[p.right]]
    caught = {copy for p in right for copy in (p.left, p.right) if copy in of}
    kinds = Counter(key.split(":")[1] for key in copies)
    by_kind = Counter(
        key.split(":")[1] for key, p in products.items() if key in copies and p.id in caught
    )
    exact = [pair for pair in found if pair.tier is Tier.EXACT]
    copied = [p for p in near if p.left in of or p.right in of]
    return {
        "exact": {
            "recall": len(exact) / sum(n - 1 for n in same_bytes.values()),
            "precision": sum(digest[p.left] == digest[p.right] for p in exact) / len(exact),
        },
        "near_recall": {name: round(by_kind[name] / kinds[name], 3) for name in kinds}
        | {"all": round(len(caught) / len(copies), 3)},
        "near_precision": {
            "pairs with a copy": round(len(right) / max(1, len(copied)), 3),
            "all pairs, unlabelled ones as wrong": round(len(right) / max(1, len(near)), 3),
        },
        "unlabelled": [
            (app.product(p.left).fields.source_key, app.product(p.right).fields.source_key)
            for p in near
            if origin[p.left] != origin[p.right]
        ][:60],
    }


if __name__ == "__main__":
    main()

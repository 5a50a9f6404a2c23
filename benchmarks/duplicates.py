"""
Find duplicates in a real catalogue: precision and recall per tier and per transformation, and time.

    python benchmarks/duplicates.py ../shared/data/fashion9k --home /tmp/duplicates

Imports a folder, adds `--transformed` copies of its pictures (crop, scale, JPEG, flip, border,
overlay, in turns) under invented titles, scans, and compares with what is known: equal bytes, and
which copy was made of which. A near pair is right when both sides go back to the same bytes; near
pairs among originals are nobody's copies as far as is known, so they count as wrong although many
of them are pictures that the shop itself took over; `--sheet` draws some of them to be looked at.

`--sizes` scans catalogues of other sizes instead: parts, or beyond the whole with every picture
once more, upside down and in other colours.

`--listings` measures the tier "same product" instead: other photos of products, under their titles
in another order or with a word more (needs a folder whose products have several pictures).
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
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from crosslens import settings, wiring
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
    parser.add_argument("--listings", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="where to draw unlabelled near pairs")
    parser.add_argument("--seed", type=int, default=3)
    asked = parser.parse_args()
    originals = list(open_source(asked.folder))
    rng = np.random.default_rng(asked.seed)
    if asked.sizes:
        for size in asked.sizes:
            with wiring.build(settings.load(asked.home / str(size))) as app:
                app.import_all(islice(chain(originals, turned(originals)), size))
                print(json.dumps(scanned(app)[0]), flush=True)
    elif asked.listings:
        first, others = split(originals, asked.listings, rng)
        with wiring.build(settings.load(asked.home / "listings")) as app:
            app.import_all([*first, *others])
            told, found = scanned(app)
            print(json.dumps(told | {"same_product": same_products(app, found)}))
    else:
        copies = list(transformed(originals, asked.transformed, rng))
        with wiring.build(settings.load(asked.home / "all")) as app:
            app.import_all([*originals, *copies])
            told, found = scanned(app)
            print(json.dumps(told | judged(app, found, [e.key for e in copies], asked.sheet)))


def turned(entries: Sequence[Entry]) -> Iterator[Record]:
    for entry in entries:
        if isinstance(entry, Record) and entry.pictures:
            with Image.open(entry.pictures[0]) as picture:
                red, green, blue = ImageOps.flip(picture.convert("RGB")).split()
            out = io.BytesIO()
            Image.merge("RGB", (blue, red, green)).save(out, "JPEG", quality=85)
            yield Record(Where(Path("made")), f"turned:{entry.key}", entry.title[::-1],
                         contents=(out.getvalue(),))  # fmt: skip


def split(entries: Sequence[Entry], wanted: int, rng: Rng) -> tuple[list[Record], list[Record]]:
    """Show products by their first picture alone, and some by their second one once more."""
    records = [entry for entry in entries if isinstance(entry, Record) and entry.pictures]
    first = [replace(record, pictures=record.pictures[:1]) for record in records]
    several = [record for record in records if len(record.pictures) > 1]
    others = []
    for n, at in enumerate(rng.permutation(len(several))[:wanted].tolist()):
        words = several[at].title.split()
        title = " ".join(rng.permutation(words)) if n % 2 else f"{several[at].title} sale"
        others.append(
            replace(
                several[at],
                key=f"listing:{several[at].key}",
                title=title,
                pictures=several[at].pictures[1:2],
            )
        )
    return first, others


def same_products(app: App, found: Sequence[Pair]) -> dict[str, object]:
    keys = {p.id: p.fields.source_key or "" for batch in app.catalog.stream() for p in batch}
    origin = {product_id: key.removeprefix("listing:") for product_id, key in keys.items()}
    wanted = {key for key in keys.values() if key.startswith("listing:")}
    pairs = [pair for pair in found if pair.tier is Tier.SAME_PRODUCT]
    right = [pair for pair in pairs if origin[pair.left] == origin[pair.right]]
    anyhow = {keys[side] for pair in found if origin[pair.left] == origin[pair.right]
              for side in (pair.left, pair.right)} & wanted  # fmt: skip
    caught = {keys[side] for pair in right for side in (pair.left, pair.right)} & wanted
    return {
        "listings": len(wanted),
        "pairs": len(pairs),
        "precision": round(len(right) / max(1, len(pairs)), 3),
        "recall": round(len(caught) / max(1, len(wanted)), 3),
        "recall_with_nearer_tiers": round(len(anyhow) / max(1, len(wanted)), 3),
        "wrong": [[keys[p.left], keys[p.right]] for p in pairs if p not in right][:20],
    }


def transformed(entries: Sequence[Entry], wanted: int, rng: Rng) -> Iterator[Record]:
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


def scanned(app: App) -> tuple[dict[str, object], list[Pair]]:
    """Scan from nothing; return how long that took, and what was found."""
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
    return told, found


def judged(
    app: App, found: Sequence[Pair], copies: Sequence[str], sheet: Path | None
) -> dict[str, object]:
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
    unlabelled = [pair for pair in near if origin[pair.left] != origin[pair.right]]
    if sheet is not None:
        draw(app, unlabelled, sheet)
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
        "unlabelled": len(unlabelled),
        "same_product": sum(pair.tier is Tier.SAME_PRODUCT for pair in found),
    }


def draw(app: App, pairs: Sequence[Pair], sheet: Path, *, shown: int = 60, side: int = 110) -> None:
    """Draw pairs drawn by lot, left beside right, ten in a row."""
    rng = np.random.default_rng(1)
    chosen = rng.choice(len(pairs), min(shown, len(pairs)), replace=False).tolist()
    whole = Image.new("RGB", (10 * (2 * side + 12), -(-len(chosen) // 10) * (side + 8)), "white")
    for n, at in enumerate(chosen):
        for half, product_id in enumerate((pairs[at].left, pairs[at].right)):
            picture = app.product(product_id).pictures[pairs[at].evidence["pictures"][half]]
            with Image.open(io.BytesIO(app.media.get(picture.sha256))) as image:
                small = ImageOps.pad(image.convert("RGB"), (side, side), color="white")
            whole.paste(small, ((n % 10) * (2 * side + 12) + half * side, n // 10 * (side + 8)))
    whole.save(sheet)


if __name__ == "__main__":
    main()

"""
Measure what `crosslens plan` calculates with, and write it to src/crosslens/capacity/measured.json.

    python benchmarks/capacity.py [--bundle NAME_OR_FOLDER …] [--scale 1.0]

The embedded index is filled through its own adapter, each size in a process of its own: bytes on
disk after `optimize`, and resident memory after it was opened anew and asked 300 times, less what
the process had before. A line through the sizes (least squares, in relative terms) gives bytes per
vector, per component, per product, and those of an empty one. The catalogue and the kept vectors
are filled by their own code too. Encoders: CPU time on one thread, preprocessing included. Speeds
of encoders of full size are those that `benchmarks/encoders.py` measured (docs/figures.md).
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

OUT = Path(__file__).parents[1] / "src" / "crosslens" / "capacity" / "measured.json"
RUNS = ((5_000, 0, 512), (10_000, 1, 512), (30_000, 1, 512), (20_000, 1, 128), (15_000, 2, 256))
OF_FIGURES = {  # docs/figures.md, "Encoding beside sentence-transformers": ms in batches
    "CLIP ViT-B/32": (512, 80.5, 9.9),
    "Chinese-CLIP ViT-B/16": (512, 324.0, 17.1),
    "BGE-small-zh": (512, 0.0, 2.9),
}
WORDS = 2_000
BATCH = 1_000
ASKED = 300
PICTURE_PX = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", nargs="*", default=["crosslens-mini"])
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes, to try it out")
    parser.add_argument("--run", type=int, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--look", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if options.look:
        print(json.dumps(looked(Path(options.look[0]), int(options.look[1]))))
    elif options.run:
        print(json.dumps(filled(*options.run)))
    else:
        told = all_of_it(options.bundle, options.scale)
        options.out.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")


def all_of_it(bundles: Sequence[str], scale: float) -> dict[str, Any]:
    runs = [own("--run", int(n * scale), pictures, dim) for n, pictures, dim in RUNS]
    for run in runs:
        print(run, flush=True)
    encoders = {name: speed(name) for name in bundles} | {
        name: {
            "dim": dim,
            "pictures": round(1e3 / picture, 2) if picture else 0.0,
            "texts": round(1e3 / text, 1),
            "source": "docs/figures.md: benchmarks/encoders.py, batches, one thread",
        }
        for name, (dim, picture, text) in OF_FIGURES.items()
    }
    wide = [run["build_s"] / run["rows"] * 1e6 for run in runs if run["dim"] == 512]
    when = datetime.now(UTC).date().isoformat()
    return {
        "about": f"constants measured on {when}: Zvec at {min(r['products'] for r in runs):,} to "
        f"{max(r['products'] for r in runs):,} products, one core of {processor()}",
        "zvec_memory": line(runs, "memory"),
        "zvec_disk": line(runs, "disk"),
        "zvec_build_us": round(float(np.mean(wide)), 1),
        "catalog": catalogue(max(200, int(4_000 * scale))),
        "kept": kept(max(500, int(10_000 * scale))),
        "encoders": encoders,
        "runs": runs,
    }


def own(*arguments: object) -> Any:
    """Run a part in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ran.stdout.splitlines()[-1])


def filled(products: int, pictures: int, dim: int) -> dict[str, Any]:
    """Fill an index and return what it takes."""
    from crosslens.values import AttributeType, Space
    from crosslens.vectors.index import IndexSpec
    from crosslens.vectors.zvec_index import ZvecIndex

    space = Space("cloud", dim)
    spec = IndexSpec((space,), (space,), {"colour": AttributeType.KEYWORD})
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "index"
        index = ZvecIndex.create(where, spec)
        began = time.process_time()
        for rows in batches(spec, products, pictures, dim):
            index.upsert(rows)
        index.optimize()
        spent = time.process_time() - began
        index.close()
        size = sum(file.stat().st_size for file in where.rglob("*") if file.is_file())
        memory = own("--look", where, dim)
    rows = products * (1 + pictures)
    return {
        "products": products, "pictures": pictures, "dim": dim, "rows": rows,
        "disk": size, "memory": memory, "build_s": round(spent, 2),
    }  # fmt: skip


def batches(spec: Any, products: int, pictures: int, dim: int) -> Iterator[list[Any]]:
    from crosslens.values import Vectors
    from crosslens.vectors.index import ProductRows

    draw = np.random.default_rng(0)
    centres = draw.standard_normal((max(10, products // 100), dim), dtype="f4")

    def vectors(count: int) -> Any:
        array = centres[draw.integers(0, len(centres), count)]
        array = array + 0.5 * draw.standard_normal((count, dim), dtype="f4")
        return Vectors.normalized(spec.text[0], array)

    for first in range(1, products + 1, BATCH):
        yield [
            ProductRows(
                key, 1, (vectors(1),), (vectors(pictures),),
                tuple(f"word{n}" for n in draw.zipf(1.3, 12) % WORDS), {"colour": f"c{key % 40}"},
            )
            for key in range(first, min(first + BATCH, products + 1))
        ]  # fmt: skip


def looked(where: Path, dim: int) -> int:
    """Open an index, ask it, and return the memory that this took."""
    from crosslens.values import Modality, Vectors
    from crosslens.vectors.zvec_index import ZvecIndex

    before = resident()
    index = ZvecIndex.open(where)
    space, draw = index.spec.text[0], np.random.default_rng(1)
    for _ in range(ASKED):
        asked = Vectors.normalized(space, draw.standard_normal((1, dim), dtype="f4"))
        for modality in Modality:
            index.nearest(asked, modality, limit=50)
        index.matching([f"word{draw.integers(WORDS)}"], limit=50)
    return resident() - before


def resident() -> int:
    status = Path("/proc/self/status").read_text()
    [kilobytes] = [row.split()[1] for row in status.splitlines() if row.startswith("VmRSS")]
    return int(kilobytes) * 1024


def line(runs: Sequence[dict[str, Any]], what: str) -> dict[str, float]:
    """Fit bytes = rows · (a + dim · b) + products · c + d, none of them below nothing."""
    table = np.array([(r["rows"], r["rows"] * r["dim"], r["products"], 1) for r in runs], float)
    wanted = np.array([r[what] for r in runs], float)
    used = [0, 1, 2, 3]
    while True:
        found, *_ = np.linalg.lstsq(table[:, used] / wanted[:, None], np.ones(len(runs)))
        if (found >= 0).all():
            break
        used.pop(int(np.argmin(found)))
    full = dict(zip(used, found, strict=True))
    names = ("per_row", "per_component", "per_product", "fixed")
    return {name: round(float(full.get(n, 0.0)), 3) for n, name in enumerate(names)}


def catalogue(count: int) -> dict[str, float]:
    """Return bytes of the catalogue's file per product and per row of a picture."""
    none, one = (catalogue_bytes(count, pictures) for pictures in (0, 1))
    return {
        "per_row": round((one - none) / count, 1), "per_component": 0.0, "fixed": 0.0,
        "per_product": round(none / count, 1),
    }  # fmt: skip


def catalogue_bytes(count: int, pictures: int) -> int:
    from PIL import Image

    from crosslens.catalog.editing import Editor, Entry
    from crosslens.catalog.memory import MemoryMedia
    from crosslens.catalog.sql import SqlCatalog

    def picture(n: int) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (16, 16), (n % 256, n // 256 % 256, 7)).save(out, "PNG")
        return out.getvalue()

    with tempfile.TemporaryDirectory() as folder:
        catalog = SqlCatalog(f"sqlite:///{folder}/catalog.db")
        editor = Editor(catalog, MemoryMedia())
        for first in range(0, count, 500):
            editor.put_many([
                Entry(
                    f"sku-{n:08}", f"Leather walking shoe number {n}, size 42, brown",
                    "A shoe for every day, of leather, with a sole of rubber. " * 3,
                    {"colour": "brown", "price": 59.9, "brand": "Someone", "stock": 3},
                    [picture(n)] * pictures,
                )
                for n in range(first, min(first + 500, count))
            ])  # fmt: skip
        catalog.close()
        return sum(file.stat().st_size for file in Path(folder).iterdir())


def kept(count: int) -> dict[str, float]:
    """Return bytes of kept vectors per vector and per component."""
    small, large = (kept_bytes(count, dim) for dim in (128, 512))
    component = (large - small) / count / (512 - 128)
    return {
        "per_row": round(max(0.0, small / count - 128 * component), 1),
        "per_component": round(component, 3), "per_product": 0.0, "fixed": 0.0,
    }  # fmt: skip


def kept_bytes(count: int, dim: int) -> int:
    from crosslens.indexing.kept import KeptVectors, digest_of
    from crosslens.values import Modality, Space

    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = KeptVectors(Path(folder) / "vectors")
        for first in range(0, count, BATCH):
            ids = range(first, min(first + BATCH, count))
            store.keep(Modality.TEXT, Space("cloud", dim), {
                n: [(digest_of(str(n)), draw.standard_normal(dim).astype(np.float16))] for n in ids
            })  # fmt: skip
        store.close()
        return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())


def speed(name: str) -> dict[str, Any]:
    """Return what a bundle encodes per core-second."""
    from crosslens import settings, wiring

    with (
        tempfile.TemporaryDirectory() as home,
        wiring.build(settings.load(Path(home), cross_modal=name, threads=1)) as app,
    ):
        model = app.bundle(name)
        pictures, words = photographs(8), [f"red leather shoe number {n}" for n in range(32)]
        return {
            "dim": model.space.dim,
            "pictures": round(rate(lambda: model.pictures.encode_pictures(pictures), 8), 1),
            "texts": round(rate(lambda: model.words.encode_items(words), 32), 1),
            "source": f"benchmarks/capacity.py: JPEG of {PICTURE_PX:,} px, batches, one thread",
        }


def rate(work: Any, count: int, rounds: int = 12) -> float:
    """Return things per CPU second: the median of rounds."""
    work()
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return count / float(np.median(spent))


def photographs(count: int) -> list[bytes]:
    from PIL import Image

    draw, made = np.random.default_rng(0), []
    for _ in range(count):
        coarse = draw.integers(0, 255, (20, 20, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(coarse).resize((PICTURE_PX, PICTURE_PX), 3).save(out, "JPEG", quality=88)
        made.append(out.getvalue())
    return made


def processor() -> str:
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    names = [row.partition(":")[2].strip() for row in rows if row.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()

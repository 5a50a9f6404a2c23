"""
Fine-tune on real photographs, and measure on products that were kept out.

    python benchmarks/fine_tune.py split ../shared/data/fashion9k /tmp/split
    crosslens train encoder runs/fashion --data /tmp/split/train --start-from crosslens-mini \\
        --attribute baseColour --attribute articleType --attribute gender \\
        --steps 400 --rate 1e-3 --threads 1
    crosslens train encoder runs/more --data /tmp/split/train --start-from runs/fashion \\
        --attribute baseColour --attribute articleType --attribute gender \\
        --steps 250 --rate 5e-4 --threads 1
    crosslens train export runs/more /tmp/fashion
    python benchmarks/fine_tune.py judge /tmp/split src/crosslens/bundled/crosslens-mini \\
        /tmp/fashion

A fifth of the products is kept out, chosen by their English titles without case and spacing, so
that no title and no product is on both sides; nor is a picture, byte for byte. The Chinese titles
are made of gender, colour and kind by a template, and do occur on both sides. The queries are
written from attributes by a template too; none of them is a text that training sees.

text2image: the set's attribute queries, judged on the part that was kept out. image2image: the
picture of each product asks for other products of its kind, colour and gender.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from crosslens.encode.onnx import load
from crosslens.values import fold

sys.path.insert(0, str(Path(__file__).parent))
from transfer import lines, qrels, tell

KEPT_OUT = 0.2
ALIKE = ("articleType", "baseColour", "gender")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    splitting = commands.add_parser("split")
    splitting.add_argument("data", type=Path)
    splitting.add_argument("out", type=Path)
    judging = commands.add_parser("judge")
    judging.add_argument("split", type=Path)
    judging.add_argument("bundles", type=Path, nargs="+")
    asked = parser.parse_args()
    if asked.command == "split":
        split(asked.data.resolve(), asked.out)
    else:
        judge(asked.split / "test", asked.bundles)


def split(data: Path, out: Path) -> None:
    """Write `train` and `test`, each a data set; the test part has the queries it can answer."""
    products = lines(data / "items.jsonl")
    parts: dict[str, list[dict]] = {"train": [], "test": []}
    for product in products:
        parts["test" if share(fold(product["title"])) < KEPT_OUT else "train"].append(product)
    seen = {picture_of(data, product) for product in parts["train"]}
    parts["test"] = [p for p in parts["test"] if picture_of(data, p) not in seen]
    for name, kept in parts.items():
        (out / name).mkdir(parents=True)
        (out / name / "images").symlink_to(data / "images")
        dump(out / name / "items.jsonl", kept)
        print(f"{name}: {len(kept)} products")
    here = {product["id"] for product in parts["test"]}
    judged = {query: {key: grade for key, grade in found.items() if key in here}
              for query, found in qrels(data / "qrels.tsv").items()}  # fmt: skip
    asked = [query for query in lines(data / "queries.jsonl") if judged.get(query["id"])]
    dump(out / "test" / "queries.jsonl", asked)
    rows = [f"{query['id']}\t{key}\t{grade}\n" for query in asked
            for key, grade in judged[query["id"]].items()]  # fmt: skip
    (out / "test" / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), "utf-8")
    print(f"{len(asked)} queries")


def judge(test: Path, bundles: list[Path]) -> None:
    products, queries = lines(test / "items.jsonl"), lines(test / "queries.jsonl")
    keys, judged = [product["id"] for product in products], qrels(test / "qrels.tsv")
    right = [judged[query["id"]] for query in queries]
    pictures = [(test / product["image"]).read_bytes() for product in products]
    alike = {key: [] for key in keys}
    by_kind: dict[tuple, list[str]] = {}
    for product in products:
        kind = tuple(product["attributes"].get(name) for name in ALIKE)
        by_kind.setdefault(kind, []).append(product["id"])
        alike[product["id"]] = by_kind[kind]
    near = [{key: 1 for key in alike[own] if key != own} for own in keys]
    some = [place for place, found in enumerate(near) if found]
    print("| set | search | bundle | nDCG@10 | hit@1 | R@10 |\n|---|---|---|--:|--:|--:|")
    for folder in bundles:
        bundle = load(folder)
        found = bundle.picture.encode_pictures(pictures).array
        for language in ("en", "zh"):
            texts = [query[f"text_{language}"] for query in queries]
            scores = bundle.text.encode_queries(texts).array @ found.T
            tell("kept out", f"text2image {language}", str(folder), scores, keys=keys, right=right)
        scores = found @ found.T
        np.fill_diagonal(scores, -np.inf)
        tell("kept out", "image2image", str(folder), scores[some], keys=keys,
             right=[near[place] for place in some])  # fmt: skip


def picture_of(data: Path, product: dict) -> bytes:
    return hashlib.sha256((data / product["image"]).read_bytes()).digest()


def share(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def dump(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()

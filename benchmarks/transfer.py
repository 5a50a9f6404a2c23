"""
What a bundle trained on drawings is worth on photographs, beside a colour histogram and chance.

    python benchmarks/transfer.py ../shared/data src/crosslens/bundled/crosslens-mini [BUNDLE …]

`grocery_mit`: a phone photo searches 81 studio pictures, one of which shows its product. Photos of
one product are drawn together for the interval. `fashion9k`: attribute queries ("beige men's casual
shoes") in English and Chinese search 9,572 photos. The colour histogram compares 8 × 8 × 8 bins of
RGB over the middle of the pictures; for words, it is told the colour that the query asks for and
ranks by the share of pixels near it. Chance shuffles the products, the same for every query set.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosslens.encode.onnx import OnnxBundle, load
from crosslens.evaluate.intervals import intervals
from crosslens.evaluate.metrics import hit, judge_ranks, ndcg, recall
from crosslens.values import Floats

SIDE, BINS = 64, 8
NEAR = 70.0  # distance in RGB within which a pixel has a colour
Scores = Floats
COLOURS = {
    "Beige": (220, 200, 170), "Black": (25, 25, 28), "Blue": (50, 90, 180), "Brown": (110, 70, 45),
    "Charcoal": (60, 62, 66), "Cream": (240, 230, 205), "Gold": (200, 165, 80),
    "Green": (60, 130, 70), "Grey": (140, 140, 142), "Khaki": (165, 150, 110),
    "Lavender": (190, 170, 220), "Maroon": (110, 25, 40), "Navy Blue": (30, 40, 80),
    "Olive": (110, 110, 60), "Orange": (235, 130, 45), "Peach": (245, 190, 160),
    "Pink": (235, 140, 175), "Purple": (120, 70, 150), "Red": (195, 40, 45), "Rust": (160, 80, 45),
    "Silver": (190, 192, 195), "Tan": (190, 150, 105), "Teal": (30, 130, 130),
    "Turquoise Blue": (60, 180, 190), "White": (245, 245, 245), "Yellow": (240, 205, 60),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    asked = parser.parse_args()
    bundles = [(str(folder), load(folder)) for folder in asked.bundles]
    print("| set | search | system | nDCG@10 | hit@1 | R@10 |\n|---|---|---|--:|--:|--:|")
    grocery(asked.data / "grocery_mit", bundles)
    fashion(asked.data / "fashion9k", bundles)
    print("\n| bundle | CPU ms per text query | per picture |\n|---|--:|--:|")
    for name, bundle in bundles:
        print(f"| {name} | {cost(bundle.text.encode_queries, ['a red mug'])} "
              f"| {cost(bundle.picture.encode_pictures, [sample(asked.data)])} |")  # fmt: skip


def grocery(folder: Path, bundles: Sequence[tuple[str, OnnxBundle]]) -> None:
    products, photos = lines(folder / "items.jsonl"), lines(folder / "photo_queries.jsonl")
    keys = [product["id"] for product in products]
    right = [{photo["product"]: 1} for photo in photos]
    gallery = [(folder / product["image"]).read_bytes() for product in products]
    asked = [(folder / photo["image"]).read_bytes() for photo in photos]

    def told(name: str, encode: Callable[[list[bytes]], Floats]) -> None:
        scores = encode(asked) @ encode(gallery).T
        groups = [photo["product"] for photo in photos]
        tell("grocery_mit", "image2image", name, scores, keys=keys, right=right, groups=groups)

    for name, bundle in bundles:
        told(name, lambda pictures, b=bundle: b.picture.encode_pictures(pictures).array)
    told("colour histogram", histograms)
    told("chance", chance)


def fashion(folder: Path, bundles: Sequence[tuple[str, OnnxBundle]]) -> None:
    products, queries = lines(folder / "items.jsonl"), lines(folder / "queries.jsonl")
    keys = [product["id"] for product in products]
    judged = qrels(folder / "qrels.tsv")
    right = [judged[query["id"]] for query in queries]
    gallery = [(folder / product["image"]).read_bytes() for product in products]
    found = {name: bundle.picture.encode_pictures(gallery).array for name, bundle in bundles}
    shares = colour_shares(gallery)
    for language in ("en", "zh"):
        kind = f"text2image {language}"
        texts = [query[f"text_{language}"] for query in queries]
        for name, bundle in bundles:
            scores = bundle.text.encode_queries(texts).array @ found[name].T
            tell("fashion9k", kind, name, scores, keys=keys, right=right)
    wanted = [query["attributes"].get("baseColour", "") for query in queries]
    scores = np.stack([shares.get(colour, np.zeros(len(keys))) for colour in wanted])
    tell("fashion9k", "text2image", "colour asked for", scores, keys=keys, right=right)
    scores = chance(queries) @ chance(products).T
    tell("fashion9k", "text2image", "chance", scores, keys=keys, right=right)


def tell(
    data: str,
    kind: str,
    name: str,
    scores: Floats,
    *,
    keys: Sequence[str],
    right: Sequence[dict[str, int]],
    groups: Sequence[Hashable] | None = None,
) -> None:
    """Print a row: means in percent with 95 % bootstrap intervals."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    judged = judge_ranks([[keys[place] for place in row] for row in best], right)
    values = {"nDCG@10": ndcg(judged, 10), "hit@1": hit(judged, 1), "R@10": recall(judged, 10)}
    spread = intervals(values, groups=groups)
    shown = [
        f"{100 * found.mean():.1f} ({100 * spread[m][0]:.1f} – {100 * spread[m][1]:.1f})"
        for m, found in values.items()
    ]
    print(f"| {data} | {kind} | {name} | {' | '.join(shown)} |", flush=True)


def thumbnail(content: bytes) -> NDArray[np.uint8]:
    picture = Image.open(BytesIO(content))
    picture.draft("RGB", (SIDE, SIDE))
    small = np.asarray(picture.convert("RGB").resize((SIDE, SIDE)))
    edge = SIDE // 8
    return small[edge:-edge, edge:-edge].reshape(-1, 3)


def histograms(pictures: Sequence[bytes]) -> Floats:
    """Compare by intersection of square roots, the cosine of which is the Bhattacharyya one."""

    def one(content: bytes) -> Floats:
        red, green, blue = (thumbnail(content).astype(np.int64) * BINS // 256).T
        counts = np.bincount((red * BINS + green) * BINS + blue, minlength=BINS**3)
        return np.sqrt(counts / counts.sum()).astype(np.float32)

    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(one, pictures)))


def colour_shares(pictures: Sequence[bytes]) -> dict[str, Floats]:
    """Say of each colour how much of each picture is near it."""
    tones = np.array(list(COLOURS.values()), np.float32)

    def one(content: bytes) -> Floats:
        pixels = thumbnail(content).astype(np.float32)
        apart = np.linalg.norm(pixels[:, None] - tones[None], axis=2)
        return (apart < NEAR).mean(0).astype(np.float32)

    with ThreadPoolExecutor(2) as pool:
        shares = np.stack(list(pool.map(one, pictures)))
    return dict(zip(COLOURS, shares.T, strict=True))


def chance(things: Sequence[object]) -> Floats:
    rng = np.random.default_rng(len(things))
    return rng.standard_normal((len(things), 16)).astype(np.float32)


def cost(encode: Callable[[list], object], one: list, *, rounds: int = 60) -> str:
    for _ in range(5):
        encode(one)
    started = process_time()
    for _ in range(rounds):
        encode(one)
    return f"{1000 * (process_time() - started) / rounds:.2f}"


def sample(data: Path) -> bytes:
    return next(iter(sorted((data / "fashion9k" / "images").iterdir()))).read_bytes()


def qrels(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        query, product, grade = line.split("\t")
        found.setdefault(query, {})[product] = int(grade)
    return found


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()

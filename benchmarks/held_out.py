"""
Search rendered products of combinations that training never showed, with a bundle.

    python benchmarks/held_out.py src/crosslens/bundled/crosslens-mini --cache /tmp/held-out

Draws 1,000 products (their seed is not the one that training and validation used), asks for each in
words and by picture, and counts as right every product that agrees in all that the words mention.
`unseen` are wordings and synonyms that training never used.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from crosslens.encode.onnx import OnnxBundle, load
from crosslens.train.losses import BELONGS
from crosslens.train.rendered import RenderConfig, RenderedSource
from crosslens.train.shop import sample_source
from crosslens.train.source import Pixels, Style, ask, relate
from crosslens.train.validate import recall
from crosslens.values import Floats

FEWEST = 16  # a source wants some products to train on; they are not asked for
WORDS_SEED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        config = RenderConfig(products=FEWEST, validation=asked.products, seed=asked.seed)
        source = sample_source(config, folder=asked.cache or Path(scratch))
        judge(load(asked.bundle), source)


def judge(bundle: OnnxBundle, source: RenderedSource) -> None:
    assert bundle.text is not None
    assert bundle.picture is not None
    rows = source.shelf.validation
    pictures = bundle.picture.encode_pictures(pngs(source.portraits(rows))).array
    print("| wording | language | text→image R@1 | R@10 | image→text R@1 | R@10 |")
    print("|---|---|--:|--:|--:|--:|")
    for style in Style:
        for language in source.languages:
            rng = np.random.default_rng(WORDS_SEED)
            asked = ask(source, rows, rng, style=style, languages=(language,))
            words = bundle.text.encode_queries(asked.texts).array
            right = relate(source.shelf, asked, rows) == BELONGS
            there, back = measure(words @ pictures.T, right), measure(pictures @ words.T, right.T)
            print(f"| {style} | {language} | {there} | {back} |")


def measure(scores: Floats, right: np.ndarray) -> str:
    found = recall(scores, right)
    return f"{100 * found.at_1:.1f} | {100 * found.at_10:.1f}"


def pngs(pictures: Pixels) -> list[bytes]:
    return [png(picture) for picture in pictures]


def png(picture: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    main()

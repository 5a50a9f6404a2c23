"""
Search rendered products of combinations that training never showed, with one bundle or more.

    python benchmarks/held_out.py src/crosslens/bundled/crosslens-mini --cache /tmp/held-out

Draws 1,000 products of held-out combinations of category, colour and pattern (their seed is not
the one that training and validation used), asks for each in words and by picture, and counts as
right every product that agrees in all that the words mention; for a picture, every text that it
fits. `main` texts name category, colour and pattern, `full` ones every attribute and form. `unseen`
uses phrasings that training never has and synonyms that it meets in texts alone, never with a
picture; `new` has a word that training never meets. R@k is the share of questions with a right
answer among the first k, ties counted against us, with 95 % bootstrap intervals.

With --write FOLDER, the same questions become data sets for `crosslens evaluate`.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosslens.encode.onnx import OnnxBundle, load
from crosslens.evaluate.intervals import intervals
from crosslens.train.losses import BELONGS
from crosslens.train.rendered import RenderConfig, RenderedSource
from crosslens.train.shop import sample_source
from crosslens.train.source import Asked, Pixels, Style, ask, relate
from crosslens.values import Floats

FEWEST = 16  # a source wants some products to train on; they are not asked for
WORDS_SEED = 5
DEPTHS = (1, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="*")
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--cache", type=Path, help="keep the pictures here for next time")
    parser.add_argument("--write", type=Path, help="write data sets for `crosslens evaluate`")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        config = RenderConfig(products=FEWEST, validation=asked.products, seed=asked.seed)
        source = sample_source(config, folder=asked.cache or Path(scratch))
        for folder in asked.bundles:
            judge(load(folder), source, folder)
        if asked.write is not None:
            write(source, asked.write)


def questions(source: RenderedSource, style: Style, language: str) -> Asked:
    rng = np.random.default_rng(WORDS_SEED)
    return ask(source, source.shelf.validation, rng, style=style, languages=(language,))


def judge(bundle: OnnxBundle, source: RenderedSource, folder: Path) -> None:
    assert bundle.text is not None
    assert bundle.picture is not None
    rows = source.shelf.validation
    pictures = bundle.picture.encode_pictures(pngs(source.portraits(rows))).array
    print(f"\n{folder}: {bundle.card.training.get('weights', '')}; {len(rows)} products\n")
    print("| wording | language | questions | text→image R@1 | R@10 | image→text R@1 | R@10 |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for style in Style:
        for language in source.languages:
            asked = questions(source, style, language)
            words = bundle.text.encode_queries(asked.texts).array
            right = relate(source.shelf, asked, rows) == BELONGS
            there, back = measure(words @ pictures.T, right), measure(pictures @ words.T, right.T)
            print(f"| {style} | {language} | {len(asked.rows)} | {there} | {back} |", flush=True)


def measure(scores: Floats, right: NDArray[np.bool_]) -> str:
    """Say R@1 and R@10 in percent; a question without a right answer is left out."""
    asked = right.any(1)
    best = np.where(right, scores, -np.inf).max(1)
    ahead = ((scores >= best[:, None]) & ~right).sum(1)[asked]
    hits = {str(depth): (ahead < depth).astype(np.float64) for depth in DEPTHS}
    spread = intervals(hits)
    return " | ".join(
        f"{100 * values.mean():.1f} ({100 * spread[k][0]:.1f} – {100 * spread[k][1]:.1f})"
        for k, values in hits.items()
    )


def write(source: RenderedSource, folder: Path) -> None:
    """Write the pictures once and, for each wording, products, questions and judgements."""
    rows = source.shelf.validation
    pictures = folder / "images"
    pictures.mkdir(parents=True)
    for row, content in zip(rows, pngs(source.portraits(rows)), strict=True):
        (pictures / f"{row}.png").write_bytes(content)
    for style in Style:
        own = folder / style.replace(", ", "-")
        own.mkdir()
        (own / "images").symlink_to("../images")
        products = [{"id": f"p{row}", "title": f"p{row}", "image": f"images/{row}.png"}
                    for row in rows]  # fmt: skip
        _lines(own / "items.jsonl", products)
        _write_questions(own, source, style)


def _write_questions(own: Path, source: RenderedSource, style: Style) -> None:
    rows = source.shelf.validation
    asked_rows, judged = [], ["query-id\tcorpus-id\tscore\n"]
    for language in source.languages:
        asked = questions(source, style, language)
        right = relate(source.shelf, asked, rows) == BELONGS
        for place, text in enumerate(asked.texts):
            name = f"{language}{place}"
            asked_rows.append({"id": name, f"text_{language}": text})
            judged += [f"{name}\tp{row}\t1\n" for row in rows[right[place]]]
    _lines(own / "queries.jsonl", asked_rows)
    (own / "qrels.tsv").write_text("".join(judged), "utf-8")


def _lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def pngs(pictures: Pixels) -> list[bytes]:
    return [png(picture) for picture in pictures]


def png(picture: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    main()

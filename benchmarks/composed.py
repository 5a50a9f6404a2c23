"""
How well wishes are composed over a bundle: picture alone, words alone, their sum, a composer.

    python benchmarks/composed.py rendered --products 60 --cache /tmp/pictures
    python benchmarks/composed.py set ../shared/data/fashion9k --split test --cache /tmp/vectors \
        --composer /tmp/run/bundle

`rendered` asks about products of held-out combinations of the sample shop, each wish in five
phrasings per language that training never has. `set` asks the wishes of a folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crosslens import settings, wiring
from crosslens.compose.bundles import find
from crosslens.compose.composer import Composer, Sum
from crosslens.compose.onnx import load
from crosslens.corpora.composed_sources import open_composed
from crosslens.evaluate.composed import ComposedReport, judge
from crosslens.train.composer_data import Material, over_vectors
from crosslens.train.composer_lesson import Questions, questions
from crosslens.train.composer_shop import rendered_wishes
from crosslens.values import Floats, Space, Vectors
from crosslens.wiring.models import BUILT_IN, COMPOSERS


def ways(
    material: Material, asked: Questions, space: Space, composer: Composer | None
) -> dict[str, Floats]:
    """Compose every question in each way: float32 [Q, dim]."""
    pictures = Vectors(space, material.sights.take(asked.asked.sources).numpy())
    spoken = Vectors(space, np.stack([material.spoken[text] for text in asked.texts]))
    found = {
        "picture only": pictures.array,
        "words only": spoken.array,
        "vector sum": Sum(space).compose(pictures, asked.texts, spoken).array,
    }
    if composer is not None:
        found[composer.name] = composer.compose(pictures, asked.texts, spoken).array
    return found


def measured(
    material: Material, space: Space, composer: Composer | None
) -> dict[str, ComposedReport]:
    asked = questions(material.wishes)
    everything = np.arange(len(material.labels))
    gallery = material.sights.take(everything).numpy()
    places: dict[str, list[int]] = {}
    for number, label in enumerate(material.labels):
        places.setdefault(label, []).append(number)
    right = [
        np.array(sorted({n for t in wish.targets for n in places[material.labels[t]]}))
        for wish in asked.wishes
    ]
    return {
        name: judge(vectors, gallery, material.labels, asked.asked, right=right)
        for name, vectors in ways(material, asked, space, composer).items()
    }


def told(name: str, found: ComposedReport) -> list[str]:
    """Write the rows of a table."""
    low, high = found.all.intervals["recall@1"]
    cells = [f"{found.all.metrics[f'recall@{k}']:.3f}" for k in (1, 10, 50)]
    row = f"| {name} | {cells[0]} ({low:.3f}–{high:.3f}) | {cells[1]} | {cells[2]} |"
    by = [
        f"    {value}: R@1 {part.metrics['recall@1']:.3f}, R@10 {part.metrics['recall@10']:.3f} "
        f"({part.queries})"
        for parts in found.by.values()
        for value, part in parts.items()
    ]
    if found.spread:
        (a, b), (c, d) = found.spread["recall@1"], found.spread["recall@10"]
        by.append(f"    phrasings: R@1 {a:.3f}–{b:.3f}, R@10 {c:.3f}–{d:.3f}; "
                  f"agree {found.agreement:.3f}")  # fmt: skip
    return [row, *by]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("what", choices=("rendered", "set"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--split", default="test")
    parser.add_argument("--bundle", default="crosslens-mini")
    parser.add_argument("--composer", type=Path, help="unless said, the one of the space")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    with wiring.build(settings.load(asked.cache / "home")) as app:
        model = app.bundle(asked.bundle)
        if asked.what == "rendered":
            material = rendered_wishes(
                asked.products, model.pictures, model.words, cache=asked.cache, unseen=True
            )
        else:
            found = open_composed(asked.path, asked.split)
            material = over_vectors(found, model.pictures, model.words, asked.cache)
        built_in = BUILT_IN / COMPOSERS
        folder = asked.composer or find([built_in], model.space)
        composer = None if folder is None else load(folder)
        reports = measured(replace(material), model.space, composer)
    print(f"{next(iter(reports.values())).all.queries} questions, {len(material.labels)} pictures")
    for name, report in reports.items():
        print("\n".join(told(name, report)))
    if asked.json:
        asked.json.write_text(json.dumps({n: r.as_json() for n, r in reports.items()}, indent=1))


if __name__ == "__main__":
    main()

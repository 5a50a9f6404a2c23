"""The composer that comes along, with the bundle and the catalogue that it is for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import crosslens.bundled
from crosslens.compose.bundles import find
from crosslens.compose.cards import CARD
from crosslens.compose.composer import Sum
from crosslens.compose.onnx import OnnxComposer, load
from crosslens.encode.onnx import OnnxBundle
from crosslens.encode.onnx import load as load_bundle
from crosslens.values import Floats, Vectors

HERE = Path(crosslens.bundled.__file__).parent
WISHES = 24


@pytest.fixture(scope="module")
def bundle() -> OnnxBundle:
    return load_bundle(HERE / "crosslens-mini")


@pytest.fixture(scope="module")
def composer(bundle: OnnxBundle) -> OnnxComposer:
    folder = find([HERE / "composers"], bundle.card.vector_space)
    assert folder is not None, "the built-in composer is of another space than the built-in bundle"
    return load(folder)


@pytest.fixture(scope="module")
def wishes() -> list[dict[str, object]]:
    lines = (HERE / "sample/composed.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines][:WISHES]


@pytest.fixture(scope="module")
def gallery(bundle: OnnxBundle, wishes: list[dict[str, object]]) -> dict[str, Floats]:
    """The products that the wishes speak of, by their first picture."""
    named = {str(w["ref"]) for w in wishes} | {str(t) for w in wishes for t in w["targets"]}
    keys = sorted(named)
    pictures = [(HERE / f"sample/images/{key}-1.webp").read_bytes() for key in keys]
    assert bundle.picture is not None
    return dict(zip(keys, bundle.picture.encode_pictures(pictures).array, strict=True))


def found(composer: object, bundle: OnnxBundle, gallery: dict[str, Floats], wish, language) -> bool:
    """Whether the best product for a wish is a right one."""
    space = bundle.card.vector_space
    words = [wish[f"text_{language}"]]
    own = Vectors(space, gallery[wish["ref"]][None])
    composed = composer.compose(own, words, bundle.text.encode_queries(words)).array[0]
    others = [key for key in gallery if key != wish["ref"]]
    return max(others, key=lambda key: float(gallery[key] @ composed)) in wish["targets"]


def test_the_built_in_composer_is_small(composer: OnnxComposer) -> None:
    folder = HERE / "composers" / composer.name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    assert (folder / CARD).is_file()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_wishes_of_the_sample_catalogue_are_met_more_often_than_by_adding_vectors(
    composer: OnnxComposer,
    bundle: OnnxBundle,
    gallery: dict[str, Floats],
    wishes: list[dict[str, object]],
    language: str,
) -> None:
    added = Sum(bundle.card.vector_space)
    ours = np.mean([found(composer, bundle, gallery, wish, language) for wish in wishes])
    sums = np.mean([found(added, bundle, gallery, wish, language) for wish in wishes])
    assert ours >= 0.4
    assert ours >= sums - 0.05

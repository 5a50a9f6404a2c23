"""Wishes about products of the sample shop, drawn and described by a bundle."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from crosslens.corpora.composed import Wish
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.errors import InvalidRequest
from crosslens.sample.combos import held_out
from crosslens.sample.design import Design, random_design
from crosslens.sample.render import VIEWS, render
from crosslens.sample.wishes import LANGUAGES, Wished, phrasings, wished, without
from crosslens.train.composer_data import (
    Material,
    PictureVectors,
    described,
    spoken_of,
    texts_of,
)
from crosslens.train.disk import explained

PX = 128
PHRASINGS = 4
FRONT = 0.6  # share of the pictures that show the front
# How many wishes of each kind a product is asked.
ASKED = {"colour": 3, "pattern": 2, "plain": 1, "variant": 2, "without": 1}


@dataclass(frozen=True, slots=True)
class _Drawing:
    """One picture: what it shows, from where, and the seed of its light."""

    design: Design
    view: int
    seed: int


def rendered_wishes(  # noqa: PLR0913 - what to draw, and what describes it
    products: int,
    pictures: PictureEncoder,
    words: TextEncoder,
    *,
    cache: Path,
    seed: int = 1,
    unseen: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Material:
    """
    Invent products and wishes about them, draw both ends of each, and describe them.

    Args:
        products: that wishes start from; each leads to about seven others.
        cache: a folder where pictures and vectors are kept, so that another bundle need not wait
            for the pictures again, and a stopped run goes on.
        unseen: products of held-out combinations, and phrasings that training never has.
        progress: called with the pictures drawn and to draw.

    Raises:
        MissingExtra: the renderer is not installed.
    """
    rng = np.random.default_rng([seed, products, 31 + unseen])
    drawings, wishes = _invented(products, rng, unseen=unseen)
    digest = hashlib.sha256(repr((PX, drawings)).encode()).hexdigest()
    files = _drawn(drawings, cache / digest[:16], progress)
    found = described(files, pictures, cache)
    provenance = {
        "data": "rendered wishes", "products": products, "pictures": len(drawings),
        "wishes": len(wishes), "seed": seed, "space": pictures.space.name, "sha256": digest,
    }  # fmt: skip
    labels = [repr(drawing.design) for drawing in drawings]
    spoken = spoken_of(texts_of(wishes), words)
    return Material(PictureVectors(found), labels, wishes, provenance, spoken)


def _invented(
    products: int, rng: np.random.Generator, *, unseen: bool
) -> tuple[list[_Drawing], list[Wish]]:
    drawings: list[_Drawing] = []
    wishes: list[Wish] = []
    for _ in range(200 * products):
        if len({wish.source for wish in wishes}) >= products:
            return drawings, wishes
        design = random_design(rng)
        if held_out(design.category, design.colour, design.pattern) != unseen:
            continue
        source = len(drawings)
        drawings.append(_drawing(design, rng))
        for wish in _asked(design, rng):
            targets = tuple(range(len(drawings), len(drawings) + len(wish.designs)))
            drawings += [_drawing(other, rng) for other in wish.designs]
            said = {
                str(each): phrasings(wish, each, rng, 5 if unseen else PHRASINGS, held_out=unseen)
                for each in LANGUAGES
            }
            wishes.append(Wish(source, said, targets, wish.kind))
    raise InvalidRequest(f"the shop did not give {products} products")


def _asked(design: Design, rng: np.random.Generator) -> Iterator[Wished]:
    """Draw some wishes of each kind; of many designs that fulfil one, one or two are drawn."""
    options = [*wished(design), *without(design)]
    for kind, most in ASKED.items():
        own = [wish for wish in options if wish.kind == kind]
        for place in rng.permutation(len(own))[:most]:
            designs = own[place].designs
            few = rng.permutation(len(designs))[: 2 if kind == "without" else 1]
            yield Wished(kind, own[place].slots, tuple(designs[n] for n in few))


def _drawing(design: Design, rng: np.random.Generator) -> _Drawing:
    view = 0 if rng.random() < FRONT else int(rng.integers(VIEWS))
    return _Drawing(design, view, int(rng.integers(2**31)))


def _drawn(
    drawings: Sequence[_Drawing], folder: Path, progress: Callable[[int, int], None]
) -> list[Path]:
    """Draw what is not drawn yet."""
    files = [folder / f"{number:06}.png" for number in range(len(drawings))]
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for done, (drawing, path) in enumerate(zip(drawings, files, strict=True), start=1):
            if not path.exists():
                draft = path.with_suffix(".part")
                draft.write_bytes(_photograph(drawing))
                draft.replace(path)
            progress(done, len(drawings))
    return files


def _photograph(drawing: _Drawing) -> bytes:
    pixels = render(drawing.design, seed=drawing.seed, view=drawing.view, size=PX)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()

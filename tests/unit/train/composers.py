"""Tiny composed sets for tests: colours as vectors, and words that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from crosslens.corpora.composed import Wish
from crosslens.train.composer_config import ComposerConfig, Method, Shape
from crosslens.train.composer_data import Material, PictureVectors

COLOURS = {"red": "红色", "blue": "蓝色", "green": "绿色", "black": "黑色"}
FORMS, DIM = 16, 24
SPACE = "toy@1/fp32"


def material(forms: int = FORMS) -> Material:
    """Make things of some forms and colours; each may be wished in each other colour."""
    rng = np.random.default_rng(0)
    form = rng.normal(size=(forms, DIM))
    colour = rng.normal(size=(len(COLOURS), DIM))
    vectors = (form[:, None] + colour[None]).reshape(-1, DIM)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = list(COLOURS)
    wishes = [
        Wish(
            source=f * len(names) + a,
            words={"en": (f"in {names[b]}",), "zh": (f"换成{COLOURS[names[b]]}",)},
            targets=(f * len(names) + b,),
            kind="colour",
        )
        for f in range(forms)
        for a in range(len(names))
        for b in range(len(names))
        if a != b
    ]
    labels = [f"{f} {name}" for f in range(forms) for name in names]
    said = rng.normal(size=(len(names), DIM))  # the bundle's words know nothing of its colours
    spoken = {
        text: (said[n] / np.linalg.norm(said[n])).astype(np.float32)
        for n, name in enumerate(names)
        for text in (f"in {name}", f"换成{COLOURS[name]}")
    }
    provenance = {"data": "toy", "space": SPACE}
    sights = PictureVectors(vectors.astype(np.float32))
    return Material(sights, labels, wishes, provenance, spoken)


def config(folder: Path, method: Method = Method.TOKENS, **settings: Any) -> ComposerConfig:
    """Make a run of seconds."""
    shape = Shape(
        method=method, dim=DIM, over_vectors=True, width=16, token_width=8, layers=1, heads=2,
        picture_tokens=2, dropout=0.0, noise=0.02, max_tokens=12,
    )  # fmt: skip
    few = {"steps": 60, "batch": 32, "siblings": 3, "held_out": 8, "validate_every": 30}
    return ComposerConfig(folder=folder, shape=shape, threads=1, **{**few, **settings})

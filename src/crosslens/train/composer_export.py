"""A trained composer → a bundle: a graph that agrees with PyTorch, or nothing at all."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.export import Dim

from crosslens.compose.bundles import Goldens, dump_goldens, write
from crosslens.compose.cards import GRAPH, TOKENIZER, ComposerCard
from crosslens.compose.onnx import INPUTS
from crosslens.encode.folders import GOLDENS
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.train.composer import TrainedComposer, load_composer
from crosslens.train.composer_config import Shape
from crosslens.train.composer_model import Composer
from crosslens.train.graphs import (
    EXPORTERS,
    LARGEST_BATCH,
    MOST_DRIFT,
    SMALLEST_HALVED,
    Graph,
    difference,
    halve,
    open_session,
    save_graph,
    write_graph,
)
from crosslens.train.tokens import encode
from crosslens.values import Floats

GOLDEN_WORDS = (
    "like this, but red", "the same bag with stripes", "without the handle", "x",
    "同款，换成红色", "这款要纯色的", "ＲＥＤ 条纹", "qwzx 😀",
)  # fmt: skip
SHAPES = ((1, 2), (1, 7), (2, 5), (3, 16), (8, 9))
LEFT_OUT = {"folder", "tensorboard", "threads", "log_every", "max_minutes"}


def export(
    run: Path,
    folder: Path,
    *,
    name: str,
    about: str,
    licence: str = "Apache-2.0",
    notes: Mapping[str, Any] | None = None,
) -> ComposerCard:
    """
    Turn a run's best composer into a bundle, bound to the space that it was trained in.

    Large matrices are rounded to float16 and stored so; everything is computed in float32, with
    exactly these rounded weights.

    Raises:
        NotFound: there is no run, or it has saved nothing yet.
        InvalidRequest: it composes pixels, which no space of a catalogue holds.
        BrokenBundle: the graph differs from PyTorch; nothing is written.
    """
    trained = load_composer(run)
    shape = trained.model.shape
    space = trained.about["provenance"].get("space")
    if not shape.over_vectors or not space:
        raise InvalidRequest(
            f"{run} composes pixels; only a composer over a bundle can serve a catalogue",
            hint="train it with --bundle",
        )
    model = _rounded(trained.model)
    card = ComposerCard(
        name=name, about=about, licence=licence, space=space, dim=shape.dim,
        max_tokens=shape.max_tokens, languages=("zh", "en"),
        training=_training(trained, notes or {}),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        graph = _write_graph(model, Path(scratch) / GRAPH)
        goldens = dump_goldens(_goldens(model, trained.tokenizer))
        tokenizer = trained.tokenizer.to_str().encode()
        return write(folder, card, {GRAPH: graph, TOKENIZER: tokenizer, GOLDENS: goldens})


def _rounded(model: Composer) -> Composer:
    settled = copy.deepcopy(model).float().eval()
    with torch.no_grad():
        for parameter in settled.parameters():
            if parameter.numel() >= SMALLEST_HALVED:
                parameter.copy_(parameter.half().float())
    return settled


def _write_graph(model: Composer, path: Path) -> Path:
    batch = Dim("batch", max=LARGEST_BATCH)
    # The exporter must not learn that the length of its example is the only one.
    length = Dim("length", min=1, max=model.shape.max_tokens)
    axes = {
        "picture": {0: batch}, "words": {0: batch},
        "ids": {0: batch, 1: length}, "mask": {0: batch, 1: length},
    }  # fmt: skip
    proto = write_graph(Graph(model, _example(model.shape, 3, 8), INPUTS, axes), path, EXPORTERS)
    halve(proto)
    save_graph(proto, path)
    drift = _drift(model, path)
    if not drift <= MOST_DRIFT:
        raise BrokenBundle(
            f"the exported composer differs from PyTorch by {drift:.2g}, allowed is {MOST_DRIFT:g}"
        )
    return path


def _drift(model: Composer, path: Path) -> float:
    session = open_session(path)
    known = {entry.name for entry in session.get_inputs()}
    found = 0.0
    for count, length in SHAPES:
        example = _example(model.shape, count, min(length, model.shape.max_tokens))
        feeds = {n: part.numpy() for n, part in zip(INPUTS, example, strict=True) if n in known}
        with torch.no_grad():
            found = max(found, difference(session, feeds, model(*example)))
    return found


def _example(shape: Shape, count: int, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random vectors and ids with ragged masks: row r has one token less than row r - 1."""
    generator = torch.Generator().manual_seed(100 * count + length)
    vectors = torch.randn(2, count, shape.dim, generator=generator)
    picture, words = torch.nn.functional.normalize(vectors, dim=-1)
    ids = torch.randint(1, shape.vocabulary, (count, length), generator=generator)
    kept = (length - torch.arange(count)).clamp(min=1)[:, None]
    mask = (torch.arange(length)[None] < kept).long()
    return picture, words, ids * mask, mask


def _goldens(model: Composer, tokenizer: Tokenizer) -> Goldens:
    picture, words, *_ = _example(model.shape, len(GOLDEN_WORDS), 4)
    ids, mask = (torch.from_numpy(part) for part in encode(tokenizer, GOLDEN_WORDS))
    with torch.no_grad():
        vectors = model(picture, words, ids, mask)
    return Goldens(_array(picture), GOLDEN_WORDS, _array(words), _array(vectors))


def _array(found: Tensor) -> Floats:
    return np.asarray(found.detach().numpy(), np.float32)


def _training(trained: TrainedComposer, notes: Mapping[str, Any]) -> dict[str, Any]:
    settings = {k: v for k, v in trained.about["train"].items() if k not in LEFT_OUT}
    return {
        "weights": "stored as float16, computed in float32",
        "steps": trained.step,
        "data": trained.about["provenance"],
        "settings": settings,
        **notes,
    }

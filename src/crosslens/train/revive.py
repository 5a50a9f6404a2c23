"""A bundle that this package exported → a model that can learn on, without the run it came from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from crosslens.encode.bundles import read_card, read_goldens
from crosslens.encode.cards import CARD
from crosslens.encode.goldens import Goldens
from crosslens.encode.pixels import Pixels
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.train.checkpoint import Trained, load_trained
from crosslens.train.config import ModelConfig, model_from_json
from crosslens.train.graphs import read_weights
from crosslens.train.model import DualEncoder
from crosslens.train.tokens import load_tokenizer

TOKENS = "tokens.weight"


def is_bundle(folder: Path) -> bool:
    """Say whether a folder holds a bundle, of any kind, and not a run."""
    return (folder / CARD).exists()


def learned(folder: Path) -> Trained:
    """Load what a bundle or a run has learned; see `revive` and `load_trained`."""
    return revive(folder) if is_bundle(folder) else load_trained(folder)


def revive(folder: Path) -> Trained:
    """
    Load an exported bundle's weights back into a model.

    They are the rounded ones, and the normalisations, which the export has folded away, are such
    that they change nothing; `calibrate` makes them ready to learn.

    Raises:
        InvalidRequest: the bundle was not exported by this package.
        BrokenBundle: the model does not give the bundle's golden vectors.
    """
    card = read_card(folder)
    settings = card.training.get("settings", {})
    if card.text is None or card.picture is None or "model" not in settings:
        raise InvalidRequest(
            f"bundle {card.name} was not trained by crosslens, so it cannot be trained on",
            hint="start from a bundle that `crosslens train export` wrote, or from its run",
        )
    words = _weights(onnx.load(str(folder / card.text.file)))
    pictures = _weights(onnx.load(str(folder / card.picture.file)))
    shape = dataclasses.replace(model_from_json(settings["model"]), vocabulary=len(words[TOKENS]))
    model = _filled(shape, words, pictures, name=card.name)
    text = (folder / card.text.tokenizer).read_text("utf-8")
    _require_goldens(
        model, read_goldens(folder), Words(card.text, text), Pixels(card.picture), name=card.name
    )
    about = {"train": {"model": settings["model"]}, "tokens": shape.vocabulary, "heads": {},
             "provenance": {"bundle": card.space}}  # fmt: skip
    return Trained(model, load_tokenizer(text), about, int(card.training.get("steps", 0)), 0.0)


def calibrate(model: DualEncoder, pictures: Tensor) -> None:
    """
    Let every normalisation know the pictures it will see, without changing what the model says.

    Args:
        pictures: float32 [N, 3, S, S], normalised; some hundreds are enough.
    """
    norms = [part for part in model.picture.modules() if isinstance(part, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(partial(_fit, norm)) for norm in norms]
    model.eval()
    try:
        with torch.no_grad():
            model.picture(pictures)
    finally:
        for hook in hooks:
            hook.remove()


def _fit(norm: nn.BatchNorm2d, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Take over the mean and spread of what comes in; scale and shift undo them."""
    if norm.running_mean is None or norm.running_var is None:
        return
    mean, spread = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), unbiased=False)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias.add_(scale * (mean - norm.running_mean))
    norm.weight.copy_(scale * (spread + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(spread)


def _weights(proto: Any) -> dict[str, Tensor]:
    """
    Read a graph's weights under the names that they had in PyTorch.

    The matrix of a linear layer may stand transposed without a name; the bias added to its
    product still has one.
    """
    found = read_weights(proto)
    nodes = proto.graph.node
    products = {node.output[0]: node.input[1] for node in nodes if node.op_type == "MatMul"}
    for node in nodes:
        if node.op_type != "Add":
            continue
        for product, bias in (node.input, reversed(node.input)):
            if product in products and bias.endswith(".bias"):
                found[bias.removesuffix("bias") + "weight"] = found[products[product]].T
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in found.items()}


def _filled(
    shape: ModelConfig, words: Mapping[str, Tensor], pictures: Mapping[str, Tensor], *, name: str
) -> DualEncoder:
    model = DualEncoder(shape)
    towers = {"text": words, "picture": pictures}
    weights = model.state_dict()
    for full in weights:
        tower, _, own = full.partition(".")
        if own in towers.get(tower, {}):
            weights[full] = towers[tower][own]
        elif _is_matrix(full, weights):
            raise InvalidRequest(f"bundle {name} has no {own} in its {tower} tower")
    for part, norm in model.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            _shift_alone(weights, part, towers["picture"])
    model.load_state_dict(weights)
    model.eval()
    return model


def _is_matrix(name: str, weights: Mapping[str, Tensor]) -> bool:
    return name.partition(".")[0] in ("text", "picture") and weights[name].ndim > 1


def _shift_alone(weights: dict[str, Tensor], norm: str, pictures: Mapping[str, Tensor]) -> None:
    """Make a normalisation add the bias of the convolution before it, and nothing else."""
    before, _, place = norm.rpartition(".")
    convolution = f"{before}.{int(place) - 1}.bias".removeprefix("picture.")
    weights[f"{norm}.bias"] = pictures[convolution]
    weights[f"{norm}.weight"] = torch.full_like(
        pictures[convolution], math.sqrt(1 + nn.BatchNorm2d(1).eps)
    )


def _require_goldens(
    model: DualEncoder, goldens: Goldens, words: Words, pixels: Pixels, *, name: str
) -> None:
    ids, mask = (torch.from_numpy(part) for part in words.pad(words.rows(goldens.texts)))
    values = torch.from_numpy(np.stack(pixels.rows(goldens.pictures)))
    with torch.no_grad():
        drift = max(
            np.abs(model.text(ids, mask).numpy() - goldens.text_vectors).max(),
            np.abs(model.picture(values).numpy() - goldens.picture_vectors).max(),
        )
    if not drift <= goldens.tolerance:
        raise BrokenBundle(
            f"bundle {name} gives other vectors in PyTorch, by {drift:.2g}",
            hint="export it again, or start from its run",
        )

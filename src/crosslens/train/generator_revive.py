"""A generator's bundle → a codec and a generator that can learn on, without the run they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer
from torch import nn

from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.generate.bundles import Drawings, read_drawings, verify_generator
from crosslens.generate.cards import FLOW, PICTURE, TOKENIZER, WORDS, GeneratorCard
from crosslens.train.config import model_from_json
from crosslens.train.generator_codec import Codec
from crosslens.train.generator_config import CodecConfig, FlowConfig
from crosslens.train.generator_flow import Generator, Reader
from crosslens.train.generator_goldens import draw_goldens
from crosslens.train.graphs import read_weights
from crosslens.train.tokens import load_tokenizer
from crosslens.values import Floats


@dataclass(frozen=True, slots=True)
class Revived:
    """
    What a bundle holds, in PyTorch; its weights are the rounded ones.

    Attributes:
        generator: without heads, which are not exported.
        text: shape of its reader.
        step: how far its flow had been trained.
    """

    codec: Codec
    generator: Generator
    tokenizer: Tokenizer
    text: dict[str, Any]
    step: int


def revive_generator(folder: Path) -> Revived:
    """
    Load an exported generator's weights back into models.

    Raises:
        NotFound: there is no generator.
        InvalidRequest: it was not exported by this package, or by a version that did not say how.
        BrokenBundle: a file was altered, or the models do not draw the bundle's goldens.
    """
    card = verify_generator(folder)
    try:
        told = [dict(card.training[name]) for name in ("codec", "flow", "text")]
        here = {"folder": folder, "start_from": None}
        of_codec = CodecConfig(**{**told[0], **here})
        of_flow = FlowConfig(**{**told[1], **here, "words_from": folder})
        shape = model_from_json(told[2])
    except (KeyError, TypeError, ValueError, InvalidRequest) as exc:
        raise InvalidRequest(
            f"generator {card.name} does not say how it was trained, so it cannot be trained on",
            hint="start from a bundle that this version exported, or from its run",
        ) from exc
    flow = _weights(folder / FLOW)
    codec = Codec(of_codec)
    _fill(codec, {**_weights(folder / PICTURE), "spread": flow["spread"]}, card)
    generator = Generator(of_flow, codec, Reader(shape), heads={})
    _fill(generator.reader, _weights(folder / WORDS), card)
    _fill(generator.flow, {**flow, "weight": generator.flow.weight}, card)
    tokenizer = load_tokenizer((folder / TOKENIZER).read_text("utf-8"))
    drawn = draw_goldens(codec.eval(), generator.eval(), tokenizer, card)
    _require_alike(drawn, read_drawings(folder), name=card.name)
    return Revived(codec, generator, tokenizer, told[2], int(card.training.get("steps", 0)))


def _weights(path: Path) -> dict[str, Floats]:
    return read_weights(onnx.load(str(path)))


def _fill(model: nn.Module, weights: Mapping[str, Any], card: GeneratorCard) -> None:
    try:
        model.load_state_dict(
            {
                name: torch.as_tensor(weights[name]).reshape(value.shape)
                for name, value in model.state_dict().items()
            }
        )
    except (KeyError, RuntimeError) as exc:
        raise InvalidRequest(
            f"generator {card.name} has other weights than its card speaks of: {exc}"
        ) from exc


def _require_alike(drawn: Drawings, wanted: Drawings, *, name: str) -> None:
    apart = np.abs(drawn.pictures.astype(float) - wanted.pictures).mean((1, 2, 3)).max()
    if not apart <= wanted.tolerance:
        raise BrokenBundle(
            f"generator {name} draws otherwise in PyTorch, by {apart:.2g} levels",
            hint="export it again, or start from its run",
        )

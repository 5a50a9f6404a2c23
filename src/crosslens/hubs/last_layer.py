"""
The last layer of a tower whose vector is its first token, computed for that token alone.

The others' last values are read by nobody: without them a twelfth layer costs a sixth of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from crosslens.hubs.towers import PairedTextTower, PictureTower, SentenceTower

_CLASS_TOKEN = ("clip", "chinese_clip")  # families whose pictures are pooled by it


@contextmanager
def first_token_only(tower: nn.Module) -> Iterator[bool]:
    """
    Let a tower skip what its vector does not depend on, while the context lasts.

    Yields:
        Whether it can: its vector is its first token, and its layers are of a known kind.
    """
    layers = _layers(tower)
    short = _kind(layers[-1]) if layers else None
    if short is None:
        yield False
        return
    whole = layers[-1]
    layers[-1] = short(whole)
    try:
        yield True
    finally:
        layers[-1] = whole


def _layers(tower: nn.Module) -> Any:
    """Find the layers of a tower that is read at its first token."""
    model: Any = getattr(tower, "model", None)
    if isinstance(tower, PictureTower) and model.config.model_type in _CLASS_TOKEN:
        return _at(model, "vision_model.encoder.layers")
    if isinstance(tower, PairedTextTower) and model.config.model_type == "chinese_clip":
        return _at(model, "text_model.encoder.layer")
    if isinstance(tower, SentenceTower) and tower.poolings == ("cls",):
        return _at(model, "encoder.layer")
    return None


def _at(model: Any, path: str) -> Any:
    for name in path.split("."):
        model = getattr(model, name, None)
    return model


class NormFirst(nn.Module):
    """A layer as CLIP's: normalised before attention and perceptron."""

    PARTS = ("self_attn.q_proj", "self_attn.out_proj", "layer_norm1", "layer_norm2", "mlp")

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: Tensor, mask: Tensor | None = None, **options: Any) -> Tensor:
        """Compute the first token's last value: [N, L, width] → [N, 1, width]."""
        del options
        layer, attention = self.layer, self.layer.self_attn
        before = layer.layer_norm1(tokens)
        read = _attend(
            attention.q_proj(before[:, :1]), attention.k_proj(before), attention.v_proj(before),
            mask, head_width=attention.head_dim,
        )  # fmt: skip
        found = tokens[:, :1] + attention.out_proj(read)
        whole: Tensor = found + layer.mlp(layer.layer_norm2(found))
        return whole


class NormLast(nn.Module):
    """A layer as BERT's: normalised after attention and perceptron."""

    PARTS = ("attention.self.query", "attention.output.LayerNorm", "intermediate", "output")

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, tokens: Tensor, mask: Tensor | None = None, *others: Any, **options: Any
    ) -> Tensor:
        """Compute the first token's last value: [N, L, width] → [N, 1, width]."""
        del others, options
        layer, attention = self.layer, self.layer.attention.self
        first = tokens[:, :1]
        read = _attend(
            attention.query(first), attention.key(tokens), attention.value(tokens), mask,
            head_width=attention.attention_head_size,
        )  # fmt: skip
        found = layer.attention.output(read, first)
        whole: Tensor = layer.output(layer.intermediate(found), found)
        return whole


def _kind(layer: Any) -> type[NormFirst] | type[NormLast] | None:
    kinds: tuple[type[NormFirst] | type[NormLast], ...] = (NormFirst, NormLast)
    for kind in kinds:
        if all(_at(layer, part) is not None for part in kind.PARTS):
            return kind
    return None


def _attend(
    asking: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, *, head_width: int
) -> Tensor:
    query, key, value = (
        each.view(*each.shape[:2], -1, head_width).transpose(1, 2)
        for each in (asking, keys, values)
    )
    seen = None if mask is None else mask[:, :, :1]
    read = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return read.transpose(1, 2).flatten(2)

"""The towers of hub models as PyTorch modules: what goes in is what the graph will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class PictureTower(nn.Module):
    """Pixels [N, 3, H, W] → unit vectors [N, dim], by a model that has words and pictures."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Encode pictures."""
        return _unit(self.model.get_image_features(pixel_values=pixel_values).pooler_output)


class PairedTextTower(nn.Module):
    """Token ids and mask [N, L] → unit vectors [N, dim], by a model that has words and pictures."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode words."""
        found = self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)
        return _unit(found.pooler_output)


class PaddedTextTower(nn.Module):
    """Token ids [N, L], L fixed → unit vectors [N, dim]; padding counts, as in SigLIP."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Encode words."""
        return _unit(self.model.get_text_features(input_ids=input_ids).pooler_output)


class SentenceTower(nn.Module):
    """
    Token ids and mask [N, L] → unit vectors [N, dim]: a transformer, poolings, dense layers.

    Args:
        poolings: names of `sentence.POOLINGS`; several are joined.
    """

    def __init__(self, model: Any, poolings: Sequence[str], dense: Sequence[nn.Module]) -> None:
        super().__init__()
        self.model = model
        self.poolings = tuple(poolings)
        self.dense = nn.ModuleList(dense)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode texts."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        parts = [POOL[name](hidden, attention_mask) for name in self.poolings]
        vector = torch.cat(parts, dim=-1)
        for layer in self.dense:
            vector = layer(vector)
        return _unit(vector)


class PairTower(nn.Module):
    """Token ids, mask and, where the model knows them, types [N, L] → log odds [N, 1]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Judge pairs."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        found: Tensor = self.model(**inputs).logits
        return found


class Dense(nn.Module):
    """
    A linear layer with an activation after it, and its input added to the output if so wished.

    Args:
        weights: `linear.weight` [out, in], and where they exist `linear.bias`, `residual.weight`.
        activation: a class of `torch.nn`, by name.
    """

    def __init__(self, weights: Mapping[str, Tensor], activation: str, *, residual: bool) -> None:
        super().__init__()
        self.linear = _linear(weights["linear.weight"], weights.get("linear.bias"))
        self.activation = getattr(nn, activation)()
        self.residual: nn.Module | None = None
        if residual:
            wide = weights.get("residual.weight")
            self.residual = nn.Identity() if wide is None else _linear(wide, None)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map [N, in] to [N, out]."""
        found: Tensor = self.activation(self.linear(vectors))
        return found if self.residual is None else found + self.residual(vectors)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _unit(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=-1)


def _first(hidden: Tensor, mask: Tensor) -> Tensor:
    del mask
    return hidden[:, 0]


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    place = (mask.sum(1) - 1).clamp(min=0)[:, None, None].expand(-1, 1, hidden.shape[-1])
    return hidden.gather(1, place).squeeze(1)


def _most(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(1)


def _sum(hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1), weights.sum(1).clamp(min=1e-9)


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    total, count = _sum(hidden, mask)
    return total / count


def _mean_root(hidden: Tensor, mask: Tensor) -> Tensor:
    total, count = _sum(hidden, mask)
    return total / count.sqrt()


def _later_weighs_more(hidden: Tensor, mask: Tensor) -> Tensor:
    places = torch.arange(1, hidden.shape[1] + 1, device=mask.device)
    return _mean(hidden, mask * places)


POOL = {
    "cls": _first,
    "max": _most,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_root,
    "weightedmean": _later_weighs_more,
    "lasttoken": _last,
}

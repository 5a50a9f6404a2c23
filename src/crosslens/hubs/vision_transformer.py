"""CLIP's transformer for pictures (Radford et al., 2021, arXiv 2103.00020, section 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDER = 4  # times that a block is wider inside
_SLOPE = 1.702  # of the sigmoid that stands for the error function in GELU


class PatchTower(nn.Module):
    """
    Pixels [N, 3, S, S] → vectors [N, dim]: square patches, and a class token before them.

    Parameters are named as the published weights name them, but for `in_proj`, which is `q`, `k`
    and `v` here.

    Args:
        dim: length of a vector.
        side: S, a multiple of `patch`.
        blocks: how many.
        width: numbers that stand for a patch.
        head_width: those of them that one head of the attention reads.
    """

    def __init__(
        self, *, dim: int, side: int, patch: int, blocks: int, width: int, head_width: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((side // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self._blocks = [Block(width, head_width) for _ in range(blocks)]
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(self._blocks)})
        self.proj = nn.Parameter(torch.zeros(width, dim))

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pictures."""
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(patches.shape[0], 1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.positional_embedding
        tokens = self.ln_pre(tokens)
        *blocks, last = self._blocks
        for block in blocks:
            tokens = block(tokens, tokens)
        tokens = last(tokens[:, :1], tokens)  # nothing reads the others' last values
        found: Tensor = self.ln_post(tokens[:, 0]) @ self.proj
        return found


class Block(nn.Module):
    """Attention and a perceptron, each after a normalisation and beside a shortcut."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, head_width)
        layers = {"c_fc": nn.Linear(width, width * _WIDER)}
        layers["c_proj"] = nn.Linear(width * _WIDER, width)
        self.mlp = nn.ModuleDict(layers)

    def forward(self, asking: Tensor, tokens: Tensor) -> Tensor:
        """
        Compute new values of some tokens.

        Args:
            asking: those whose values are wanted [N, some, width].
            tokens: all of them [N, all, width].
        """
        asking = asking + self.attn(self.ln_1(asking), self.ln_1(tokens))
        inside = self.mlp["c_fc"](self.ln_2(asking))
        inside = inside * torch.sigmoid(_SLOPE * inside)
        found: Tensor = asking + self.mlp["c_proj"](inside)
        return found


class Attention(nn.Module):
    """Attention of several heads."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.q, self.k, self.v, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, asking: Tensor, tokens: Tensor) -> Tensor:
        """Let some tokens [N, some, width] read all [N, all, width]."""
        read = functional.scaled_dot_product_attention(
            self._heads(self.q(asking)), self._heads(self.k(tokens)), self._heads(self.v(tokens))
        )
        found: Tensor = self.out_proj(read.transpose(1, 2).flatten(2))
        return found

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.view(*tokens.shape[:2], -1, self.head_width).transpose(1, 2)

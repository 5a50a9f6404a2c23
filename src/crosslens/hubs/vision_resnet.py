"""CLIP's residual network for pictures (Radford et al., 2021, arXiv 2103.00020, section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SHRINKS = 32  # times that a side is shorter before the attention
_WIDER = 4  # times that a block's output is wider than its inside
_STAGES = 4


class ResidualTower(nn.Module):
    """
    Pixels [N, 3, S, S] → vectors [N, dim]: convolutions, four stages of blocks, attention.

    Parameters are named as the published weights name them.

    Args:
        dim: length of a vector.
        side: S, a multiple of 32.
        blocks: how many each of the four stages has.
        width: channels of the first stage.
        head_width: channels that one head of the attention reads.
    """

    def __init__(
        self, *, dim: int, side: int, blocks: Sequence[int], width: int, head_width: int
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(3, width // 2, stride=2)
        self.conv2, self.bn2 = _convolution(width // 2, width // 2)
        self.conv3, self.bn3 = _convolution(width // 2, width)
        inner = [width * 2**stage for stage in range(_STAGES)]
        self.layer1 = _stage(width, inner[0], blocks[0], shrinks=1)
        self.layer2 = _stage(inner[0] * _WIDER, inner[1], blocks[1], shrinks=2)
        self.layer3 = _stage(inner[1] * _WIDER, inner[2], blocks[2], shrinks=2)
        self.layer4 = _stage(inner[2] * _WIDER, inner[3], blocks[3], shrinks=2)
        self.attnpool = AttentionPool((side // SHRINKS) ** 2, width * SHRINKS, dim, head_width)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pictures."""
        for convolution, norm in (
            (self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3),
        ):  # fmt: skip
            pixels = functional.relu(norm(convolution(pixels)))
        found = functional.avg_pool2d(pixels, 2)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            found = stage(found)
        pooled: Tensor = self.attnpool(found)
        return pooled


class Bottleneck(nn.Module):
    """
    Three convolutions beside a shortcut: [N, before, S, S] → [N, 4 × inner, S/shrinks, S/shrinks].

    Resolution goes down by averaging, never by the stride of a convolution.
    """

    def __init__(self, before: int, inner: int, shrinks: int) -> None:
        super().__init__()
        after = inner * _WIDER
        self.conv1, self.bn1 = _convolution(before, inner, size=1)
        self.conv2, self.bn2 = _convolution(inner, inner)
        self.conv3, self.bn3 = _convolution(inner, after, size=1)
        self.shrinks = shrinks
        self.downsample: nn.Module | None = None
        if shrinks > 1 or before != after:
            self.downsample = nn.Sequential(*_convolution(before, after, size=1))

    def forward(self, before: Tensor) -> Tensor:
        """Compute the block."""
        found = functional.relu(self.bn1(self.conv1(before)))
        found = functional.relu(self.bn2(self.conv2(found)))
        found = self.bn3(self.conv3(self._smaller(found)))
        if self.downsample is not None:
            before = self.downsample(self._smaller(before))
        return functional.relu(found + before)

    def _smaller(self, channels: Tensor) -> Tensor:
        return functional.avg_pool2d(channels, self.shrinks) if self.shrinks > 1 else channels


class AttentionPool(nn.Module):
    """
    Places [N, width, S, S] → vectors [N, dim]: the mean of all places asks, all places answer.

    Args:
        places: S × S.
    """

    def __init__(self, places: int, width: int, dim: int, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.positional_embedding = nn.Parameter(torch.zeros(places + 1, width))
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, dim)

    def forward(self, channels: Tensor) -> Tensor:
        """Pool pictures."""
        places = channels.flatten(2).transpose(1, 2)
        places = torch.cat([places.mean(1, keepdim=True), places], dim=1)
        places = places + self.positional_embedding
        pooled = functional.scaled_dot_product_attention(
            self._heads(self.q_proj(places[:, :1])),
            self._heads(self.k_proj(places)),
            self._heads(self.v_proj(places)),
        )
        found: Tensor = self.c_proj(pooled.transpose(1, 2).flatten(1))
        return found

    def _heads(self, places: Tensor) -> Tensor:
        return places.view(*places.shape[:2], -1, self.head_width).transpose(1, 2)


def _convolution(
    before: int, after: int, *, size: int = 3, stride: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    convolution = nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(after)


def _stage(before: int, inner: int, blocks: int, *, shrinks: int) -> nn.Sequential:
    first = Bottleneck(before, inner, shrinks)
    rest = (Bottleneck(inner * _WIDER, inner, 1) for _ in range(1, blocks))
    return nn.Sequential(first, *rest)

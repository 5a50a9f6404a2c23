"""What a flow is made of: listening to words, attending over places, strokes on a grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HEARD = 6


class Listener(nn.Module):
    """States of words [N, 1 + L, width] → what learned questions find in them: [N, HEARD, to]."""

    def __init__(self, width: int, to: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.questions = nn.Parameter(torch.randn(HEARD, to))
        self.keys_values = nn.Linear(width, 2 * to)
        self.out = nn.Linear(to, to)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Listen; `mask` [N, L] is 0 at padding."""
        parts = self.keys_values(states).unflatten(-1, (2, self.heads, -1))
        keys, values = parts.permute(2, 0, 3, 1, 4)
        questions = self.questions.view(HEARD, self.heads, -1).transpose(0, 1)[None]
        blocked = functional.pad((1.0 - mask.to(keys.dtype)) * -1e4, (1, 0))[:, None, None]
        found = mixed(questions, keys, values, blocked)
        out: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return out


def mixed(queries: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None = None) -> Tensor:
    """Attend, spelled out: on a CPU, for so few tokens, quicker to learn by than the fused one."""
    scores = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
    if blocked is not None:
        scores = scores + blocked
    found: Tensor = scores.softmax(-1).to(values.dtype) @ values
    return found


class FlowLayer(nn.Module):
    """Attention and thought over all tokens, turned by what is told."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.own_turn = nn.Parameter(torch.zeros(6 * width))
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.thought = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(approximate="tanh"), nn.Linear(2 * width, width)
        )

    def forward(self, seen: Tensor, turns: Tensor) -> Tensor:
        """Mix [N, T, width]."""
        turned = added(turns, self.own_turn)[:, None].chunk(6, -1)
        attended = self._attend(torch.addcmul(turned[0], evened(seen), 1 + turned[1]))
        seen = torch.addcmul(seen, turned[2], attended)
        thought = self.thought(torch.addcmul(turned[3], evened(seen), 1 + turned[4]))
        return torch.addcmul(seen, turned[5], thought)

    def _attend(self, seen: Tensor) -> Tensor:
        width = seen.shape[-1]
        parts = self.queries_keys_values(seen).unflatten(-1, (3, self.heads, width // self.heads))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        out: Tensor = self.out(mixed(queries, keys, values).transpose(1, 2).flatten(2))
        return out


class Stroke(nn.Module):
    """A gated 3 × 3 convolution beside the identity, over [N, H, W, C], turned by what is told."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.turn = nn.Linear(width, 3 * channels)
        nn.init.zeros_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)
        reach = (9 * channels) ** -0.5
        # A matrix, because the optimiser of the inside moves matrices.
        self.kernel = nn.Parameter(torch.empty(2 * channels, 9 * channels))
        nn.init.uniform_(self.kernel, -reach, reach)
        self.bias = nn.Parameter(torch.zeros(2 * channels))
        self.out = nn.Linear(channels, channels)

    def forward(self, maps: Tensor, told: Tensor) -> Tensor:
        """Add to the maps; one half of what is found says how much of the other is shown."""
        shift, scale, gate = self.turn(told)[:, None, None].chunk(3, -1)
        turned = torch.addcmul(shift, evened(maps), 1 + scale)
        kernel = self.kernel.view(len(self.kernel), -1, 3, 3)
        found = functional.conv2d(turned.permute(0, 3, 1, 2), kernel, self.bias, padding=1)
        gated = functional.glu(found.permute(0, 2, 3, 1), -1)
        return torch.addcmul(maps, gate, self.out(gated))


class Strokes(nn.ModuleList):
    """Strokes one after the other."""

    def __init__(self, count: int, channels: int, width: int) -> None:
        super().__init__(Stroke(channels, width) for _ in range(count))

    def forward(self, maps: Tensor, told: Tensor) -> Tensor:
        """Add to the maps [N, H, W, C]."""
        for stroke in self:
            maps = stroke(maps, told)
        return maps


def gathered(maps: Tensor, by: int) -> Tensor:
    """[N, H, W, C] → [N, H / by, W / by, by · by · C]."""
    count, height, width, channels = maps.shape
    grid = maps.reshape(count, height // by, by, width // by, by, channels)
    return grid.transpose(2, 3).reshape(count, height // by, width // by, by * by * channels)


def scattered(maps: Tensor, by: int) -> Tensor:
    """[N, H, W, by · by · C] → [N, by · H, by · W, C]."""
    count, height, width, numbers = maps.shape
    grid = maps.reshape(count, height, width, by, by, numbers // by**2)
    return grid.transpose(2, 3).reshape(count, by * height, by * width, numbers // by**2)


def added(seen: Tensor, more: Tensor) -> Tensor:
    """Add weights in the precision of what is seen, for bfloat16 to stay that."""
    return seen + more.to(seen.dtype)


def evened(seen: Tensor) -> Tensor:
    """Give all numbers of a place zero mean and unit variance."""
    return functional.layer_norm(seen, seen.shape[-1:])

"""The dual encoder: a convolutional picture tower and a small transformer for words."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosslens.train.config import ModelConfig

FIRST_SCALE = 1 / 0.07
LARGEST_SCALE = 100.0


class DualEncoder(nn.Module):
    """
    Pictures and words → unit vectors of one space.

    Args:
        heads: attribute → how many values it has; the heads help training and are not exported.
    """

    def __init__(self, config: ModelConfig, *, heads: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.config = config
        self.picture = PictureTower(config)
        self.text = TextTower(config)
        self.log_scale = nn.Parameter(torch.tensor(FIRST_SCALE).log())
        self.heads = naming_heads(self.picture.features, heads or {})

    @property
    def scale(self) -> Tensor:
        """The learned inverse temperature, at most 100."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)


def naming_heads(width: int, sizes: Mapping[str, int]) -> nn.ModuleDict:
    """Make a linear layer per attribute, from features to as many logits as it has values."""
    # An attribute may be called as something that modules have, such as "type".
    return nn.ModuleDict({f"names {name}": nn.Linear(width, size) for name, size in sizes.items()})


class PictureTower(nn.Module):
    """
    Float32 [N, 3, picture_px, picture_px], normalised → unit vectors [N, dim].

    Plain convolutions behind a coarse first one: on a CPU with matrix units they train several
    times faster than depthwise ones, and fine first layers cost more than all the rest.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        a, b, c, d = config.picture_widths
        self.stages = nn.Sequential(
            Convolution(3, a, side=7, stride=4),
            Convolution(a, b, stride=2),
            Residual(b),
            Convolution(b, c, stride=2),
            Residual(c),
            Convolution(c, d, stride=2),
        )
        self.where = nn.Conv2d(d, config.spatial_width, 1)
        self.features = 2 * d + 4 * config.spatial_width
        self.to_vector = nn.Linear(self.features, config.dim)

    def describe(self, pictures: Tensor) -> Tensor:
        """
        Pool the last stage to [N, features]: its mean, its maximum, and a 2 × 2 grid.

        Takes pictures of any side that is a multiple of 32, from 64.
        """
        last = self.stages(pictures)  # [N, d, side, side]
        side = last.shape[-1]
        window = (side + 1) // 2  # of an odd side, the windows share the middle
        grid = functional.avg_pool2d(self.where(last), window, stride=side - window)
        return torch.cat([last.mean((2, 3)), last.amax((2, 3)), grid.flatten(1)], dim=1)

    def to_unit(self, features: Tensor) -> Tensor:
        """Turn what `describe` gives into unit vectors [N, dim]."""
        return unit(self.to_vector(features))

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode pictures."""
        return self.to_unit(self.describe(pictures))


class TextTower(nn.Module):
    """
    Token ids [N, L] and their mask (1 = token, 0 = padding) → unit vectors [N, dim].

    A pre-norm transformer; the vector is the mean over the tokens. Row 0 of the table is padding.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocabulary, config.token_width, padding_idx=0)
        self.widen = nn.Linear(config.token_width, config.text_width)
        self.places = nn.Parameter(0.02 * torch.randn(config.max_tokens, config.text_width))
        self.layers = nn.ModuleList(
            Layer(config.text_width, config.text_heads) for _ in range(config.text_layers)
        )
        self.norm = nn.LayerNorm(config.text_width)
        self.to_vector = nn.Linear(config.text_width, config.dim)
        with torch.no_grad():
            self.tokens.weight.mul_(0.1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode tokens."""
        return self.sum_up(self.read(input_ids, attention_mask), attention_mask)

    def read(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Give what each token says where it stands: [N, L, text_width]."""
        states = self.widen(self.tokens(input_ids)) + self.places[: input_ids.shape[1]]
        blocked = (1.0 - attention_mask[:, None, None, :].to(states.dtype)) * -1e4
        for layer in self.layers:
            states = layer(states, blocked)
        out: Tensor = self.norm(states)
        return out

    def sum_up(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Turn what `read` gives into unit vectors [N, dim]."""
        weights = attention_mask[..., None].to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        return unit(self.to_vector(mean))


class Layer(nn.Module):
    """One transformer layer, spelled out so that it exports the same everywhere."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.before_thought = nn.LayerNorm(width)
        self.thought = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, states: Tensor, blocked: Tensor) -> Tensor:
        """Mix [N, L, width]; `blocked` [N, 1, 1, L] is very negative at padding."""
        states = states + self._attend(self.before_attention(states), blocked)
        thought: Tensor = self.thought(self.before_thought(states))
        return states + thought

    def _attend(self, states: Tensor, blocked: Tensor) -> Tensor:
        width = states.shape[-1]
        parts = self.queries_keys_values(states).unflatten(-1, (3, self.heads, width // self.heads))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each [N, heads, L, width / heads]
        scores = queries @ keys.transpose(-1, -2) * (width // self.heads) ** -0.5 + blocked
        mixed = scores.softmax(-1) @ values
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class Convolution(nn.Sequential):
    """Side × side, normalised, rectified."""

    def __init__(self, inputs: int, outputs: int, *, side: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3 × 3 convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Convolution(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Refine [N, width, H, W]."""
        return functional.relu(maps + self.second(self.first(maps)))


def unit(vectors: Tensor) -> Tensor:
    """Scale rows [N, dim] to length 1, in float32."""
    return functional.normalize(vectors.float(), dim=-1)

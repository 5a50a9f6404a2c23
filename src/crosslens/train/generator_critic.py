"""
The critic of a generator: what a picture shows, and how it looks on the way to knowing that.

By the distance of codes alone, a flow learns what is large and lets go of a rim or a row of
buttons: little of a picture, and all that tells a plate from a cushion. So the picture that a flow
is heading for is also compared with the real one by what a network sees that has learned to name
products (perceptual loss: Johnson et al. 2016; compared as by Zhang et al. 2018). It is not part
of a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from crosslens.train.generator_codec import Codec, to_values
from crosslens.train.generator_config import CriticConfig
from crosslens.train.lessons import Verdict
from crosslens.train.losses import misnamed, name_attributes
from crosslens.train.model import naming_heads
from crosslens.train.rendered import RenderedSource
from crosslens.train.source import Pixels

GRID = 2  # pixels that the critic sees as one place
JUDGED = 256
_TINY = 1e-6


class Critic(nn.Module):
    """Pictures [N, H, W, 3] in [-1, 1] → what is seen on four grids, ever coarser ones."""

    def __init__(self, config: CriticConfig, heads: dict[str, int]) -> None:
        super().__init__()
        first, *others = config.widths
        self.begin = nn.Conv2d(3 * GRID**2, first, 3, padding=1)
        self.stages = nn.ModuleList(
            nn.Sequential(*_seen(before, after, stride=2), *_seen(after, after, stride=1))
            for before, after in zip(config.widths[:-1], others, strict=True)
        )
        self.heads = naming_heads(2 * others[-1], heads)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Look."""
        maps = functional.pixel_unshuffle(pictures.permute(0, 3, 1, 2), GRID)
        maps = functional.relu(self.begin(maps.contiguous(memory_format=torch.channels_last)))
        seen = [maps]
        for stage in self.stages:
            maps = stage(maps)
            seen.append(maps)
        return seen

    def named(self, last: Tensor) -> dict[str, Tensor]:
        """Give per attribute the logits [N, values] of what is seen on the last grid."""
        pooled = torch.cat([last.mean((2, 3)), last.amax((2, 3))], 1)
        return {name: head(pooled).float() for name, head in self.heads.items()}


def apart(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """
    Say how different pictures look: the squared distance of directions, mean over places and grids.

    Returns:
        [N], 0 to 4.
    """
    each = [
        (_direction(left) - _direction(right)).square().sum(1).mean((1, 2))
        for left, right in zip(found, wanted, strict=True)
    ]
    return torch.stack(each).mean(0)


def misled(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """
    Say how differently pictures are named: the divergence of what is said of each attribute.

    Args:
        found, wanted: attribute → logits [N, values]; the wanted ones are what is right.

    Returns:
        [N], in nats, mean over attributes; 0 or more.
    """
    each = [
        functional.kl_div(
            logits.log_softmax(1), wanted[name].log_softmax(1), reduction="none", log_target=True
        ).sum(1)
        for name, logits in found.items()
    ]
    return torch.stack(each).mean(0)


def _direction(maps: Tensor) -> Tensor:
    values = maps.float()
    return values * (values.square().sum(1, keepdim=True) + _TINY).rsqrt()


def _seen(before: int, after: int, *, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.ReLU()


@dataclass(frozen=True, slots=True)
class Looks:
    """
    Pictures in [-1, 1], the disturbance of their codes, and the codes of their attributes.

    Attributes:
        pictures: [N, H, W, 3].
        noise: [N, places, components], in standard deviations of the codes.
        codes: int64 [N, attributes].
    """

    pictures: Tensor
    noise: Tensor
    codes: Tensor

    def to(self, device: str) -> Looks:
        """Copy to a device."""
        return Looks(self.pictures.to(device), self.noise.to(device), self.codes.to(device))


class CriticLesson:
    """Teaches a critic to name what pictures show, disturbed as those of a flow are; a `Lesson`."""

    def __init__(self, source: RenderedSource, codec: Codec, config: CriticConfig) -> None:
        self._source = source
        self._codec = codec.to(config.device)
        self._config = config

    def make(self, step: int) -> Looks:
        """Draw the pictures of one step, each moved a little."""
        config, shelf = self._config, self._source.shelf
        rng = np.random.default_rng([config.seed, step])
        rows = rng.choice(shelf.training, config.batch)
        moves = rng.integers(-config.moved, config.moved + 1, (config.batch, 2))
        pictures = [
            _moved(each, *(int(by) for by in move))
            for each, move in zip(self._source.portraits(rows), moves, strict=True)
        ]
        shape = (config.batch, *self._codec.spread.shape)
        amount = config.noise * rng.random((config.batch, 1, 1), np.float32)
        noise = torch.from_numpy(amount * rng.standard_normal(shape, np.float32))
        codes = torch.from_numpy(shelf.codes[rows, : shelf.heads].astype(np.int64))
        return Looks(to_values(np.stack(pictures)), noise, codes)

    def measure(self, model: Critic, batch: Looks) -> dict[str, Tensor]:
        """Compare the names that it gives with those that are right."""
        return {
            "loss": name_attributes(self._names(model, batch.pictures, batch.noise), batch.codes)
        }

    def judge(self, model: Critic, step: int) -> Verdict:
        """Measure the share of names that are right on held-out products, which is the score."""
        shelf = self._source.shelf
        rows = shelf.validation[:JUDGED]
        codes = torch.from_numpy(shelf.codes[rows, : shelf.heads].astype(np.int64))
        values = to_values(self._source.portraits(rows)).to(self._config.device)
        wrong = misnamed(self._names(model, values, None), codes.to(self._config.device))
        return Verdict(1 - wrong, {"misnamed": wrong})

    def _names(self, model: Critic, pictures: Tensor, noise: Tensor | None) -> dict[str, Tensor]:
        with torch.no_grad(), torch.autocast(pictures.device.type, enabled=False):
            codes = self._codec.encode(pictures)
            if noise is not None:
                codes = codes + noise * self._codec.spread
            shown = self._codec.plain(codes)
        return model.named(model(shown)[-1])


def _moved(picture: Pixels, down: int, right: int) -> Pixels:
    """Move a picture; what would be bare is filled with its edge."""
    edge = max(abs(down), abs(right))
    wide = np.pad(picture, ((edge, edge), (edge, edge), (0, 0)), mode="edge")
    side = len(picture)
    top, left = edge - down, edge - right
    return wide[top : top + side, left : left + side]

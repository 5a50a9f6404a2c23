"""
What a flow has drawn by itself, part of the way: what it has to go on from when it draws.

On the way from noise to a real picture a flow sees ever more of that picture, and need only keep
it. On the way that it goes by itself, what it did not draw early is not there later, and it was
never shown how to add it: a shirt stays without buttons (exposure bias: Ning et al. 2024). So some
of what it learns from is where it has come by itself, and the picture that its title speaks of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.train.generator_flow import Generator, travel
from crosslens.train.tokens import encode

FEWEST, MOST = 3, 6  # steps of the whole way
COLDEST, STRICTEST = 0.5, 2.0  # the least noise to begin with, and the most guidance
GUIDED = 0.5
SHOWN_STEPS, SHOWN_GUIDANCE, SHOWN_NOISE = 10, 1.5, 0.6


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """
    How some pictures are drawn part of the way.

    Attributes:
        steps: of the whole way.
        temperature: size of the noise that they begin with.
        guidance: away from the empty title, on the first half of the way.
        stops: int64 [N], the step after which each is left, 1 to `steps` - 1.
        ids, mask: [1, L], of the empty title.
    """

    steps: int
    temperature: float
    guidance: float
    stops: Tensor
    ids: Tensor
    mask: Tensor

    @classmethod
    def cast(cls, count: int, ids: Tensor, mask: Tensor, rng: np.random.Generator) -> Rehearsal:
        """Choose how `count` pictures are drawn."""
        steps = int(rng.integers(FEWEST, MOST + 1))
        return cls(
            steps=steps,
            temperature=float(rng.uniform(COLDEST, 1.0)),
            guidance=float(rng.uniform(1.0, STRICTEST)),
            stops=torch.from_numpy(rng.integers(1, steps, count)),
            ids=ids,
            mask=mask,
        )

    @property
    def times(self) -> Tensor:
        """Say how far each has come: [N]."""
        return self.stops.float() / self.steps

    def to(self, device: str) -> Rehearsal:
        """Copy to a device."""
        moved = {name: getattr(self, name).to(device) for name in ("stops", "ids", "mask")}
        return replace(self, **moved)


@torch.no_grad()
def drawn_so_far(
    model: Generator,
    rehearsal: Rehearsal,
    noise: Tensor,
    states: Tensor,
    mask: Tensor,
    pose: Tensor,
) -> Tensor:
    """
    Draw each picture until it is left, and give what it is by then.

    Args:
        noise: [N, places, components].
        states, mask, pose: of the N titles.
    """
    count = len(noise)
    silence = model.reader(rehearsal.ids, rehearsal.mask).to(states.dtype)
    way = travel(
        model.flow,
        rehearsal.temperature * noise,
        torch.cat([states, silence.expand(count, -1, -1)]),
        torch.cat([mask, rehearsal.mask.expand(count, -1)]),
        pose,
        steps=rehearsal.steps,
        guidance=rehearsal.guidance,
        guided=GUIDED,
    )
    found = noise
    for step in range(1, int(rehearsal.stops.max()) + 1):
        found = torch.where((rehearsal.stops >= step)[:, None, None], next(way), found)
    return found


@torch.no_grad()
def drawn(
    model: Generator, tokenizer: Tokenizer, titles: Sequence[str], noise: Tensor, pose: Tensor
) -> Tensor:
    """Draw titles all the way, in codes, from noise [N, places, components] in poses [N]."""
    both = [*titles, *[""] * len(titles)]
    ids, mask = (torch.from_numpy(each).to(noise.device) for each in encode(tokenizer, both))
    *_, codes = travel(
        model.flow, SHOWN_NOISE * noise, model.reader(ids, mask), mask, pose,
        steps=SHOWN_STEPS, guidance=SHOWN_GUIDANCE, guided=GUIDED,
    )  # fmt: skip
    return codes

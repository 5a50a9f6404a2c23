"""
The flow of a generator: words → codes, by following a velocity from noise (rectified flow).

A network sees the codes of a picture on three grids, the finest of 4 × 4 pixels: convolutions on
the fine ones, where a pattern meets an outline; attention on the coarse one, beside what a few
learned questions found in the words. Time, pose and words scale and shift what every layer sees
(Peebles & Xie 2023). What it puts out is completed by the best linear guess for each component at
each place (after Karras et al. 2022), so that it learns only what words, pose and neighbours say.
The pose is given because words do not say it: a flow that has to guess it draws the mean of all
poses, which is a blur.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosslens.train.config import ModelConfig, require
from crosslens.train.generator_codec import Codec
from crosslens.train.generator_config import FINE, MIDDLE, FlowConfig
from crosslens.train.generator_parts import (
    HEARD,
    FlowLayer,
    Listener,
    Strokes,
    added,
    evened,
    gathered,
    scattered,
)
from crosslens.train.model import TextTower, naming_heads

WAVES = 64


class Reader(TextTower):
    """
    Token ids [N, L] and mask → states [N, 1 + L, text_width]; the first sums up all.

    Raises:
        InvalidRequest: the sum is not as wide as the states.
    """

    def __init__(self, config: ModelConfig) -> None:
        require(
            config.dim == config.text_width, "dim", config.dim, f"text_width, {config.text_width}"
        )
        super().__init__(config)
        self.width = config.text_width

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read."""
        states = self.read(input_ids, attention_mask)
        return torch.cat(
            [self.sum_up(states, attention_mask)[:, None] * self.width**0.5, states], 1
        )


class Flow(nn.Module):
    """
    Codes at a time between noise (0) and picture (1), and read words → their velocity.

    Attributes:
        spread, variance: [places, components], the standard deviation of codes, and its square.
        weight: [places, components], how much an error shows in a picture.
    """

    spread: Tensor
    variance: Tensor
    weight: Tensor

    def __init__(self, config: FlowConfig, codec: Codec, reader: Reader) -> None:
        super().__init__()
        fine, middle, width = config.fine, config.middle, config.width
        places, components = codec.spread.shape
        self.register_buffer("spread", codec.spread.clone())
        # Kept, for a graph to store it rounded as here, and not the square of what was rounded.
        self.register_buffer("variance", codec.spread.square(), persistent=False)
        shown = codec.spread * codec.scale
        self.register_buffer("weight", shown / shown.mean())
        self.side = round(places**0.5)
        self.poses = nn.Parameter(0.02 * torch.randn(config.poses, width))
        self.places = nn.ParameterList(
            0.02 * torch.randn(config.poses, self.side * by, self.side * by, channels)
            for by, channels in ((FINE, fine), (MIDDLE, middle), (1, width))
        )
        self.listen = Listener(reader.width, width, heads=config.heads)
        self.from_time = nn.Sequential(
            nn.Linear(2 * WAVES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.from_sum = nn.Linear(reader.width, width)
        self.from_heard = nn.Linear(HEARD * width, width)
        self.from_codes = nn.Linear(components, FINE**2 * fine)
        self.coarser = nn.ModuleList((nn.Linear(4 * fine, middle), nn.Linear(4 * middle, width)))
        self.finer = nn.ModuleList((nn.Linear(width, 4 * middle), nn.Linear(middle, 4 * fine)))
        self.down, self.up = (
            nn.ModuleList(Strokes(config.strokes, channels, width) for channels in order)
            for order in ((fine, middle), (middle, fine))
        )
        self.turn = nn.Linear(width, 6 * width)
        self.layers = nn.ModuleList(FlowLayer(width, config.heads) for _ in range(config.layers))
        self.last_turn = nn.Linear(width, 2 * fine)
        self.to_codes = nn.Linear(FINE**2 * fine, 2 * components)
        for last in (self.turn, self.last_turn, self.to_codes):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, codes: Tensor, time: Tensor, states: Tensor, mask: Tensor, pose: Tensor
    ) -> Tensor:
        """
        Give the velocity, in float32.

        Args:
            codes: [N, places, components].
            time: [N], 0 (noise) to 1 (picture).
            states: [N, 1 + L, text width], from a `Reader`.
            mask: [N, L], 1 = token, 0 = padding.
            pose: [N], numbers of poses.
        """
        linear, amount, shrunk = self.guess(codes, time)
        learned = self.learned(shrunk, time, states, mask, pose)
        return linear + amount * learned

    def guess(self, codes: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the best linear velocity, how uncertain it is, and codes of even size."""
        t = time[:, None, None]
        whole = t.square() * self.variance + (1 - t).square()
        linear = (t * self.variance - (1 - t)) / whole * codes
        return linear, self.spread * whole.rsqrt(), codes * whole.rsqrt()

    def learned(
        self, codes: Tensor, time: Tensor, states: Tensor, mask: Tensor, pose: Tensor
    ) -> Tensor:
        """
        Give what the linear guess misses, in its uncertainties.

        One part is what is shown, the other how much of each code is kept: noise that has to go
        need not be carried through all layers as it came.
        """
        heard = self.listen(states, mask)
        told = functional.silu(
            self.from_time(_waves(time))
            + self.from_sum(states[:, 0])
            + self.from_heard(heard.flatten(1))
            + self.poses[pose]
        )
        fine, middle, coarse = self._looked(codes, told, pose)
        coarse = self._thought(coarse, heard, told)
        middle = self.up[0](middle + scattered(self.finer[0](coarse), 2), told)
        fine = self.up[1](fine + scattered(self.finer[1](middle), 2), told)
        shift, scale = self.last_turn(told)[:, None, None].chunk(2, -1)
        fine = torch.addcmul(shift, evened(fine), 1 + scale)
        found = self.to_codes(gathered(fine, FINE)).flatten(1, 2).float()
        shown, kept = found.chunk(2, -1)
        velocity: Tensor = shown + kept * codes
        return velocity

    def _looked(self, codes: Tensor, told: Tensor, pose: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the codes on a fine, a middle and a coarse grid."""
        grid = codes.view(-1, self.side, self.side, codes.shape[-1])
        fine = added(scattered(self.from_codes(grid), FINE), self._placed(0, pose))
        fine = self.down[0](fine, told)
        middle = added(self.coarser[0](gathered(fine, 2)), self._placed(1, pose))
        middle = self.down[1](middle, told)
        coarse = added(self.coarser[1](gathered(middle, 2)), self._placed(2, pose))
        return fine, middle, coarse

    def _thought(self, coarse: Tensor, heard: Tensor, told: Tensor) -> Tensor:
        """Let places of the coarse grid see each other and the words."""
        seen = torch.cat([coarse.flatten(1, 2), heard], 1)
        turns = self.turn(told)
        for layer in self.layers:
            seen = layer(seen, turns)
        return seen[:, : self.side**2].reshape(coarse.shape)

    def _placed(self, level: int, pose: Tensor) -> Tensor:
        """Give what is learned of each place in a pose; by a product, whose gradient is quick."""
        table = self.places[level]
        chosen = (pose[:, None] == torch.arange(len(table), device=pose.device)).to(table.dtype)
        found: Tensor = (chosen @ table.flatten(1)).view(-1, *table.shape[1:])
        return found


class Generator(nn.Module):
    """
    A reader, and the flow that goes by what it reads.

    Args:
        heads: attribute → how many values it has. To name them is how reader and listener learn
            what belongs together: pictures alone teach slowly which of two colours is the ground.
            Heads are not exported; without any, the reader stays as it is.
    """

    def __init__(
        self, config: FlowConfig, codec: Codec, reader: Reader, *, heads: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.reader = reader.requires_grad_(bool(heads))
        self.flow = Flow(config, codec, reader)
        self.heads = naming_heads(HEARD * config.width, heads)

    def named(self, states: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Give per attribute the logits [N, values] of what the words say."""
        heard = self.flow.listen(states, mask).flatten(1)
        return {name: head(heard).float() for name, head in self.heads.items()}


def travel(  # noqa: PLR0913 - all that decides a drawing
    flow: Flow,
    noise: Tensor,
    states: Tensor,
    mask: Tensor,
    pose: Tensor,
    *,
    steps: int,
    guidance: float,
    guided: float = 1.0,
) -> Iterator[Tensor]:
    """
    Go from noise to codes in straight steps, away from what the second half of the words says.

    Args:
        noise: [N, places, components].
        states, mask: of 2 N texts: the wanted ones, then what they are to be unlike.
        pose: [N].
        guidance: 1 follows the words alone.
        guided: share of the way on which guidance counts; later, the words alone are followed.

    Yields:
        The codes after each step.
    """
    codes, twice = noise, torch.cat([pose, pose])
    for step in range(steps):
        texts = len(noise) * (2 if step / steps < guided else 1)
        time = torch.full((texts,), step / steps, device=noise.device)
        found = flow(
            torch.cat([codes, codes])[:texts], time, states[:texts], mask[:texts], twice[:texts]
        )
        wanted, other = found[: len(noise)], found[-len(noise) :]
        codes = codes + (other + guidance * (wanted - other)) / steps
        yield codes


def _waves(time: Tensor) -> Tensor:
    """Spell times in [0, 1] as sines and cosines: [N, 2 · WAVES]."""
    rates = torch.exp(torch.linspace(0.0, 6.9, WAVES, device=time.device))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)

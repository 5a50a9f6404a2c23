"""
The flow of a generator: words → codes, by following a velocity from noise (rectified flow).

A transformer sees the codes of a picture beside what a few learned questions found in the words,
and is told time and pose by scaling and shifting what its layers see (Peebles & Xie 2023). What it
puts out is completed by the best linear guess for each component at each place (after Karras et al.
2022), so that it learns only what words, pose and neighbours say. The pose is given because words
do not say it: a flow that has to guess it draws the mean of all poses, which is a blur.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosslens.train.config import ModelConfig, require
from crosslens.train.generator_codec import Codec
from crosslens.train.generator_config import FlowConfig
from crosslens.train.model import TextTower

WAVES = 64
HEARD = 6


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
        width = config.width
        places, components = codec.spread.shape
        self.register_buffer("spread", codec.spread.clone())
        # Kept, for a graph to store it rounded as here, and not the square of what was rounded.
        self.register_buffer("variance", codec.spread.square(), persistent=False)
        shown = codec.spread * codec.scale
        self.register_buffer("weight", shown / shown.mean())
        self.fold = Fold(round(places**0.5), config.fold)
        self.places = nn.Parameter(
            0.02 * torch.randn(config.poses, places // config.fold**2, width)
        )
        self.poses = nn.Parameter(0.02 * torch.randn(config.poses, width))
        self.from_codes = nn.Linear(components * config.fold**2, width)
        self.listen = Listener(reader.width, width, heads=config.heads)
        self.from_time = nn.Sequential(
            nn.Linear(2 * WAVES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.from_sum = nn.Linear(reader.width, width)
        self.turn = nn.Linear(width, 6 * width)
        self.layers = nn.ModuleList(FlowLayer(width, config.heads) for _ in range(config.layers))
        self.last_turn = nn.Linear(width, 2 * width)
        self.to_codes = nn.Linear(width, 2 * components * config.fold**2)
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

        One part is what is shown, the other how much of each code is kept: a token has more codes
        than width, so that noise that has to go could not be written out as it came.
        """
        told = functional.silu(
            self.from_time(_waves(time)) + self.from_sum(states[:, 0]) + self.poses[pose]
        )
        heard = self.listen(states, mask)
        folded = _add(self.from_codes(self.fold(codes)), self.places[pose])
        seen = torch.cat([folded, heard], 1)
        turns = self.turn(told)
        for layer in self.layers:
            seen = layer(seen, turns)
        shift, scale = self.last_turn(told)[:, None].chunk(2, -1)
        seen = torch.addcmul(shift, _even(seen[:, : folded.shape[1]]), 1 + scale)
        shown, kept = self.to_codes(seen).float().chunk(2, -1)
        return self.fold.undo(shown) + self.fold.undo(kept) * codes


class Fold:
    """Square groups of codes seen as one: [N, places, components] ↔ [N, groups, their numbers]."""

    def __init__(self, side: int, by: int) -> None:
        self._side, self._by = side // by, by

    def __call__(self, codes: Tensor) -> Tensor:
        """Fold."""
        count, _, numbers = codes.shape
        grid = codes.reshape(count, self._side, self._by, self._side, self._by, numbers)
        return grid.transpose(2, 3).reshape(count, self._side**2, self._by**2 * numbers)

    def undo(self, groups: Tensor) -> Tensor:
        """Unfold."""
        count, places, numbers = groups.shape
        grid = groups.reshape(count, self._side, self._side, self._by, self._by, -1)
        each = numbers // self._by**2
        return grid.transpose(2, 3).reshape(count, places * self._by**2, each)


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
        turned = _add(turns, self.own_turn)[:, None].chunk(6, -1)
        attended = self._attend(torch.addcmul(turned[0], _even(seen), 1 + turned[1]))
        seen = torch.addcmul(seen, turned[2], attended)
        thought = self.thought(torch.addcmul(turned[3], _even(seen), 1 + turned[4]))
        return torch.addcmul(seen, turned[5], thought)

    def _attend(self, seen: Tensor) -> Tensor:
        width = seen.shape[-1]
        parts = self.queries_keys_values(seen).unflatten(-1, (3, self.heads, width // self.heads))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        out: Tensor = self.out(mixed(queries, keys, values).transpose(1, 2).flatten(2))
        return out


class Generator(nn.Module):
    """A reader, which stays as it is, and the flow that goes by what it reads."""

    def __init__(self, config: FlowConfig, codec: Codec, reader: Reader) -> None:
        super().__init__()
        self.reader = reader.requires_grad_(False)
        self.flow = Flow(config, codec, reader)


def follow(  # noqa: PLR0913 - all that decides a drawing
    flow: Flow,
    noise: Tensor,
    states: Tensor,
    mask: Tensor,
    pose: Tensor,
    *,
    steps: int,
    guidance: float,
) -> Tensor:
    """
    Go from noise to codes in straight steps, away from what the second half of the words says.

    Args:
        noise: [N, places, components].
        states, mask: of 2 N texts: the wanted ones, then what they are to be unlike.
        pose: [N].
        guidance: 1 follows the words alone.
    """
    codes, twice = noise, torch.cat([pose, pose])
    for step in range(steps):
        time = torch.full((2 * len(noise),), step / steps, device=noise.device)
        wanted, other = flow(torch.cat([codes, codes]), time, states, mask, twice).chunk(2)
        codes = codes + (other + guidance * (wanted - other)) / steps
    return codes


def _add(seen: Tensor, more: Tensor) -> Tensor:
    """Add weights in the precision of what is seen, for bfloat16 to stay that."""
    return seen + more.to(seen.dtype)


def _even(seen: Tensor) -> Tensor:
    return functional.layer_norm(seen, seen.shape[-1:])


def _waves(time: Tensor) -> Tensor:
    """Spell times in [0, 1] as sines and cosines: [N, 2 · WAVES]."""
    rates = torch.exp(torch.linspace(0.0, 6.9, WAVES, device=time.device))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)

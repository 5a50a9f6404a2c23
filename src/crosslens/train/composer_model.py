"""Composers: a picture and words → the vector of the picture that is wished for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosslens.train.composer_config import Method, Reader, Shape
from crosslens.train.model import Convolution, Layer, Residual, unit

LARGEST_SCALE = 100.0
GATE_FIRST, ADDED_FIRST = 1.0, 10.0  # of TIRG, as published
OPEN = 2.0  # a gate that is open before anything is learned
WHERE = 6  # numbers that say where a place is


@dataclass(frozen=True, slots=True)
class Said:
    """
    Words.

    Attributes:
        states: one per token, [N, L, width]; `mask` [N, L] is 1 where there is one.
        vector: one for all, [N, dim].
        spoken: the bundle's own, [N, dim], or [N, 0] over pixels.
    """

    states: Tensor
    mask: Tensor
    vector: Tensor
    spoken: Tensor


class Composer(nn.Module):
    """
    Towers, and a way to compose.

    Over pixels, pictures are float32 [N, 3, H, W]; over vectors [N, dim] of a frozen bundle, and
    words come with the vector that the bundle gives them.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.words = Words(shape)
        self.eyes: nn.Module = nn.Identity() if shape.over_vectors else Eyes(shape)
        self.head: nn.Module = nn.Identity() if shape.over_vectors else Head(shape)
        self.blend: nn.Module = _BLENDS[shape.method](shape)
        self.log_scale = nn.Parameter(torch.tensor(shape.scale).log())

    @property
    def scale(self) -> Tensor:
        """The learned inverse temperature, at most 100."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def see(self, pictures: Tensor) -> Tensor:
        """Make of pictures what is composed: maps [N, channels, h, w], or the vectors as given."""
        seen: Tensor = self.eyes(pictures)
        return seen

    def place(self, seen: Tensor) -> Tensor:
        """Turn what was seen into unit vectors [N, dim], by which pictures are found."""
        return unit(self.head(seen))

    def compose(self, seen: Tensor, ids: Tensor, mask: Tensor, spoken: Tensor) -> Tensor:
        """Change what was seen by words: unit vectors [N, dim]."""
        if self.training and self.shape.noise:
            seen = seen + self.shape.noise * seen.detach().std() * torch.randn_like(seen)
        said = self.words(ids, mask, spoken)
        vector = unit(self.blend(seen, said, self.head))
        if self.training or not self.shape.plain:
            return vector
        return unit(self.shape.plain * unit(seen + spoken) + (1 - self.shape.plain) * vector)

    def forward(self, picture: Tensor, words: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Compose over vectors, as the exported graph does."""
        return self.compose(picture, ids, mask, words)


class Eyes(nn.Module):
    """Pictures [N, 3, H, W] → maps [N, channels, H / 8, W / 8], plain convolutions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        a, b, c = shape.widths
        self.stages = nn.Sequential(
            Convolution(3, a, side=7, stride=4), *_residuals(a, shape.depth),
            Convolution(a, b, stride=2), *_residuals(b, shape.depth), Convolution(b, c),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        """See."""
        maps: Tensor = self.stages(pictures)
        return maps


class Head(nn.Module):
    """Maps → vectors [N, dim] that still know what is where; a mean over all would forget."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        rows, columns = shape.grid
        self.grid = (rows, columns)
        self.narrow = nn.Conv2d(shape.widths[-1], shape.widths[-1] // 2, 1)
        self.to_vector = nn.Linear(shape.widths[-1] // 2 * rows * columns, shape.dim)

    def forward(self, maps: Tensor) -> Tensor:
        """Pool."""
        vector: Tensor = self.to_vector(
            functional.adaptive_avg_pool2d(self.narrow(maps), self.grid).flatten(1)
        )
        return vector


class Words(nn.Module):
    """Token ids, their mask, and the bundle's vector of the words where there is one."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.vocabulary, shape.token_width, padding_idx=0)
        self.widen = nn.Linear(shape.token_width, shape.width)
        self.places = nn.Parameter(0.02 * torch.randn(shape.max_tokens, shape.width))
        self.reader: Attention | Lstm = _READERS[shape.reader](shape)
        self.norm = nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        self.to_vector = nn.Linear(shape.width, shape.dim)
        self.from_bundle = nn.Linear(shape.dim, shape.width) if shape.over_vectors else None
        with torch.no_grad():
            self.tokens.weight.mul_(0.1)

    def forward(self, ids: Tensor, mask: Tensor, spoken: Tensor) -> Said:
        """Read; the bundle's vector becomes one more token."""
        states = self.widen(self.tokens(ids)) + self.places[: ids.shape[1]]
        if self.from_bundle is not None:
            states = torch.cat([self.from_bundle(spoken)[:, None], states], 1)
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        states = self.dropout(self.norm(self.reader(states, mask)))
        return Said(states, mask, self.to_vector(self.reader.sum_up(states, mask)), spoken)


class Attention(nn.Module):
    """Every token looks at every other; the whole is their mean."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(shape.width, shape.heads) for _ in range(shape.word_layers)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Read tokens [N, L, width]."""
        blocked = (1.0 - mask[:, None, None, :].to(states.dtype)) * -1e4
        for layer in self.layers:
            states = layer(states, blocked)
        return states

    def sum_up(self, states: Tensor, mask: Tensor) -> Tensor:
        """Average what was read: [N, width]."""
        weights = mask[..., None].to(states.dtype)
        mean: Tensor = (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        return mean


class Lstm(nn.Module):
    """Tokens are read one after the other, as in the reference; the whole is the last state."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.cells = nn.LSTM(shape.width, shape.width, shape.word_layers, batch_first=True)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Read tokens [N, L, width]; those that the mask leaves out say nothing."""
        read: Tensor = self.cells(states * mask[..., None].to(states.dtype))[0]
        return read

    def sum_up(self, states: Tensor, mask: Tensor) -> Tensor:
        """Take the state after the last token: [N, width]."""
        places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        last = (mask * places).argmax(1)
        return states[torch.arange(len(states), device=states.device), last]


_READERS: dict[Reader, type[Attention | Lstm]] = {
    Reader.ATTENTION: Attention,
    Reader.LSTM: Lstm,
}


class ImageOnly(nn.Module):
    """The picture as it is."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Ignore the words."""
        vector: Tensor = head(seen)
        return vector


class TextOnly(nn.Module):
    """The words alone."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Ignore the picture."""
        return said.vector


class Concat(nn.Module):
    """Both vectors, mixed by two layers."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        both = 2 * shape.dim
        self.mix = nn.Sequential(
            nn.BatchNorm1d(both), nn.ReLU(), nn.Linear(both, both),
            nn.BatchNorm1d(both), nn.ReLU(), nn.Dropout(shape.dropout), nn.Linear(both, shape.dim),
        )  # fmt: skip

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Mix."""
        vector: Tensor = self.mix(torch.cat([head(seen), said.vector], 1))
        return vector


class Tirg(nn.Module):
    """Gate the picture's vector and add to it (Vo et al. 2019, arXiv 1812.07119)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        both = 2 * shape.dim
        self.gate = nn.Sequential(nn.BatchNorm1d(both), nn.ReLU(), nn.Linear(both, shape.dim))
        self.add = nn.Sequential(
            nn.BatchNorm1d(both), nn.ReLU(), nn.Linear(both, both), nn.ReLU(),
            nn.Linear(both, shape.dim),
        )  # fmt: skip
        self.shares = nn.Parameter(torch.tensor([GATE_FIRST, ADDED_FIRST]))

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Gate and add."""
        picture = head(seen)
        both = torch.cat([picture, said.vector], 1)
        kept = self.shares[0] * self.gate(both).sigmoid() * picture
        changed: Tensor = kept + self.shares[1] * self.add(both)
        return changed


class TirgLastConv(nn.Module):
    """The same, place by place of the last map."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels = shape.widths[-1]
        self.gate = _two_convolutions(channels + shape.dim, channels)
        self.add = _two_convolutions(channels + shape.dim, channels)
        self.shares = nn.Parameter(torch.tensor([GATE_FIRST, ADDED_FIRST]))

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Gate and add everywhere, then pool."""
        everywhere = said.vector[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        both = torch.cat([seen, everywhere.to(seen.dtype)], 1)
        maps = self.shares[0] * self.gate(both).sigmoid() * seen + self.shares[1] * self.add(both)
        vector: Tensor = head(maps)
        return vector


class TokensOverMaps(nn.Module):
    """
    Each place looks at each word and is changed by what it finds; then gate and add.

    It starts as the picture left as it is, so that the first thing learned is not a way back.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels = shape.widths[-1]
        self.changes = nn.ModuleList(Change(channels, shape) for _ in range(shape.layers))
        self.gate = nn.Conv2d(channels, channels, 1)
        self.add = nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            self.add.weight.mul_(0.1)
            self.gate.weight.mul_(0.1)

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Find what is named, and change it there."""
        maps, where = seen, coordinates(seen)
        for change in self.changes:
            maps = change(maps, where, said)
        vector: Tensor = head((self.gate(maps) + OPEN).sigmoid() * seen + self.add(maps))
        return vector


class Change(nn.Module):
    """
    A residual block whose channels words turn up and down, everywhere and place by place.

    By the whole wish as in FiLM (Perez et al. 2018), and by the words that a place looks at.
    """

    def __init__(self, channels: int, shape: Shape) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.look = Look(channels, shape)
        self.near = nn.Conv2d(channels + WHERE, channels, 3, padding=1, bias=False)
        self.level = nn.BatchNorm2d(channels)
        self.everywhere = nn.Linear(shape.dim, 2 * channels)
        self.here = nn.Conv2d(shape.width, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            self.here.weight.mul_(0.1)
            self.everywhere.weight.mul_(0.1)
            self.out.weight.mul_(0.1)

    def forward(self, maps: Tensor, where: Tensor, said: Said) -> Tensor:
        """Change maps [N, channels, h, w]."""
        own = self.norm(maps)
        told = self.here(self.look(own, where, said))
        told = told + self.everywhere(said.vector)[:, :, None, None]
        gain, shift = told.chunk(2, 1)
        near = self.level(self.near(torch.cat([own, where.to(own.dtype)], 1)))
        changed: Tensor = maps + self.out(torch.relu(near * (1 + gain) + shift))
        return changed


class Look(nn.Module):
    """Cross-attention: places [N, channels, h, w] ask, word tokens answer [N, width, h, w]."""

    def __init__(self, channels: int, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.asks = nn.Conv2d(channels + WHERE, shape.width, 1)
        self.answers = nn.Linear(shape.width, 2 * shape.width)

    def forward(self, maps: Tensor, where: Tensor, said: Said) -> Tensor:
        """Let the places look."""
        height, width = maps.shape[2:]
        asked = self.asks(torch.cat([maps, where.to(maps.dtype)], 1)).flatten(2)
        asked = asked.unflatten(1, (self.heads, -1))  # [N, heads, width / heads, places]
        keys, values = self.answers(said.states).chunk(2, -1)  # [N, L, width] each
        keys, values = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (keys, values)
        )
        scores = keys @ asked * asked.shape[2] ** -0.5  # [N, heads, L, places]
        scores = scores + (1.0 - said.mask[:, None, :, None].to(scores.dtype)) * -1e4
        told: Tensor = values.transpose(-1, -2) @ scores.softmax(2)
        return told.reshape(len(maps), -1, height, width)


def coordinates(maps: Tensor) -> Tensor:
    """Say where each place is: [N, WHERE, h, w], waves along both edges."""
    count, _, height, width = maps.shape
    down = torch.linspace(-1, 1, height, device=maps.device)[:, None].expand(height, width)
    across = torch.linspace(-1, 1, width, device=maps.device)[None].expand(height, width)
    edges = torch.stack([down, across])
    waves = [edges, (torch.pi * edges).sin(), (torch.pi * edges).cos()]
    return torch.cat(waves)[None].expand(count, -1, -1, -1)


class TokensOverVectors(nn.Module):
    """
    A vector unfolded into tokens, and word tokens, in one transformer; then gate and add.

    What the bundle says of the words is added as it is, by a learned share: words that were never
    trained on still lead somewhere.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.count, width = shape.picture_tokens, shape.width
        self.unfold = nn.Linear(shape.dim, self.count * width)
        self.kinds = nn.Parameter(0.02 * torch.randn(self.count, width))
        self.layers = nn.ModuleList(Layer(width, shape.heads) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(self.count * width)
        self.gate = nn.Linear(self.count * width, shape.dim)
        self.add = nn.Linear(self.count * width, shape.dim)
        self.dropout = nn.Dropout(shape.dropout)
        self.share = nn.Parameter(torch.tensor(1.0))
        with torch.no_grad():  # it starts as the sum of both
            self.add.weight.mul_(0.1)
            self.gate.bias.fill_(OPEN)

    def forward(self, seen: Tensor, said: Said, head: nn.Module) -> Tensor:
        """Mix tokens, and change the vector by what became of its own."""
        own = self.unfold(seen).unflatten(-1, (self.count, -1)) + self.kinds
        states = torch.cat([own, said.states], 1)
        mask = torch.cat([torch.ones_like(said.mask[:, :1]).expand(-1, self.count), said.mask], 1)
        blocked = (1.0 - mask[:, None, None, :].to(states.dtype)) * -1e4
        for layer in self.layers:
            states = layer(states, blocked)
        found = self.dropout(self.norm(states[:, : self.count].flatten(1)))
        kept = self.gate(found).sigmoid() * seen + self.share * said.spoken
        changed: Tensor = kept + self.add(found)
        return changed


def _tokens(shape: Shape) -> nn.Module:
    return TokensOverVectors(shape) if shape.over_vectors else TokensOverMaps(shape)


def _residuals(width: int, count: int) -> list[nn.Module]:
    return [Residual(width) for _ in range(count)]


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1),
    )  # fmt: skip


_BLENDS = {
    Method.IMAGE_ONLY: ImageOnly,
    Method.TEXT_ONLY: TextOnly,
    Method.CONCAT: Concat,
    Method.TIRG: Tirg,
    Method.TIRG_LASTCONV: TirgLastConv,
    Method.TOKENS: _tokens,
}

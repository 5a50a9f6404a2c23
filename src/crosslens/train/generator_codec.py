"""
The codec of a generator: pictures ↔ codes.

Encoding is linear: the principal components of square patches, about the mean picture. So a flow
can be trained in the codes at once, and what they hold of the picture is known beforehand.
Decoding is the inverse, mended by a small convolutional network, which sees the seams.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from crosslens.train.generator_config import CodecConfig
from crosslens.train.lessons import Verdict
from crosslens.train.rendered import RenderedSource
from crosslens.train.source import Pixels, Rows

FITTED = 4_000  # pictures whose patches give the components
SHRUNK = 0.6  # the power of its spread by which a component is divided: larger ones stay larger
GRID = 4  # pixels that the mending network sees as one place
JUDGED = 256


class Codec(nn.Module):
    """
    Float32 [N, H, W, 3] in [-1, 1] ↔ codes [N, places, components].

    Attributes:
        mean: [places, patch values], the mean picture.
        basis: [components, patch values], orthonormal directions.
        scale: [components], by which a component is divided.
        spread: [places, components], the codes' standard deviation.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor
    spread: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        places, values = config.side**2, 3 * config.patch**2
        for name, shape in (
            ("mean", (places, values)), ("basis", (config.components, values)),
            ("scale", (config.components,)), ("spread", (places, config.components)),
        ):  # fmt: skip
            self.register_buffer(name, torch.ones(shape))
        grid = 3 * GRID**2
        self.widen = nn.Conv2d(grid, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(Mending(config.width) for _ in range(config.blocks))
        self.narrow = nn.Conv2d(config.width, grid, 3, padding=1)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias if self.narrow.bias is not None else torch.empty(0))

    def encode(self, pictures: Tensor) -> Tensor:
        """Turn pictures into codes."""
        patches = _cut(pictures, self.config.patch) - self.mean
        codes: Tensor = patches @ self.basis.T / self.scale
        return codes

    def plain(self, codes: Tensor) -> Tensor:
        """Decode without mending: [N, H, W, 3]."""
        patches = (codes * self.scale) @ self.basis + self.mean
        return _join(patches, self.config.side, self.config.patch)

    def forward(self, codes: Tensor) -> Tensor:
        """Decode."""
        plain = self.plain(codes).permute(0, 3, 1, 2)
        maps = self.widen(functional.pixel_unshuffle(plain, GRID))
        for block in self.blocks:
            maps = block(maps)
        mended = plain + functional.pixel_shuffle(self.narrow(functional.relu(maps)), GRID)
        return mended.permute(0, 2, 3, 1)


class Mending(nn.Module):
    """Two 3 × 3 convolutions beside the identity; no normalisation, so colours stay."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Refine [N, width, H, W]."""
        inner = functional.relu(self.first(functional.relu(maps)))
        out: Tensor = maps + self.second(inner)
        return out


def fit(codec: Codec, source: RenderedSource, *, seed: int) -> None:
    """Give a codec the mean and the principal components of a source's training pictures."""
    config = codec.config
    rng = np.random.default_rng([seed, 5])
    rows = source.shelf.training
    chosen = np.sort(rng.choice(rows, min(FITTED, len(rows)), replace=False))
    patches = _cut(to_values(source.portraits(chosen)), config.patch)
    mean = patches.mean(0)
    flat = (patches - mean).flatten(0, 1)
    _, vectors = torch.linalg.eigh((flat.T @ flat).double())
    basis = vectors.flip(1)[:, : config.components].T.float().contiguous()
    raw = (flat @ basis.T).view(len(chosen), -1, config.components)
    scale = raw.std((0, 1)).clamp(min=1e-3) ** SHRUNK
    scale = scale * (raw / scale).square().mean().sqrt()
    for name, value in (("mean", mean), ("basis", basis), ("scale", scale),
                        ("spread", (raw / scale).std(0).clamp(min=0.02))):  # fmt: skip
        getattr(codec, name).copy_(value)


def to_values(pixels: Pixels) -> Tensor:
    """Turn uint8 [N, H, W, 3] into float32 in [-1, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)).div_(127.5).sub_(1)


def to_pixels(values: Tensor) -> Pixels:
    """Turn float [N, H, W, 3] in [-1, 1] into uint8."""
    found = ((values.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
    return np.asarray(found, np.uint8)


def psnr(found: Tensor, wanted: Tensor) -> float:
    """Return the mean over pictures [N, H, W, 3] in [-1, 1] of their signal-to-noise, in dB."""
    error = (found.float().clamp(-1, 1) - wanted).square().mean((1, 2, 3)).clamp(min=1e-8)
    return float((10 * torch.log10(4 / error)).mean())


@dataclass(frozen=True, slots=True)
class Shots:
    """Pictures in [-1, 1] and the seed of their disturbance."""

    pictures: Tensor
    noise: Tensor

    def to(self, device: str) -> Shots:
        """Copy to a device."""
        return Shots(self.pictures.to(device), self.noise.to(device))


class CodecLesson:
    """Teaches a codec to mend; a `Lesson`."""

    def __init__(self, source: RenderedSource, config: CodecConfig) -> None:
        self._source = source
        self._config = config

    def make(self, step: int) -> Shots:
        """Draw the pictures of one step; every second one mirrored."""
        config = self._config
        rng = np.random.default_rng([config.seed, step])
        rows = rng.choice(self._source.shelf.training, config.batch)
        pictures = to_values(self._source.portraits(rows))
        shape = (config.batch, config.side**2, config.components)
        amount = config.noise * rng.random((config.batch, 1, 1), np.float32)
        noise = amount * rng.standard_normal(shape, np.float32)
        return Shots(pictures, torch.from_numpy(noise))

    def measure(self, model: Codec, batch: Shots) -> dict[str, Tensor]:
        """Compare pictures and their edges with what comes back."""
        with torch.autocast(batch.pictures.device.type, enabled=False):
            codes = model.encode(batch.pictures)
            codes = codes + batch.noise * model.spread
        found = model(codes).float()
        values = functional.l1_loss(found, batch.pictures)
        edges = sum(
            (functional.l1_loss(found.diff(dim=axis), batch.pictures.diff(dim=axis))
             for axis in (1, 2)), values.new_zeros(()),
        )  # fmt: skip
        return {"loss": values + 0.5 * edges, "values": values, "edges": edges}

    def judge(self, model: Codec, step: int) -> Verdict:
        """Measure the signal-to-noise on held-out products, which is the score."""
        rows: Rows = self._source.shelf.validation[:JUDGED]
        wanted = to_values(self._source.portraits(rows)).to(self._config.device)
        codes = model.encode(wanted)
        found = torch.cat([model(codes[at : at + 32]) for at in range(0, len(codes), 32)])
        figures = {"psnr": psnr(found, wanted), "psnr/plain": psnr(model.plain(codes), wanted)}
        return Verdict(figures["psnr"], figures)


def encode_all(codec: Codec, source: RenderedSource, rows: Rows) -> Tensor:
    """Encode the portraits of products where the codec is: float16 [N, places, components]."""
    device = codec.mean.device
    with torch.no_grad():
        parts = [
            codec.encode(to_values(source.portraits(rows[start : start + 256])).to(device)).half()
            for start in range(0, len(rows), 256)
        ]
    return torch.cat(parts).cpu()


def _cut(pictures: Tensor, patch: int) -> Tensor:
    """[N, H, W, 3] → [N, places, patch · patch · 3]."""
    count, height, width, _ = pictures.shape
    grid = pictures.view(count, height // patch, patch, width // patch, patch, 3)
    return grid.transpose(2, 3).reshape(count, -1, 3 * patch**2)


def _join(patches: Tensor, side: int, patch: int) -> Tensor:
    """[N, places, patch · patch · 3] → [N, H, W, 3]."""
    grid = patches.view(-1, side, side, patch, patch, 3)
    return grid.transpose(2, 3).reshape(-1, side * patch, side * patch, 3)

"""
Teach a judge of drawings to name the category, colour and pattern of a picture.

    python benchmarks/judge.py JUDGE --products 6000 --passes 10

A judge shares nothing with the encoder or the generator that it is for: it is another network
(plain 3 × 3 convolutions over 4 × 4 pixels, pooled), taught from another seed, on products of its
own that stand in as many poses as there are products. It sees its pictures moved, turned, scaled,
softened and grained, never recoloured. Held-out combinations of category, colour and pattern are
kept from it, too; on rendered products of such combinations it says how good it is, and which
colours it takes for which.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from crosslens.sample.design import CATEGORIES, COLOURS, PATTERNS
from crosslens.sample.render import render
from crosslens.train.generator_codec import to_values
from crosslens.train.rendered import RenderConfig, RenderedSource, draw
from crosslens.train.shop import SampleShop
from crosslens.train.source import Pixels

SEED = 41
NAMES = {"category": tuple(CATEGORIES), "colour": tuple(COLOURS), "pattern": tuple(PATTERNS)}
WIDTHS = (64, 128, 128, 256)
BATCH, RATE, DECAY, SMOOTHED = 64, 3e-3, 0.05, 0.05
MOVED, SCALED, TURNED, GRAIN = 0.08, 0.1, 0.12, 0.06
STATE = "judge.pt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--products", type=int, default=6000)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--passes", type=int, default=10)
    asked = parser.parse_args()
    torch.manual_seed(SEED)
    config = RenderConfig(products=asked.products, validation=asked.held_out, seed=SEED)
    shop = PlainShop()
    pictures = draw(shop, config, folder=asked.folder / "pictures")
    source = RenderedSource(shop, config, folder=pictures)
    judge = Judge()
    teach(judge, source, passes=asked.passes)
    torch.save(judge.state_dict(), asked.folder / STATE)
    rows = source.shelf.validation
    said = judge.name(source.portraits(rows))
    wanted = {name: [getattr(source.design(int(row)), name) for row in rows] for name in NAMES}
    for name, right in agreement(said, wanted).items():
        print(f"{name:<10}{100 * right:6.1f}")
    print("colours mistaken:", mistaken(said["colour"], wanted["colour"]))


class PlainShop(SampleShop):
    """The sample shop before the backdrop of the studio, in any pose."""

    views = 1

    def render(self, design: Any, *, seed: int, view: int, size: int) -> Pixels:
        return render(design, seed=seed, view=view, size=size, plain=True)


class Judge(nn.Module):
    """Values [N, 128, 128, 3] in [-1, 1] → logits per attribute."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.seen = nn.Sequential(
            nn.PixelUnshuffle(4), *_block(48, a), *_block(a, b), nn.MaxPool2d(2),
            *_block(b, c), nn.MaxPool2d(2), *_block(c, d),
        )  # fmt: skip
        self.heads = nn.ModuleDict({n: nn.Linear(2 * d, len(v)) for n, v in NAMES.items()})

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        maps = values.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        last = self.seen(maps)
        pooled = torch.cat([last.mean((2, 3)), last.amax((2, 3))], 1)
        return {name: head(pooled).float() for name, head in self.heads.items()}

    def name(self, pictures: Pixels) -> dict[str, list[str]]:
        """Name the attributes of pictures [N, 128, 128, 3]."""
        self.eval()
        said: dict[str, list[str]] = {name: [] for name in NAMES}
        for start in range(0, len(pictures), BATCH):
            with torch.no_grad():
                found = self(to_values(pictures[start : start + BATCH]))
            for name, logits in found.items():
                said[name] += [NAMES[name][place] for place in logits.argmax(1)]
        return said


def load(folder: Path) -> Judge:
    """Read a judge as it was taught."""
    judge = Judge()
    judge.load_state_dict(torch.load(folder / STATE, weights_only=True))
    return judge.eval()


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def teach(judge: Judge, source: RenderedSource, *, passes: int) -> None:
    rows, rng = source.shelf.training, np.random.default_rng(SEED)
    steps = passes * (len(rows) // BATCH)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    judge.train()
    for step in range(steps):
        chosen = rng.choice(rows, BATCH, replace=False)
        loss = _missed(judge, source, chosen)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step} of {steps}: {float(loss.detach()):.3f}", flush=True)


def _missed(judge: Judge, source: RenderedSource, rows: NDArray[np.int64]) -> Tensor:
    values = disturbed(to_values(source.portraits(rows)))
    with torch.autocast("cpu", torch.bfloat16):
        found = judge(values)
    designs = [source.design(int(row)) for row in rows]
    losses = [
        functional.cross_entropy(
            logits,
            torch.tensor([NAMES[name].index(getattr(design, name)) for design in designs]),
            label_smoothing=SMOOTHED,
        )
        for name, logits in found.items()
    ]
    return torch.stack(losses).sum()


def disturbed(values: Tensor) -> Tensor:
    """Move, turn and scale pictures [N, H, W, 3]; soften every second one; add grain."""
    count = len(values)
    angle = TURNED * torch.randn(count)
    scale = 1 + SCALED * (2 * torch.rand(count) - 1)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -scale * angle.sin(), scale * angle.sin()
    matrix[:, :, 2] = MOVED * (2 * torch.rand(count, 2) - 1)
    maps = values.permute(0, 3, 1, 2)
    grid = functional.affine_grid(matrix, list(maps.shape), align_corners=False)
    maps = functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    soft = functional.interpolate(functional.avg_pool2d(maps[::2], 2), scale_factor=2.0,
                                  mode="bilinear")  # fmt: skip
    maps = torch.cat([soft, maps[1::2]])[_interleaved(count)]
    grain = GRAIN * torch.rand(count, 1, 1, 1) * torch.randn_like(maps)
    return (maps + grain).permute(0, 2, 3, 1)


def _interleaved(count: int) -> Tensor:
    """Order halves (evens, odds) as they were."""
    return torch.cat([torch.arange(0, count, 2), torch.arange(1, count, 2)]).argsort()


def agreement(said: dict[str, list[str]], wanted: dict[str, list[str]]) -> dict[str, float]:
    """Give per attribute the share of what was said that is wanted."""
    return {
        name: float(np.mean([one == other for one, other in zip(said[name], wanted[name],
                                                                strict=True)]))
        for name in NAMES
    }  # fmt: skip


def mistaken(said: Sequence[str], wanted: Sequence[str]) -> str:
    """List what is most often taken for what."""
    pairs = Counter((w, s) for s, w in zip(said, wanted, strict=True) if s != w)
    return ", ".join(f"{w} for {s} {n}" for (w, s), n in pairs.most_common(6)) or "none"


if __name__ == "__main__":
    main()

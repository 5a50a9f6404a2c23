"""
Draw pictures from held-out titles, and judge them beside really rendered ones.

    python benchmarks/generate.py GENERATOR --run RUN --sheet sheet.png

Invents products of combinations of category, colour and pattern that training never showed (their
seed is not the one of training), words each in full, in Chinese and English by turns, and draws
each title with the generator. Rows of the table: the pictures as the renderer draws them, the same
after the codec of the run (what the flow could reach at best), and what was drawn, per step count.

R@k: the built-in encoder looks for the picture's title among all titles of its language; right is
every title that fits. `category`, `colour`: by a classifier that shares nothing with encoder or
generator (ridge regression on outlines and colours, fitted to the run's training pictures). Seconds
are CPU seconds of one picture on one core. `apart`: root mean square difference of pictures of one
title from four seeds, in levels of 255, beside that of four poses as rendered. `nearest`: the same
difference to the nearest training picture, beside that of rendered held-out products.
"""

from __future__ import annotations

import argparse
import io
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import crosslens.bundled
from crosslens.encode.onnx import OnnxBundle, load
from crosslens.generate.onnx import OnnxGenerator
from crosslens.generate.wish import Wish
from crosslens.train.generator import load_codec
from crosslens.train.generator_codec import to_pixels, to_values
from crosslens.train.generator_studio import StudioShop, studio_source
from crosslens.train.losses import BELONGS
from crosslens.train.rendered import RenderConfig, RenderedSource
from crosslens.train.source import Asked, Pixels, Style, ask, relate
from crosslens.train.validate import recall
from crosslens.values import Floats

FEWEST = 16  # a source wants some products to train on; they are not asked for
SEED, WORDS_SEED = 98, 6
RIDGE, STEADY = 30.0, 0.05
COLUMNS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="as crosslens train left it")
    parser.add_argument("--rendered", type=int, default=4000, help="products of the run")
    parser.add_argument("--held-out", type=int, default=300, help="held-out products of the run")
    parser.add_argument("--titles", type=int, default=300)
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 8, 12])
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--judge", type=Path, help="a bundle; the built-in one unless said")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here")
    asked = parser.parse_args()
    built_in = Path(crosslens.bundled.__file__).parent / "crosslens-mini"
    bench = Bench.of(asked, load(asked.judge or built_in))
    bench.report(OnnxGenerator(asked.generator), asked.steps, asked.guidance, asked.sheet)


@dataclass
class Bench:
    """Held-out products, their titles, and who judges."""

    source: RenderedSource
    training: RenderedSource
    rows: NDArray[np.int64]
    asked: Asked
    judge: OnnxBundle
    run: Path

    @classmethod
    def of(cls, asked: argparse.Namespace, judge: OnnxBundle) -> Bench:
        config = RenderConfig(products=FEWEST, validation=asked.titles, seed=SEED)
        source = studio_source(config, folder=asked.run / "bench")
        trained = RenderConfig(products=asked.rendered, validation=asked.held_out)
        training = studio_source(trained, folder=asked.run / "pictures")
        rng = np.random.default_rng(WORDS_SEED)
        rows = source.shelf.validation
        titles = [
            ask(source, [row], rng, style=Style.FULL, languages=(source.languages[place % 2],))
            for place, row in enumerate(rows)
        ]
        phrases = tuple(each.phrases[0] for each in titles)
        return cls(source, training, rows, Asked(rows, phrases), judge, asked.run)

    def report(
        self,
        generator: OnnxGenerator,
        steps: Sequence[int],
        guidance: float | None,
        sheet: Path | None,
    ) -> None:
        classifier = Classifier(self.training)
        real = self.source.portraits(self.rows)
        print(f"{'pictures':<14}{'R@1':>7}{'R@10':>7}{'category':>10}{'colour':>8}{'s':>7}")
        self.row("rendered", real, classifier)
        self.row("codec", self.through_codec(real), classifier)
        drawn = real
        for count in steps:
            started = time.process_time()
            drawn = self.drawn(generator, count, guidance)
            seconds = (time.process_time() - started) / len(drawn)
            self.row(f"{count} steps", drawn, classifier, seconds)
        self.variety(generator, steps[-1], guidance)
        self.nearest(drawn, real)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process {peak:,.0f} MB")
        if sheet is not None:
            draw_sheet(real, drawn, sheet)

    def row(
        self, name: str, pictures: Pixels, classifier: Classifier, seconds: float = 0.0
    ) -> None:
        at_1, at_10 = self.recalls(pictures)
        category, colour = classifier.accuracy(pictures, self.source, self.rows)
        told = f"{seconds:7.2f}" if seconds else ""
        print(
            f"{name:<14}{100 * at_1:7.1f}{100 * at_10:7.1f}{100 * category:10.1f}"
            f"{100 * colour:8.1f}{told}",
            flush=True,
        )

    def recalls(self, pictures: Pixels) -> tuple[float, float]:
        """Ask for the titles of each language by picture; return the means."""
        assert self.judge.picture is not None
        assert self.judge.text is not None
        vectors = self.judge.picture.encode_pictures([png(each) for each in pictures]).array
        titles = self.judge.text.encode_items(list(self.asked.texts)).array
        right = (relate(self.source.shelf, self.asked, self.rows) == BELONGS).T
        found = []
        for language in range(2):
            chosen = np.arange(language, len(self.rows), 2)
            scores: Floats = vectors[chosen] @ titles[chosen].T
            found.append(recall(scores, right[np.ix_(chosen, chosen)]))
        return (
            float(np.mean([each.at_1 for each in found])),
            float(np.mean([each.at_10 for each in found])),
        )

    def through_codec(self, pictures: Pixels) -> Pixels:
        codec, _ = load_codec(self.run / "codec")
        with torch.no_grad():
            return np.concatenate(
                [
                    to_pixels(codec(codec.encode(to_values(pictures[start : start + 32]))))
                    for start in range(0, len(pictures), 32)
                ]
            )

    def drawn(self, generator: OnnxGenerator, steps: int, guidance: float | None) -> Pixels:
        wishes = [
            Wish(text, seed=place, steps=steps, guidance=guidance)
            for place, text in enumerate(self.asked.texts)
        ]
        return np.stack([next(generator.draw(wish)).pixels for wish in wishes])

    def variety(self, generator: OnnxGenerator, steps: int, guidance: float | None) -> None:
        shop, drawn, posed = StudioShop(), [], []
        for place in range(0, len(self.rows), max(1, len(self.rows) // 20)):
            wish = Wish(self.asked.texts[place], n=4, steps=steps, guidance=guidance)
            drawn.append(apart(np.stack([each.pixels for each in generator.draw(wish)])))
            design = self.source.design(int(self.rows[place]))
            poses = [shop.render(design, seed=seed, view=0, size=128) for seed in range(4)]
            posed.append(apart(np.stack(poses)))
        print(f"apart: drawn {np.mean(drawn):.1f}, rendered {np.mean(posed):.1f}")

    def nearest(self, drawn: Pixels, real: Pixels) -> None:
        known = small(self.training.portraits(self.training.shelf.training))
        for name, pictures in (("drawn", drawn), ("rendered", real)):
            found = small(pictures)
            squares = (
                (found**2).sum(1)[:, None] - 2 * found @ known.T + (known**2).sum(1)[None]
            ) / found.shape[1]
            least = np.sqrt(np.clip(squares.min(1), 0, None))
            print(f"nearest: {name} {np.median(least):.1f} (least {least.min():.1f})")


class Classifier:
    """Ridge regression from outlines and colours to category and colour."""

    def __init__(self, training: RenderedSource) -> None:
        rows = training.shelf.training
        features = describe(training.portraits(rows))
        # What hardly varies in training must not decide.
        self._mean, self._std = features.mean(0), features.std(0) + STEADY
        values = self._scaled(features)
        gram = values.T @ values + RIDGE * np.eye(values.shape[1], dtype=np.float32)
        self._known, self._weights = {}, {}
        for name in ("category", "colour"):
            wanted = [getattr(training.design(int(row)), name) for row in rows]
            self._known[name] = sorted(set(wanted))
            places = np.array([self._known[name].index(each) for each in wanted])
            targets = np.eye(len(self._known[name]), dtype=np.float32)[places]
            self._weights[name] = np.linalg.solve(gram, values.T @ targets)

    def accuracy(
        self, pictures: Pixels, source: RenderedSource, rows: NDArray[np.int64]
    ) -> tuple[float, float]:
        values = self._scaled(describe(pictures))
        found = []
        for name in ("category", "colour"):
            guessed = (values @ self._weights[name]).argmax(1)
            wanted = [getattr(source.design(int(row)), name) for row in rows]
            right = [self._known[name][g] == w for g, w in zip(guessed, wanted, strict=True)]
            found.append(float(np.mean(right)))
        return found[0], found[1]

    def _scaled(self, features: Floats) -> Floats:
        scaled = (features - self._mean) / self._std
        return np.concatenate([scaled, np.ones((len(scaled), 1), np.float32)], 1)


def describe(pictures: Pixels) -> Floats:
    """Describe pictures, some at a time: [N, features]."""
    starts = range(0, len(pictures), 128)
    return np.concatenate([_described(pictures[start : start + 128]) for start in starts])


def _described(pictures: Pixels) -> Floats:
    """Outlines on an 8 × 8 grid in 8 directions, what differs from the backdrop, colours in it."""
    values = small(pictures).reshape(len(pictures), 32, 32, 3) / 255  # forms, not grain
    grey = values.mean(3)
    down, across = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, across)
    turn = ((np.arctan2(down, across) + np.pi) / (2 * np.pi) * 8).astype(int) % 8
    cells = [cell_means(strength * (turn == each)) for each in range(8)]
    backdrop = values[:, :1].mean((1, 2))[:, None, None]
    inside = np.abs(values - backdrop).max(3) > 0.12
    shape = cell_means(inside.astype(np.float32))
    levels = np.clip((values * 4).astype(int), 0, 3)
    codes = (levels[..., 0] * 4 + levels[..., 1]) * 4 + levels[..., 2]
    weights = inside / np.maximum(1, inside.sum((1, 2)))[:, None, None]
    colours = np.stack([(weights * (codes == each)).sum((1, 2)) for each in range(64)], 1)
    means = (values * weights[..., None]).sum((1, 2))
    return np.concatenate([np.sqrt(np.concatenate(cells, 1)), shape, np.sqrt(colours), means], 1,
                          dtype=np.float32)  # fmt: skip


def cell_means(maps: Floats) -> Floats:
    count, height, width = maps.shape
    return maps.reshape(count, 8, height // 8, 8, width // 8).mean((2, 4)).reshape(count, -1)


def apart(pictures: Pixels) -> float:
    values = pictures.astype(np.float32)
    pairs = [(a, b) for a in range(len(values)) for b in range(a)]
    return float(np.mean([np.sqrt(((values[a] - values[b]) ** 2).mean()) for a, b in pairs]))


def small(pictures: Pixels) -> Floats:
    count = len(pictures)
    values = pictures.reshape(count, 32, 4, 32, 4, 3).mean((2, 4), dtype=np.float32)
    return values.reshape(count, -1)


def png(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def draw_sheet(real: Pixels, drawn: Pixels, file: Path) -> None:
    """Put rendered products above what was drawn from their titles, row by row."""
    rows = []
    for start in range(0, 4 * COLUMNS, COLUMNS):
        rows += [np.concatenate(list(kind[start : start + COLUMNS]), 1) for kind in (real, drawn)]
        rows.append(np.full((6, rows[-1].shape[1], 3), 255, np.uint8))
    Image.fromarray(np.concatenate(rows)).save(file)


if __name__ == "__main__":
    main()

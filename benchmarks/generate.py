"""
Draw pictures from held-out titles, and judge them beside really rendered ones.

    python benchmarks/judge.py JUDGE
    python benchmarks/generate.py GENERATOR --run RUN --judge JUDGE --sheet sheet.png

Invents products of combinations of category, colour and pattern that training never showed (their
seed is not the one of training), words each in full, in Chinese and English by turns, and draws
each title with the generator. Rows of the table: the pictures as the renderer draws them, the same
after the codec of the run (what the flow could reach at best), and what was drawn, per step count.

R@k: the built-in encoder looks for the picture's title among all titles of its language; right is
every title that fits. `category`, `colour`, `pattern`: what a judge names, which shares nothing
with encoder or generator; `either`: the colour again, where a pattern that covers half of what it
is on (0.4 to 0.6 of its tile: stripes, diagonals, checks, leopard) may be named for the ground, as
nobody sees which of the two that is. `s`: CPU seconds of one picture on one core; `MB`: the most
memory of a process that does nothing but draw. `apart`: root mean square difference of pictures of
one title from four seeds, in levels of 255, beside that of four poses as rendered. `nearest`: the
same difference to the nearest training picture, beside that of rendered held-out products.

Several values of `--guidance` and `--noise` give a row for each pair; `--seed 97` asks other titles
than those that figures are given for, so that settings can be chosen by them.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import crosslens.bundled
import judge
from crosslens.encode.onnx import OnnxBundle, load
from crosslens.generate.onnx import OnnxGenerator
from crosslens.generate.wish import Wish
from crosslens.sample.design import Design
from crosslens.sample.tiles import pattern_tile
from crosslens.train.generator_codec import to_pixels, to_values
from crosslens.train.generator_runs import load_codec
from crosslens.train.generator_studio import StudioShop, studio_source
from crosslens.train.losses import BELONGS
from crosslens.train.rendered import RenderConfig, RenderedSource
from crosslens.train.source import Asked, Pixels, Style, ask, relate
from crosslens.train.validate import recall
from crosslens.values import Floats

FEWEST = 16  # a source wants some products to train on; they are not asked for
SEED, WORDS_SEED = 98, 6
COLUMNS = 10
PLAIN = "solid"
EVEN = (0.4, 0.6)
DRAW_ONE = """
import sys
from pathlib import Path
from crosslens.generate.onnx import OnnxGenerator
from crosslens.generate.wish import Wish
next(OnnxGenerator(Path(sys.argv[1])).draw(Wish("red mug", steps=int(sys.argv[2]))))
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="as crosslens train left it")
    parser.add_argument("--judge", type=Path, required=True, help="as judge.py left it")
    parser.add_argument("--rendered", type=int, default=16_000, help="products of the run")
    parser.add_argument("--held-out", type=int, default=300, help="held-out products of the run")
    parser.add_argument("--titles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=SEED, help="of the products asked for")
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 20, 10])
    parser.add_argument("--guidance", type=float, nargs="+", help="the card's unless said")
    parser.add_argument("--noise", type=float, nargs="+", help="the card's temperature unless said")
    parser.add_argument("--encoder", type=Path, help="a bundle; the built-in one unless said")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here")
    asked = parser.parse_args()
    built_in = Path(crosslens.bundled.__file__).parent / "crosslens-mini"
    bench = Bench.of(asked, load(asked.encoder or built_in))
    bench.report(asked)


@dataclass
class Bench:
    """Held-out products, their titles, and who judges."""

    source: RenderedSource
    training: RenderedSource
    rows: NDArray[np.int64]
    asked: Asked
    encoder: OnnxBundle
    judge: judge.Judge
    run: Path

    @classmethod
    def of(cls, asked: argparse.Namespace, encoder: OnnxBundle) -> Bench:
        config = RenderConfig(products=FEWEST, validation=asked.titles, seed=asked.seed)
        source = studio_source(config, folder=asked.run / f"bench-{asked.seed}")
        trained = RenderConfig(products=asked.rendered, validation=asked.held_out)
        training = studio_source(trained, folder=asked.run / "pictures")
        rng = np.random.default_rng(WORDS_SEED)
        rows = source.shelf.validation
        titles = [
            ask(source, [row], rng, style=Style.FULL, languages=(source.languages[place % 2],))
            for place, row in enumerate(rows)
        ]
        phrases = tuple(each.phrases[0] for each in titles)
        known = judge.load(asked.judge)
        return cls(source, training, rows, Asked(rows, phrases), encoder, known, asked.run)

    def report(self, asked: argparse.Namespace) -> None:
        generator = OnnxGenerator(asked.generator)
        real = self.source.portraits(self.rows)
        heads = ("R@1", "R@10", *judge.NAMES, "either", "s", "MB")
        print(f"{'pictures':<26}" + "".join(f"{head:>9}" for head in heads))
        self.row("rendered", real)
        self.row("codec", self.through_codec(real))
        card, drawn, wish = generator.card, real, Wish("any")
        for noise, guidance, steps in product(
            asked.noise or [card.temperature], asked.guidance or [card.guidance], asked.steps
        ):
            generator.card = replace(card, temperature=noise)
            wish = replace(wish, steps=steps, guidance=guidance)
            started = time.process_time()
            drawn = self.drawn(generator, wish)
            seconds = (time.process_time() - started) / len(drawn)
            self.row(
                f"steps {steps} x{guidance:g} from {noise:g}",
                drawn,
                f"{seconds:9.3f}{memory(asked.generator, steps):9.0f}",
            )
        self.variety(generator, wish)
        self.nearest(drawn, real)
        if asked.sheet is not None:
            draw_sheet(real, drawn, asked.sheet)

    def row(self, name: str, pictures: Pixels, cost: str = "") -> None:
        designs = [self.source.design(int(row)) for row in self.rows]
        wanted = {each: [getattr(one, each) for one in designs] for each in judge.NAMES}
        said = self.judge.name(pictures)
        either = np.mean([
            colour == one.colour or (colour == one.accent and covers_half(one))
            for colour, one in zip(said["colour"], designs, strict=True)
        ])  # fmt: skip
        found = (*self.recalls(pictures), *judge.agreement(said, wanted).values(), either)
        print(f"{name:<26}" + "".join(f"{100 * each:9.1f}" for each in found) + cost, flush=True)
        plain = [
            said["colour"][place] == one.colour
            for place, one in enumerate(designs)
            if one.pattern == PLAIN
        ]
        print(f"    colours of plain products: {sum(plain)} of {len(plain)} right; others", end=" ")
        print(f"mistaken: {judge.mistaken(said['colour'], wanted['colour'])}", flush=True)

    def recalls(self, pictures: Pixels) -> tuple[float, float]:
        """Ask for the titles of each language by picture; return the means."""
        assert self.encoder.picture is not None
        assert self.encoder.text is not None
        vectors = self.encoder.picture.encode_pictures([png(each) for each in pictures]).array
        titles = self.encoder.text.encode_items(list(self.asked.texts)).array
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

    def drawn(self, generator: OnnxGenerator, wish: Wish) -> Pixels:
        wishes = [
            replace(wish, prompt=text, seed=place) for place, text in enumerate(self.asked.texts)
        ]
        return np.stack([next(generator.draw(each)).pixels for each in wishes])

    def variety(self, generator: OnnxGenerator, wish: Wish) -> None:
        shop, drawn, posed = StudioShop(), [], []
        for place in range(0, len(self.rows), max(1, len(self.rows) // 20)):
            four = replace(wish, prompt=self.asked.texts[place], n=4)
            drawn.append(apart(np.stack([each.pixels for each in generator.draw(four)])))
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


def covers_half(design: Design) -> bool:
    if design.pattern == PLAIN:
        return False
    least, most = EVEN
    alpha = pattern_tile(design.pattern, (255, 0, 0), (0, 0, 255)).toarray()[..., 3]
    return bool(least <= alpha.mean() / 255 <= most)


def memory(generator: Path, steps: int) -> float:
    """Measure the most memory of a process that draws one picture, in MB."""
    command = [sys.executable, "-c", DRAW_ONE, str(generator), str(steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


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

"""A generator on ONNX Runtime: words are read once, a flow is followed, codes become a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosslens.encode.cards import TextCard
from crosslens.encode.folders import require_close
from crosslens.encode.graphs import open_graph
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, CannotDraw, CrosslensError
from crosslens.generate.bundles import Drawings, read_drawings, verify_generator
from crosslens.generate.cards import FLOW, PICTURE, TOKENIZER, WORDS, GeneratorCard
from crosslens.generate.generator import About, Drawn, Pixels, Step, silent, size_of
from crosslens.generate.scaling import scaled
from crosslens.generate.wish import Wish
from crosslens.values import Floats

OUTPUT = "vector"
ENLARGED = (1, 2, 4)
_NO_ROOM = ("bad alloc", "bad_alloc", "Failed to allocate", "out of memory")


class OnnxGenerator:
    """
    A `Generator`.

    Pictures are drawn one by one, always in the same shapes, so that a picture depends on its
    words, settings and seed alone, and neither on its neighbours nor on how many there are.

    Args:
        folder: a bundle, as `crosslens train export-generator` writes it.
        threads: cores for one picture; 0 leaves it to the runtime.

    Raises:
        NotFound: there is no generator.
        BrokenBundle: it is incomplete, altered, or a graph cannot be read.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.card: GeneratorCard = verify_generator(folder)
        self._folder = folder
        tokens = TextCard(max_tokens=self.card.max_tokens, file=WORDS, tokenizer=TOKENIZER)
        self._words = Words(tokens, (folder / TOKENIZER).read_text("utf-8"))
        self._reader, self._flow, self._picture = (
            open_graph(folder / name, threads=threads, one_shape=True)
            for name in (WORDS, FLOW, PICTURE)
        )
        self.about = _about(self.card)

    def draw(self, wish: Wish, step: Step = silent) -> Iterator[Drawn]:
        """Draw, one picture after the other; see `Generator`."""
        size = size_of(wish, self.about)
        steps = wish.steps or self.card.steps
        guidance = self.card.guidance if wish.guidance is None else wish.guidance
        ids, mask = self._words.pad(self._words.rows([wish.prompt, wish.negative]))
        states = self._run(self._reader, {"input_ids": ids, "attention_mask": mask})
        for number in range(wish.n):
            told = _Told(step, number * steps, wish.n * steps)
            codes = self._follow(states, mask, wish.seed_of(number), steps, guidance, told)
            values = self._run(self._picture, {"codes": codes[None]})[0]
            yield Drawn(number, wish.seed_of(number), scaled(_pixels(values), size))

    def _follow(
        self,
        states: Floats,
        mask: NDArray[np.int64],
        seed: int,
        steps: int,
        guidance: float,
        told: _Told,
    ) -> Floats:
        """Go from noise to codes [places, components] in straight steps."""
        shape = (self.card.places, self.card.components)
        noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
        codes = np.float32(self.card.temperature) * noise
        share = np.float32(guidance)
        fixed: dict[str, Any] = {"states": states, "mask": mask}
        if self.card.poses:
            fixed["pose"] = np.full(2, self.card.pose_of(seed), np.int64)
        for taken in range(steps):
            at = taken / steps
            texts = 2 if at < self.card.guided else 1
            feeds = {name: each[:texts] for name, each in fixed.items()}
            feeds |= {"codes": np.stack([codes] * texts), "time": np.full(texts, at, np.float32)}
            found = self._run(self._flow, feeds)
            wanted, other = found[0], found[-1]
            codes = codes + (other + share * (wanted - other)) / np.float32(steps)
            told(taken + 1)
        return codes

    def _run(self, session: Any, feeds: dict[str, Any]) -> Floats:
        try:
            return np.asarray(session.run([OUTPUT], feeds)[0], np.float32)
        except MemoryError as exc:
            raise _no_room(self.card.name) from exc
        except Exception as exc:
            if any(sign in str(exc) for sign in _NO_ROOM):
                raise _no_room(self.card.name) from exc
            raise BrokenBundle(f"{self._folder} failed to run: {exc}") from exc


class _Told:
    """Counts the steps of one picture on the way through all of them."""

    def __init__(self, step: Step, before: int, total: int) -> None:
        self._step, self._before, self._total = step, before, total
        step(before, total)

    def __call__(self, taken: int) -> None:
        self._step(self._before + taken, self._total)


def check(generator: OnnxGenerator, drawings: Drawings) -> float:
    """
    Draw the goldens, and return the largest mean absolute difference, in levels of 255.

    Raises:
        BrokenBundle: it is more than the goldens allow.
    """
    worst = 0.0
    for prompt, seed, golden in zip(
        drawings.prompts, drawings.seeds, drawings.pictures, strict=True
    ):
        wish = Wish(prompt, seed=seed, steps=drawings.steps)
        drawn = next(generator.draw(wish)).pixels
        worst = max(worst, float(np.abs(drawn.astype(np.float32) - golden).mean()))
    require_close(f"generator {generator.card.name}", worst, drawings.tolerance)
    return worst


def load_checked(folder: Path, *, threads: int = 1) -> OnnxGenerator:
    """Load a generator and check it against its goldens; see `OnnxGenerator` and `check`."""
    generator = OnnxGenerator(folder, threads=threads)
    check(generator, read_drawings(folder))
    return generator


def _about(card: GeneratorCard) -> About:
    return About(
        name=card.name,
        languages=card.languages,
        native_px=card.px,
        sizes=tuple(card.px * times for times in ENLARGED),
        steps=card.steps,
        guidance=card.guidance,
        licence=card.licence,
        note=card.note,
    )


def _pixels(values: Floats) -> Pixels:
    """Turn [H, W, 3] in [-1, 1] into uint8."""
    levels = np.rint((np.clip(values, -1, 1) + 1) * 127.5)
    return np.asarray(levels, np.uint8)


def _no_room(name: str) -> CrosslensError:
    return CannotDraw(f"{name} has not enough memory to draw", hint="ask for less at once")

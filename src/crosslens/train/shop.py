"""The sample shop as the trainer sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from crosslens.sample import words
from crosslens.sample.combos import held_out
from crosslens.sample.design import Design, random_design
from crosslens.sample.render import VIEWS, render
from crosslens.train.rendered import RenderConfig, RenderedSource, Spoken, draw
from crosslens.train.source import Pixels, Style

QUERIES, TITLES = 0.5, 0.25
# A shop title nearly always tells these; whether it tells the rest is left to chance.
TOLD = frozenset({"category", "colour", "pattern"})


def sample_source(
    config: RenderConfig,
    *,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> RenderedSource:
    """
    Draw what is not drawn yet, and open it for training.

    Args:
        folder: the cache of pictures; kept between runs.
        progress: called with the products drawn and to draw.

    Raises:
        MissingExtra: the renderer is not installed.
        Conflict: the folder holds pictures of other settings or of another renderer.
    """
    shop = SampleShop()
    return RenderedSource(shop, config, folder=draw(shop, config, folder=folder, progress=progress))


class SampleShop:
    """Products that crosslens invents, draws and words itself; a `Shop`."""

    views = VIEWS
    languages: tuple[str, ...] = ("zh", "en")

    def design(self, rng: np.random.Generator) -> Design:
        """Invent a product."""
        return random_design(rng)

    def held_out(self, design: Any) -> bool:
        """Say whether its category, colour and pattern are kept out of training together."""
        return held_out(design.category, design.colour, design.pattern)

    def attributes(self, design: Any) -> Mapping[str, str]:
        """Give what words may speak of, the forms of its category last."""
        basic = ("category", "colour", "pattern", "accent", "material")
        return {name: getattr(design, name) for name in basic} | dict(design.variant)

    def render(self, design: Any, *, seed: int, view: int, size: int) -> Pixels:
        """Draw a view: [size, size, 3]."""
        return render(design, seed=seed, view=view, size=size)

    def phrase(
        self, design: Any, rng: np.random.Generator, language: str, *, style: Style
    ) -> Spoken:
        """Word a product as people search, as shops write, or in full."""
        everything = frozenset(self.attributes(design))
        tongue = cast("words.Language", language)
        share = rng.random() if style is Style.ANY else 1.0
        if share < QUERIES:
            return Spoken(*words.query(design, rng, tongue))
        if share < QUERIES + TITLES:
            text = words.title(design, rng, tongue, style="title")
            return Spoken(text, TOLD, everything - TOLD)
        unseen = style is Style.UNSEEN
        text = words.title(design, rng, tongue, style="full", held_out=unseen)
        return Spoken(text, everything)

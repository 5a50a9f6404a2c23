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

QUERIES, TITLES = 0.4, 0.25
LOOSE = 0.5  # of searches and paraphrases follow no phrasing
READ = 0.75  # of the paraphrases prefer words that are never shown with pictures
MAIN = frozenset({"category", "colour", "pattern"})
_WORDINGS = {
    Style.MAIN: (words.Wording.SHOWN, False),
    Style.FULL: (words.Wording.SHOWN, False),
    Style.MAIN_UNSEEN: (words.Wording.READ, True),
    Style.FULL_UNSEEN: (words.Wording.READ, True),
    Style.MAIN_NEW: (words.Wording.NEW, False),
}


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
    ) -> Spoken | None:
        """Word a product as people search, as shops write, or in full."""
        tongue = cast("words.Language", language)
        if style is Style.ANY:
            return self._shown(design, rng, tongue)
        if style is Style.MAIN_NEW and not words.new_words(design, tongue):
            return None
        wording, new = _WORDINGS[style]
        if style in {Style.FULL, Style.FULL_UNSEEN}:
            text = words.full(design, rng, tongue, wording=wording, new_phrasing=new)
            return Spoken(text, frozenset(self.attributes(design)))
        text = words.search(design, rng, tongue, wanted=MAIN, wording=wording, new_phrasing=new)
        return Spoken(text, MAIN)

    def paraphrase(
        self, design: Any, rng: np.random.Generator, mentions: frozenset[str]
    ) -> Spoken | None:
        """Say the same in either language, mostly in words that pictures never come with."""
        language = self.languages[int(rng.integers(len(self.languages)))]
        wording = words.Wording.READ if rng.random() < READ else words.Wording.SHOWN
        say = words.loose if rng.random() < LOOSE else words.search
        tongue = cast("words.Language", language)
        return Spoken(say(design, rng, tongue, wanted=mentions, wording=wording), mentions)

    def _shown(self, design: Any, rng: np.random.Generator, tongue: words.Language) -> Spoken:
        share = rng.random()
        if share < QUERIES:
            text, wanted = words.query(design, rng, tongue)
            if rng.random() < LOOSE:
                text = words.loose(design, rng, tongue, wanted=wanted)
            return Spoken(text, wanted)
        if share < QUERIES + TITLES:
            return Spoken(*words.shop_title(design, rng, tongue))
        return Spoken(words.full(design, rng, tongue), frozenset(self.attributes(design)))

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("skia")

from crosslens.errors import MissingExtra
from crosslens.sample import canvas
from crosslens.sample.design import CATEGORIES, COLOURS, PATTERNS, Design, random_design
from crosslens.sample.forms import FORMS
from crosslens.sample.render import VIEWS, render
from crosslens.sample.sheet import assortment, contact_sheet


def design_of(category: str, **given: Any) -> Design:
    return random_design(np.random.default_rng(0), category=category, **given)


def test_the_shop_is_large_enough() -> None:
    assert len(CATEGORIES) >= 40
    assert len(COLOURS) >= 14
    assert len(PATTERNS) - 1 >= 8
    assert {kind.department for kind in CATEGORIES.values()} == {
        "clothing", "accessories", "shoes", "bags", "home", "kitchen", "electronics", "toys",
        "sport",
    }  # fmt: skip


def test_every_category_has_a_form() -> None:
    assert set(FORMS) == set(CATEGORIES)


@pytest.mark.parametrize("view", range(VIEWS))
def test_the_same_seed_gives_the_same_picture(view: int) -> None:
    design = design_of("handbag")
    first, second = (render(design, seed=5, view=view, size=48) for _ in range(2))
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_other_seeds_and_other_views_give_other_pictures() -> None:
    design = design_of("mug")
    pictures = [render(design, seed=seed, size=48) for seed in (1, 2)]
    pictures += [render(design, seed=1, view=view, size=48) for view in (1, 2)]
    digests = {hashlib.sha256(picture.tobytes()).digest() for picture in pictures}
    assert len(digests) == len(pictures)


def test_a_missing_renderer_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skia", None)
    canvas.skia.cache_clear()
    with pytest.raises(
        MissingExtra, match=r"renderer is not installed\nhint: .*crosslens\[sample\]"
    ):
        canvas.skia()
    canvas.skia.cache_clear()


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(ValueError, match="view is 3"):
        render(design_of("mug"), seed=1, view=3)


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_named_form_is_drawn_and_changes_the_picture(category: str) -> None:
    for gene, options in CATEGORIES[category].genes.items():
        pictures = {
            render(
                design_of(category, colour="green", pattern="solid", variant={gene: option}),
                seed=3, size=32, plain=True,
            ).tobytes()
            for option in options
        }  # fmt: skip
        assert len(pictures) == len(options), gene


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name != "solid"])
def test_patterns_show_their_accent(pattern: str) -> None:
    plain = design_of("cushion", colour="white", pattern="solid", material="satin")
    figured = design_of("cushion", colour="white", pattern=pattern, accent="red", material="satin")
    before, after = (render(d, seed=3, size=64, plain=True) for d in (plain, figured))
    redder = (after[..., 0].astype(int) - after[..., 2]) - (
        before[..., 0].astype(int) - before[..., 2]
    )
    assert 0.03 < (redder > 60).mean() < 0.5


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_picture_has_the_colour_that_the_design_names(category: str) -> None:
    opaque = next(m for m in CATEGORIES[category].materials if m != "glass")
    shown = {
        colour: render(
            design_of(category, colour=colour, pattern="solid", material=opaque),
            seed=3, size=64, plain=True,
        ).astype(float)
        for colour in ("red", "blue")
    }  # fmt: skip
    # What differs between a red and a blue copy of a product is what carries its colour.
    body = np.abs(shown["red"] - shown["blue"]).max(-1) > 60
    assert body.mean() > 0.03
    for colour, picture in shown.items():
        median = np.median(picture[body], axis=0)
        assert np.abs(median - COLOURS[colour].rgb).max() < 50, (colour, median)


def test_a_contact_sheet_has_a_tile_for_each_design() -> None:
    page = contact_sheet(assortment(["mug", "sofa"], 2, seed=1), columns=2, size=32)
    assert page.size == (64, 64)

"""Contact sheets: many pictures of the shop on one page, for looking at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from crosslens.errors import InvalidRequest
from crosslens.sample.design import CATEGORIES, Design, random_design
from crosslens.sample.render import render


def contact_sheet(
    designs: Sequence[Design],
    *,
    columns: int = 8,
    size: int = 128,
    seed: int = 0,
    views: Sequence[int] = (0,),
) -> Image.Image:
    """Draw every design in every view asked for, row by row on one page."""
    tiles = [
        render(design, seed=seed + number, view=view, size=size)
        for number, design in enumerate(designs)
        for view in views
    ]
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * size, rows * size), (255, 255, 255))
    for number, tile in enumerate(tiles):
        place = (number % columns * size, number // columns * size)
        page.paste(Image.fromarray(tile), place)
    return page


def assortment(categories: Sequence[str], each: int, seed: int) -> list[Design]:
    """Invent some products of each category; neighbours differ in form."""
    rng = np.random.default_rng(seed)
    designs: list[Design] = []
    for category in categories:
        genes = CATEGORIES[category].genes
        for number in range(each):
            form = {name: options[number % len(options)] for name, options in genes.items()}
            designs.append(random_design(rng, category=category, variant=form))
    return designs


def save(page: Image.Image, out: Path) -> None:
    """
    Write a page as PNG.

    Raises:
        InvalidRequest: the file cannot be written.
    """
    try:
        page.save(out, "PNG")
    except OSError as exc:
        raise InvalidRequest(f"{out} cannot be written: {exc.strerror or exc}") from exc

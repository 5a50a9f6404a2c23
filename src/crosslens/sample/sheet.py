"""Contact sheets: many pictures of the shop on one page, for looking at."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from crosslens.sample.design import CATEGORIES, Design, random_design
from crosslens.sample.render import VIEWS, render


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a contact sheet to a PNG file."""
    parser = argparse.ArgumentParser(prog="python -m crosslens.sample.sheet", description=__doc__)
    parser.add_argument("out", type=Path, help="the PNG file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--categories", nargs="+", choices=list(CATEGORIES), metavar="CATEGORY")
    parser.add_argument("--each", type=int, default=8, help="products of each category")
    parser.add_argument("--size", type=int, default=128, help="pixels of each picture")
    parser.add_argument("--views", action="store_true", help="draw every view of every product")
    options = parser.parse_args(arguments)
    designs = assortment(options.categories or list(CATEGORIES), options.each, options.seed)
    views = tuple(range(VIEWS)) if options.views else (0,)
    page = contact_sheet(
        designs,
        columns=options.each * len(views),
        size=options.size,
        seed=options.seed,
        views=views,
    )
    page.save(options.out)


if __name__ == "__main__":
    main()

"""`crosslens sample …`: draw the invented shop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.screen import Json, print_json
from crosslens.cli.search import chosen

if TYPE_CHECKING:
    from crosslens.sample.publish import Published

app = typer.Typer(help="Draw the sample shop: catalogues and contact sheets.", no_args_is_help=True)


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(help="Folder to write, which must not exist yet.")],
    products: Annotated[int, typer.Option(help="How many products, 1 to 50,000.")] = 640,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same shop.")] = 0,
    size: Annotated[int, typer.Option(help="Pixels of each side, 32 to 1,024.")] = 256,
    format: Annotated[str, typer.Option(help="webp, jpeg or png.")] = "webp",
    quality: Annotated[int, typer.Option(help="Of WebP and JPEG, 1 to 100.")] = 80,
    as_json: Json = False,
) -> None:
    """Draw a catalogue with pictures, titles, queries and judgements."""
    from crosslens.cli.progress import progress
    from crosslens.sample.publish import PictureFiles, PictureFormat, publish

    files = PictureFiles(size, chosen(PictureFormat, format, "format"), quality)
    with progress(products) as bar:
        published = publish(
            folder, products, seed=seed, files=files, on_product=lambda done: bar("drawn", done)
        )
    _answer(folder, published, as_json=as_json)


def _answer(folder: Path, published: Published, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json({"folder": folder, **asdict(published)})
        return
    print(
        f"{published.products:,} products ({published.copies:,} of them copies), "
        f"{published.pictures:,} pictures, {published.questions:,} queries, "
        f"{published.changes:,} composed queries; {published.bytes / 1e6:.1f} MB in {folder}"
    )


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="PNG file to write.")],
    category: Annotated[
        list[str] | None, typer.Option(help="Category to draw; may be repeated; all if none.")
    ] = None,
    each: Annotated[int, typer.Option(min=1, max=64, help="Products of each category.")] = 8,
    views: Annotated[bool, typer.Option("--views", help="Draw every view.")] = False,
    size: Annotated[int, typer.Option(min=32, max=512, help="Pixels of each picture.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same sheet.")] = 0,
) -> None:
    """Draw products of every category on one page, for looking at."""
    from crosslens.sample.design import CATEGORIES
    from crosslens.sample.render import VIEWS
    from crosslens.sample.sheet import assortment, contact_sheet, save

    names = _known(category or list(CATEGORIES))
    seen = tuple(range(VIEWS)) if views else (0,)
    page = contact_sheet(
        assortment(names, each, seed),
        columns=each * len(seen),
        size=size,
        seed=seed,
        views=seen,
    )
    save(page, out)
    print(f"{len(names) * each * len(seen):,} pictures on {out}")


@app.command()
def css3d(
    folder: Annotated[Path, typer.Argument(help="Folder to write, which must not exist yet.")],
    width: Annotated[int, typer.Option(help="Pixels; the height is two thirds of it.")] = 180,
    samples: Annotated[int, typer.Option(help="Rays per pixel and side, 1 to 8.")] = 2,
    bases: Annotated[int, typer.Option(help="Base scenes of a split, 12 to 20,000.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same set.")] = 0,
    processes: Annotated[int, typer.Option(min=0, max=256, help="0: one per core.")] = 0,
    as_json: Json = False,
) -> None:
    """Draw CSS3D-R: scenes, and instructions in English and Chinese that change them."""
    import os
    from dataclasses import asdict

    from crosslens.cli.progress import progress
    from crosslens.sample.css3d import Look, pictures, publish

    look = Look(width, samples, bases, seed)
    with progress(pictures(look)) as bar:
        found = publish(
            folder,
            look,
            processes=processes or os.cpu_count() or 1,
            on_picture=lambda done: bar("drawn", done),
        )
    if as_json:
        print_json({"folder": folder, **asdict(found)})
        return
    for name, counts in found.counts.items():
        print(f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    print(f"scenes {found.scenes}\npixels {found.pixels}")


def _known(categories: list[str]) -> list[str]:
    from crosslens.errors import InvalidRequest
    from crosslens.sample.design import CATEGORIES

    for name in categories:
        if name not in CATEGORIES:
            allowed = ", ".join(CATEGORIES)
            raise InvalidRequest(f"category is {name!r}, allowed are {allowed}")
    return categories

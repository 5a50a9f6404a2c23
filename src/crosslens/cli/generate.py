"""`crosslens generate`: pictures for words."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from crosslens.cli.progress import progress
from crosslens.cli.screen import Json, opened, print_json, settle
from crosslens.disk import explained


def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to draw, in Chinese or English.")],
    negative: Annotated[str, typer.Option(help="What it is to be unlike.")] = "",
    n: Annotated[int, typer.Option("--n", "-n", help="How many pictures, 1 to 10.")] = 1,
    size: Annotated[int, typer.Option(help="Side in pixels; 0: as the generator draws.")] = 0,
    steps: Annotated[int, typer.Option(help="Of the sampling; 0: as the generator does.")] = 0,
    guidance: Annotated[
        float | None, typer.Option(help="How strictly the words are followed.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same gives the same picture; drawn unless said.")
    ] = None,
    generator: Annotated[
        str, typer.Option(help="Which generator; the one of the settings unless said.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path(),
    product: Annotated[
        bool, typer.Option("--product", help="Add a product with the pictures.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw pictures for words; each file says how it came to be."""
    from crosslens.catalog.product import ProductFields
    from crosslens.generate.wish import SEEDS, Wish

    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    wish = Wish(prompt, negative, n, size, steps, guidance, chosen)
    _require_writable(out)
    with opened(context) as app:
        with progress(None) as move:
            made = app.studio.draw(
                wish, name=generator, step=lambda done, total: move("drawing", done)
            )
        files = [_written(out / f"{each.sha256[:16]}.png", each.content) for each in made]
        added = None
        if product:
            fields = ProductFields(prompt.strip())
            added = app.editor.add(fields, [each.content for each in made]).id
            settle(app)
    if as_json:
        pictures = [
            {"file": str(file), "sha256": each.sha256, "seed": each.provenance.seed}
            for file, each in zip(files, made, strict=True)
        ]
        print_json({"pictures": pictures, "product_id": added})
        return
    for file, each in zip(files, made, strict=True):
        print(f"{file}  seed {each.provenance.seed}")
    if added is not None:
        print(f"product {added}")


def _require_writable(folder: Path) -> None:
    """Notice a folder that takes no files before the work, not after it."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _written(file: Path, content: bytes) -> Path:
    with explained(file):
        file.write_bytes(content)
    return file

"""`crosslens export`: everything of the catalogue into a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from crosslens.cli.imports import interruptible
from crosslens.cli.screen import Json, opened, print_json, say
from crosslens.corpora.exports import Form


def export(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help="Folder to make; it must not exist yet.")],
    form: Annotated[
        Form, typer.Option("--format", help="File of the products.", case_sensitive=False)
    ] = Form.JSONL,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Write the vectors of the index, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Export products, pictures and, on wish, vectors; `crosslens import` brings them back."""
    from crosslens.cli.progress import progress
    from crosslens.indexing.exporting import Exporter

    with opened(context) as app, interruptible() as stop:
        summary = app.catalog.summary()
        with progress(summary.products + summary.retired) as bar:
            exporter = Exporter(
                app.catalog,
                app.media,
                attributes=app.settings.attributes,
                index=app.index if vectors else None,
                on_progress=lambda done: bar("exported", done),
            )
            done = exporter.run(target, form, stop)
    if done is None:
        say(f"interrupted; nothing is left in {target.parent}")
        raise typer.Exit(130)
    if done.without_vectors:
        say(f"{done.without_vectors} vectors are not in the index yet: `crosslens index work`")
    if as_json:
        print_json({"target": str(target), "format": str(form), **asdict(done)})
    else:
        megabytes = done.bytes / 1e6
        print(
            f"{done.products} products ({done.retired} retired ones apart), {done.pictures} "
            f"pictures of {megabytes:,.1f} MB, {done.vectors} vectors in {target}"
        )

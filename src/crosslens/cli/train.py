"""`crosslens train …`: learn an encoder from rendered products or from your own catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli import train_composer, training
from crosslens.cli.screen import Json, opened, print_json, say

if TYPE_CHECKING:
    from crosslens.train.config import TrainConfig
    from crosslens.train.listed import Listing
    from crosslens.train.source import Source
    from crosslens.wiring import App

app = typer.Typer(help="Train an encoder and make a bundle of it.", no_args_is_help=True)
app.command("composer")(train_composer.composer)
app.command("judge-composer")(train_composer.judge_composer)
app.command("export-composer")(train_composer.export_composer)


@app.command()
def encoder(
    context: typer.Context,
    run: training.Run,
    rendered: Annotated[
        int | None, typer.Option(min=16, help="Learn from so many rendered products.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Learn from this data set instead of your catalogue.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 4_000,
    minutes: training.Minutes = 0.0,
    products: Annotated[int, typer.Option(min=2, help="Products per step.")] = 96,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    validate_every: training.ValidateEvery = 500,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Bundle or run to fine-tune; its shape and words are kept."),
    ] = None,
    new_words: Annotated[
        bool, typer.Option("--new-words", help="With --start-from: learn this data's words anew.")
    ] = False,
    words_only: Annotated[
        bool,
        typer.Option(
            "--words-only", help="With --start-from: teach words alone; pictures stay as they are."
        ),
    ] = False,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Attribute whose values people search by; may be repeated."),
    ] = None,
    resume: training.Resume = False,
    device: training.Device = "cpu",
    threads: training.Threads = 0,
    seed: training.Seed = 1,
    tensorboard: training.Board = False,
    as_json: Json = False,
) -> None:
    """Train on your catalogue, a data set, or rendered products; Ctrl-C saves, --resume goes on."""
    training.require_torch()
    from crosslens.train.config import TrainConfig
    from crosslens.train.run import train_encoder

    config = TrainConfig(
        folder=run, steps=steps, max_minutes=minutes, products=products, learning_rate=rate,
        start_from=start_from and training.found(context, start_from), new_words=new_words,
        device=device, threads=threads, seed=seed, words_only=words_only, tensorboard=tensorboard,
        validate_every=validate_every,
    )  # fmt: skip
    source = _source(context, config, rendered, data, attribute or ())
    ended = train_encoder(config, source, resume=resume, report=training.report)
    training.tell(ended, as_json=as_json)


@app.command()
def export(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    name: Annotated[str, typer.Argument(help="Name of the bundle, or a folder for it.")],
    about: Annotated[str, typer.Option(help="What it is, for its card.")] = "An own encoder.",
    licence: training.Licence = "private",
    between: Annotated[
        Path | None,
        typer.Option(help="The run that this one started from: export what lies halfway."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Store float32 instead of float16; twice as large.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a bundle of a run's best model, if it passes the parity gate."""
    training.require_torch()
    from crosslens.train.export import export as write

    folder = training.folder_for(context, name, kind="bundles")
    card = write(
        run,
        folder,
        name=folder.name,
        about=about,
        licence=licence,
        halved=not full,
        between=between,
    )
    if as_json:
        print_json({"name": card.name, "space": card.space, "folder": str(folder)})
    else:
        print(f"{folder}\nhint: `crosslens model use {name}` switches to it")


def _source(
    context: typer.Context,
    config: TrainConfig,
    rendered: int | None,
    data: Path | None,
    attributes: Sequence[str],
) -> Source:
    from crosslens.train.listed import ListedSource
    from crosslens.train.rendered import RenderConfig
    from crosslens.train.shop import sample_source

    if rendered is not None:
        return sample_source(
            RenderConfig(products=rendered, seed=config.seed), folder=config.folder / "pictures"
        )
    with opened(context) as app:
        found = _listings(app, data, attributes)
        source = ListedSource(
            found, cache=config.folder / "pictures.u8", px=config.model.picture_px
        )
    for reason in source.skipped.reasons:
        say(f"left out: {reason}")
    return source


def _listings(app: App, data: Path | None, attributes: Sequence[str]) -> Iterator[Listing]:
    from crosslens.corpora.sources import open_source
    from crosslens.train.listed import Listing, listings, other_titles, searched

    if data is not None:
        yield from listings(open_source(data), attributes=attributes)
        return
    for batch in app.catalog.stream():
        for product in batch:
            known = product.fields.attributes
            yield Listing(
                key=product.fields.source_key or str(product.id),
                titles=[product.title, *other_titles(known)],
                pictures=[app.media.get(picture.sha256) for picture in product.pictures],
                kind=str(known.get("category", "")),
                attributes=searched(known, attributes),
            )

"""`crosslens train …`: learn an encoder from rendered products or from your own catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli import train_composer
from crosslens.cli.screen import Json, opened, print_json, say
from crosslens.errors import MissingExtra

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
    run: Annotated[Path, typer.Argument(help="Folder of the run; holds all that it needs.")],
    rendered: Annotated[
        int | None, typer.Option(min=16, help="Learn from so many rendered products.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Learn from this data set instead of your catalogue.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 4_000,
    minutes: Annotated[float, typer.Option(min=0, help="Stop after so long; 0: no limit.")] = 0.0,
    products: Annotated[int, typer.Option(min=2, help="Products per step.")] = 96,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations; each saves the run.")
    ] = 500,
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
    resume: Annotated[bool, typer.Option(help="Go on with the run that is there.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch decides.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same run.")] = 1,
    tensorboard: Annotated[bool, typer.Option(help="Write events for TensorBoard.")] = False,
    as_json: Json = False,
) -> None:
    """Train on your catalogue, a data set, or rendered products; Ctrl-C saves, --resume goes on."""
    _require_torch()
    from crosslens.train.config import TrainConfig
    from crosslens.train.run import train_encoder

    start_from = _start(context, start_from)
    config = TrainConfig(
        folder=run, steps=steps, max_minutes=minutes, products=products, learning_rate=rate,
        start_from=start_from, new_words=new_words, device=device, threads=threads, seed=seed,
        words_only=words_only, tensorboard=tensorboard, validate_every=validate_every,
    )  # fmt: skip
    source = _source(context, config, rendered, data, attribute or ())
    outcome = train_encoder(config, source, resume=resume, report=_report)
    recalls = {name: [r.at_1, r.at_10] for name, r in outcome.recalls.items()}
    if as_json:
        print_json(
            {
                "finished": outcome.finished,
                "reason": outcome.reason,
                "step": outcome.step,
                "recall": recalls,
            }
        )
    else:
        print(f"{outcome.reason} at step {outcome.step}")
        for name, (first, tenth) in recalls.items():
            print(f"{name:<16} R@1 {first:.3f}  R@10 {tenth:.3f}")
        if not outcome.finished:
            say("hint: the same command with --resume goes on")


@app.command()
def export(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    name: Annotated[str, typer.Argument(help="Name of the bundle, or a folder for it.")],
    about: Annotated[str, typer.Option(help="What it is, for its card.")] = "An own encoder.",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "private",
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
    _require_torch()
    from crosslens.train.export import export as write

    with opened(context) as app:
        folder = Path(name) if "/" in name else app.settings.home / "bundles" / name
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


def _require_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtra("training is not installed", hint="pip install 'crosslens[train]'")


def _start(context: typer.Context, named: Path | None) -> Path | None:
    """Find a run by its folder, a bundle by its folder or its name."""
    if named is None or named.is_dir():
        return named
    with opened(context) as app:
        return app.shelf.folder(str(named))


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


def _report(row: Any) -> None:
    shown = "  ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
    )
    say(shown)

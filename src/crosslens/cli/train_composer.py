"""`crosslens train composer`, `judge-composer` and `export-composer`: like this, but …"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli import training
from crosslens.cli.screen import Json, opened, print_json, table
from crosslens.cli.search import chosen

if TYPE_CHECKING:
    from crosslens.corpora.composed import ComposedSet
    from crosslens.evaluate.composed import ComposedReport
    from crosslens.train.composer_config import ComposerConfig
    from crosslens.train.composer_data import Material

METHODS = "image_only, text_only, concat, tirg, tirg_lastconv, tokens"
LOSSES = "soft_triplet, batch_classification, siblings"
OPTIMIZERS, READERS = "adamw, sgd", "attention, lstm"
Original = Annotated[
    bool, typer.Option("--original", help="Open the original CSS3D file, which is a pickle.")
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder for decoded and drawn pictures; that of the run unless said."),
]


def composer(
    context: typer.Context,
    run: training.Run,
    data: Annotated[
        Path | None, typer.Option(help="Composed set to learn from, in its published layout.")
    ] = None,
    rendered: Annotated[
        int | None, typer.Option(min=16, help="Learn from so many rendered products instead.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the set.")] = "train",
    bundle: Annotated[
        str | None,
        typer.Option(help="Compose over the vectors of this bundle; without, over pixels."),
    ] = None,
    method: Annotated[str, typer.Option(help=f"One of {METHODS}.")] = "tokens",
    loss: Annotated[str, typer.Option(help=f"One of {LOSSES}.")] = "siblings",
    dim: Annotated[int, typer.Option(min=1, help="Of the vectors, over pixels.")] = 192,
    steps: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 6_000,
    minutes: training.Minutes = 0.0,
    batch: Annotated[int, typer.Option(min=2, help="Questions per step.")] = 72,
    siblings: Annotated[int, typer.Option(min=1, help="Of these, about one picture.")] = 6,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    decay_every: Annotated[
        int, typer.Option(min=0, help="Steps to a tenth of the rate; 0: falls at the end.")
    ] = 0,
    weight_decay: Annotated[float, typer.Option(min=0)] = 0.05,
    optimizer: Annotated[str, typer.Option(help=f"One of {OPTIMIZERS}.")] = "adamw",
    momentum: Annotated[float, typer.Option(min=0, max=0.999, help="Of SGD.")] = 0.9,
    reader: Annotated[str, typer.Option(help=f"What reads the words: {READERS}.")] = "attention",
    dropout: Annotated[float, typer.Option(min=0, max=0.9)] = 0.1,
    noise: Annotated[float, typer.Option(min=0, help="Added to what is seen.")] = 0.1,
    word_drop: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the words left out while learning.")
    ] = 0.1,
    shift: Annotated[
        int, typer.Option(min=0, help="Pixels by which pictures are moved while learning.")
    ] = 4,
    mirror: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the sources mirrored, left said for right."),
    ] = 0.0,
    scale: Annotated[
        float, typer.Option(min=1, max=100, help="Inverse temperature at first; it is learned.")
    ] = 10.0,
    plain: Annotated[
        float,
        typer.Option(min=0, max=0.99, help="Share of the plain vector sum, over a bundle."),
    ] = 0.0,
    validate_every: training.ValidateEvery = 500,
    watch: Annotated[
        str | None, typer.Option(help="Split to ask at validations too; decides nothing.")
    ] = None,
    cache: Cache = None,
    original: Original = False,
    resume: training.Resume = False,
    device: training.Device = "cpu",
    threads: training.Threads = 0,
    seed: training.Seed = 1,
    tensorboard: training.Board = False,
    as_json: Json = False,
) -> None:
    """Train a composer for "like this, but …"; Ctrl-C saves, --resume goes on."""
    training.require_torch()
    from crosslens.corpora.composed_sources import open_composed
    from crosslens.train.composer import train_composer
    from crosslens.train.composer_config import (
        ComposerConfig,
        Loss,
        Method,
        Optimizer,
        Reader,
        Shape,
    )

    shape = Shape(
        method=chosen(Method, method, "method"), dim=dim, dropout=dropout, noise=noise,
        reader=chosen(Reader, reader, "reader"), plain=plain,
        scale=scale, over_vectors=bundle is not None or rendered is not None,
    )  # fmt: skip
    config = ComposerConfig(
        folder=run, steps=steps, max_minutes=minutes, batch=batch, siblings=siblings,
        learning_rate=rate, decay_every=decay_every, weight_decay=weight_decay,
        loss=chosen(Loss, loss, "loss"), word_drop=word_drop, validate_every=validate_every,
        device=device, threads=threads, seed=seed, tensorboard=tensorboard, shape=shape,
        optimizer=chosen(Optimizer, optimizer, "optimizer"), momentum=momentum, shift=shift,
        mirror=mirror,
    )  # fmt: skip
    with opened(context) as app:
        material, config = _material(
            app, config, data, rendered, split, bundle, cache, original=original
        )
        watched = None
        if watch is not None and data is not None:
            found = open_composed(data, watch, unpickle=original)
            watched = _of_set(app, found, cache or run, bundle)
    ended = train_composer(
        config, material, watched=watched, resume=resume, report=training.report
    )  # fmt: skip
    training.tell(ended, as_json=as_json)


def judge_composer(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a composer's run.")],
    data: Annotated[Path, typer.Argument(help="Composed set, in its published layout.")],
    split: Annotated[str, typer.Option(help="Split of the set.")] = "test",
    bundle: Annotated[
        str | None, typer.Option(help="The bundle that it composes over, if it does.")
    ] = None,
    original: Original = False,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Measure a composer by the protocol of its literature, over a whole split."""
    training.require_torch()
    from crosslens.corpora.composed_sources import open_composed
    from crosslens.train.composer import load_composer
    from crosslens.train.composer_lesson import questions, report

    trained = load_composer(run)
    found = open_composed(data, split, unpickle=original)
    with opened(context) as app:
        material = _of_set(app, found, cache or run, bundle)
    answer = report(trained.model, trained.tokenizer, material, questions(found.wishes))
    if as_json:
        print_json({"set": found.name, "split": split, "step": trained.step, **answer.as_json()})
    else:
        show(answer)


def export_composer(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a composer's run.")],
    name: Annotated[str, typer.Argument(help="Name of the composer, or a folder for it.")],
    about: Annotated[str, typer.Option(help="What it is, for its card.")] = "An own composer.",
    licence: training.Licence = "private",
    as_json: Json = False,
) -> None:
    """Make a composer of a run; searches in its space use it from the next start on."""
    training.require_torch()
    from crosslens.train.composer_export import export

    folder = training.folder_for(context, name, kind="composers")
    card = export(run, folder, name=folder.name, about=about, licence=licence)
    if as_json:
        print_json({"name": card.name, "space": card.space, "folder": str(folder)})
    else:
        print(f"{folder}\ncomposes in {card.space}")


def show(found: ComposedReport) -> None:
    """Print a report for people."""
    rows = [
        [name, value, "{:.4f} – {:.4f}".format(*found.all.intervals[name])]
        for name, value in found.all.metrics.items()
    ]
    table(["measure", "mean", "95 % interval"], rows)
    for name, parts in found.by.items():
        cells = [
            [value, each.queries, each.metrics["recall@1"], each.metrics["recall@10"]]
            for value, each in parts.items()
        ]
        table([name, "questions", "recall@1", "recall@10"], cells)
    for name, (low, high) in found.spread.items():
        print(f"{name} of the phrasings: {low:.4f} – {high:.4f}")
    print(f"{found.all.queries} questions, {found.gallery} pictures")


def _material(
    app: Any,
    config: ComposerConfig,
    data: Path | None,
    rendered: int | None,
    split: str,
    bundle: str | None,
    cache: Path | None,
    *,
    original: bool,
) -> tuple[Material, ComposerConfig]:
    """Open what is learned from; over a bundle, the composer gets its dimension."""
    import dataclasses

    from crosslens.corpora.composed_sources import open_composed
    from crosslens.errors import InvalidRequest
    from crosslens.train.composer_shop import rendered_wishes

    if (data is None) == (rendered is None):
        raise InvalidRequest("learn from --data or from --rendered, one of them")
    if rendered is not None:
        bundle = bundle or app.settings.cross_modal
        model = app.bundle(bundle)
        material = rendered_wishes(
            rendered, model.pictures, model.words, cache=cache or config.folder, seed=config.seed,
        )  # fmt: skip
    else:
        assert data is not None  # noqa: S101 - for the type checker
        found = open_composed(data, split, unpickle=original)
        material = _of_set(app, found, cache or config.folder, bundle)
    if bundle is not None:
        dim = app.bundle(bundle).space.dim
        config = dataclasses.replace(config, shape=dataclasses.replace(config.shape, dim=dim))
    return material, config


def _of_set(app: Any, found: ComposedSet, cache: Path, bundle: str | None) -> Material:
    from crosslens.cli.progress import progress
    from crosslens.train.composer_data import over_pixels, over_vectors

    if bundle is not None:
        model = app.bundle(bundle)
        return over_vectors(found, model.pictures, model.words, cache)
    with progress(len(found.pictures)) as bar:
        return over_pixels(
            found,
            cache / f"pictures-{found.split}.u8",
            progress=lambda done, of: bar("decoded", done),
        )

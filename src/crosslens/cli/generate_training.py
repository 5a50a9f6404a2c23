"""`crosslens train generator`: learn to draw products from words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli import training
from crosslens.cli.screen import Json, print_json

if TYPE_CHECKING:
    from crosslens.train.lessons import Ended


class Part(StrEnum):
    """What is trained."""

    CODEC = "codec"
    CRITIC = "critic"
    FLOW = "flow"


def generator(
    context: typer.Context,
    run: training.Run,
    rendered: Annotated[
        int, typer.Option(min=16, help="Learn from so many rendered products.")
    ] = 20_000,
    held_out: Annotated[
        int, typer.Option(min=16, help="Products of combinations that are kept for validation.")
    ] = 300,
    only: Annotated[
        Part | None, typer.Option(help="Train this part alone; all, one by one, unless said.")
    ] = None,
    codec_steps: Annotated[int, typer.Option(min=1, help="Schedule of the codec.")] = 1_000,
    critic_steps: Annotated[int, typer.Option(min=1, help="Schedule of the critic.")] = 2_000,
    steps: Annotated[int, typer.Option(min=1, help="Schedule of the flow.")] = 20_000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures in a step of the flow.")] = 96,
    rate: Annotated[float, typer.Option(help="Highest learning rate of the flow.")] = 1e-3,
    fall: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of its last steps, in which the rate falls."),
    ] = 0.2,
    words_from: Annotated[
        str, typer.Option(help="Bundle or run with whose text tower it begins to read.")
    ] = "crosslens-mini",
    start_from: Annotated[
        str, typer.Option(help="Run or generator's bundle whose codec and flow are taught on.")
    ] = "",
    balance: Annotated[
        str, typer.Option(help="Attribute whose rarer values the flow is shown more often.")
    ] = "",
    revise: Annotated[
        str, typer.Option(help="Attribute whose values that it draws wrong it is shown more often.")
    ] = "",
    perceptual: Annotated[
        float, typer.Option(min=0, help="How much the critic's eye counts.")
    ] = 2.0,
    telling: Annotated[
        float, typer.Option(min=0, help="How much it counts that the critic names both alike.")
    ] = 0.0,
    rehearsed: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of pictures that go on from where the flow came."),
    ] = 0.25,
    minutes: Annotated[
        float, typer.Option(min=0, help="Stop each part after so long; 0: no limit.")
    ] = 0.0,
    validate_every: training.ValidateEvery = 250,
    resume: training.Resume = False,
    device: training.Device = "cpu",
    threads: training.Threads = 0,
    seed: training.Seed = 1,
    tensorboard: training.Board = False,
    as_json: Json = False,
) -> None:
    """Train a codec, a critic, then a flow in codes; Ctrl-C saves, --resume goes on."""
    training.require_torch()
    from crosslens.train.generator import train_codec, train_critic, train_flow
    from crosslens.train.generator_begins import part_of
    from crosslens.train.generator_config import CodecConfig, CriticConfig, FlowConfig
    from crosslens.train.generator_studio import POSES, studio_source
    from crosslens.train.rendered import RenderConfig

    shared: dict[str, Any] = {
        "max_minutes": minutes, "validate_every": validate_every, "device": device,
        "threads": threads, "seed": seed, "tensorboard": tensorboard,
    }  # fmt: skip
    drawn = RenderConfig(products=rendered, validation=held_out, seed=seed)
    begins = training.found(context, Path(start_from), generator=True) if start_from else None
    source = studio_source(drawn, folder=run / "pictures")
    ended: Ended | None = None

    def wanted(part: Part) -> bool:
        return only in {None, part} and (ended is None or ended.finished)

    if wanted(Part.CODEC):
        codec = CodecConfig(
            folder=run / "codec", steps=codec_steps, start_from=part_of(begins, "codec"), **shared
        )  # fmt: skip
        ended = train_codec(codec, source, resume=resume, report=training.report)
    if wanted(Part.CRITIC) and (perceptual or telling or revise):
        critic = CriticConfig(folder=run / "critic", steps=critic_steps, **shared)
        ended = train_critic(critic, source, run / "codec", resume=resume, report=training.report)
    if wanted(Part.FLOW):
        words = training.found(context, Path(words_from))
        flow = FlowConfig(
            folder=run / "flow", steps=steps, batch=batch, learning_rate=rate, words_from=words,
            poses=POSES, fall=fall, start_from=part_of(begins, "flow"),
            balance=balance, revise=revise, perceptual=perceptual, telling=telling,
            rehearsed=rehearsed, **shared,
        )  # fmt: skip
        ended = train_flow(
            flow, source, run / "codec", critic=run / "critic", resume=resume,
            report=training.report,
        )  # fmt: skip
    if ended is not None:
        training.tell(ended, as_json=as_json)


def export_generator(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    name: Annotated[str, typer.Argument(help="Name of the generator, or a folder for it.")],
    about: Annotated[str, typer.Option(help="What it is, for its card.")] = "An own generator.",
    licence: training.Licence = "private",
    note: Annotated[str, typer.Option(help="What its users should know.")] = "",
    steps: Annotated[int, typer.Option(min=1, max=150, help="Sampling steps.")] = 12,
    guidance: Annotated[float, typer.Option(min=0, max=30, help="Of the sampling.")] = 2.5,
    guided: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the way on which guidance counts.")
    ] = 1.0,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Of the noise; below 1 pictures are smoother.")
    ] = 1.0,
    settled: Annotated[
        bool,
        typer.Option(
            "--settled", help="Take what lies halfway between the best state and the last."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a generator's bundle of a run's best state, if it passes the parity gate."""
    training.require_torch()
    from crosslens.train.generator_export import export_generator as write

    folder = training.folder_for(context, name, kind="generators")
    card = write(
        run, folder, name=folder.name, about=about, licence=licence, note=note, steps=steps,
        guidance=guidance, guided=guided, temperature=temperature,
        settled=settled,
    )  # fmt: skip
    if as_json:
        print_json({"name": card.name, "folder": str(folder)})
    else:
        print(f"{folder}\nhint: set `generator` to {name}")

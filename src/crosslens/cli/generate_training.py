"""`crosslens train generator`: learn to draw products from words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Json, opened, print_json, say
from crosslens.errors import MissingExtra

if TYPE_CHECKING:
    from crosslens.train.lessons import Ended


class Part(StrEnum):
    """What is trained."""

    CODEC = "codec"
    FLOW = "flow"


def generator(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of the run; holds all that it needs.")],
    rendered: Annotated[
        int, typer.Option(min=16, help="Learn from so many rendered products.")
    ] = 20_000,
    held_out: Annotated[
        int, typer.Option(min=16, help="Products of combinations that are kept for validation.")
    ] = 300,
    only: Annotated[
        Part | None, typer.Option(help="Train this part alone; both, one by one, unless said.")
    ] = None,
    codec_steps: Annotated[int, typer.Option(min=1, help="Schedule of the codec.")] = 1_000,
    steps: Annotated[int, typer.Option(min=1, help="Schedule of the flow.")] = 20_000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures in a step of the flow.")] = 96,
    rate: Annotated[float, typer.Option(help="Highest learning rate of the flow.")] = 1e-3,
    words_from: Annotated[
        str, typer.Option(help="Bundle or run whose text tower reads the words; copied.")
    ] = "crosslens-mini",
    minutes: Annotated[
        float, typer.Option(min=0, help="Stop each part after so long; 0: no limit.")
    ] = 0.0,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations; each saves the run.")
    ] = 250,
    resume: Annotated[bool, typer.Option(help="Go on with the run that is there.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch decides.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same run.")] = 1,
    tensorboard: Annotated[bool, typer.Option(help="Write events for TensorBoard.")] = False,
    as_json: Json = False,
) -> None:
    """Train a codec, then a flow in its codes; Ctrl-C saves, --resume goes on."""
    _require_torch()
    from crosslens.train.generator import train_codec, train_flow
    from crosslens.train.generator_config import CodecConfig, FlowConfig
    from crosslens.train.generator_studio import studio_source
    from crosslens.train.rendered import RenderConfig

    shared: dict[str, Any] = {
        "max_minutes": minutes, "validate_every": validate_every, "device": device,
        "threads": threads, "seed": seed, "tensorboard": tensorboard,
    }  # fmt: skip
    drawn = RenderConfig(products=rendered, validation=held_out, seed=seed)
    source = studio_source(drawn, folder=run / "pictures")
    ended = None
    if only is not Part.FLOW:
        codec = CodecConfig(folder=run / "codec", steps=codec_steps, **shared)
        ended = train_codec(codec, source, resume=resume, report=_report)
    if only is not Part.CODEC and (ended is None or ended.finished):
        words = _words(context, words_from)
        flow = FlowConfig(
            folder=run / "flow", steps=steps, batch=batch, learning_rate=rate, words_from=words,
            **shared,
        )  # fmt: skip
        ended = train_flow(flow, source, run / "codec", resume=resume, report=_report)
    if ended is not None:
        _tell(ended, as_json=as_json)


def export_generator(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    name: Annotated[str, typer.Argument(help="Name of the generator, or a folder for it.")],
    about: Annotated[str, typer.Option(help="What it is, for its card.")] = "An own generator.",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "private",
    note: Annotated[str, typer.Option(help="What its users should know.")] = "",
    steps: Annotated[int, typer.Option(min=1, max=150, help="Sampling steps.")] = 12,
    guidance: Annotated[float, typer.Option(min=0, max=30, help="Of the sampling.")] = 2.5,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Of the noise; below 1 pictures are smoother.")
    ] = 1.0,
    as_json: Json = False,
) -> None:
    """Make a generator's bundle of a run's best state, if it passes the parity gate."""
    _require_torch()
    from crosslens.train.generator_export import export_generator as write

    with opened(context) as app:
        folder = Path(name) if "/" in name else app.settings.home / "generators" / name
    card = write(
        run, folder, name=folder.name, about=about, licence=licence, note=note, steps=steps,
        guidance=guidance, temperature=temperature,
    )  # fmt: skip
    if as_json:
        print_json({"name": card.name, "folder": str(folder)})
    else:
        print(f"{folder}\nhint: set `generator` to {name}")


def _tell(ended: Ended, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "finished": ended.finished,
                "reason": ended.reason,
                "step": ended.step,
                "figures": dict(ended.figures),
            }
        )
        return
    print(f"{ended.reason} at step {ended.step}")
    for name, value in ended.figures.items():
        print(f"{name:<16} {value:.4f}")
    if not ended.finished:
        say("hint: the same command with --resume goes on")


def _words(context: typer.Context, named: str) -> Path:
    if Path(named).is_dir():
        return Path(named)
    with opened(context) as app:
        return app.shelf.folder(named)


def _report(row: Any) -> None:
    shown = "  ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
    )
    say(shown)


def _require_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtra("training is not installed", hint="pip install 'crosslens[train]'")

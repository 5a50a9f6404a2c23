"""What the commands that train share: their options, how they start, and what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import opened, print_json, say
from crosslens.errors import MissingExtra

if TYPE_CHECKING:
    from crosslens.train.lessons import Ended

Run = Annotated[Path, typer.Argument(help="Folder of the run; holds all that it needs.")]
Minutes = Annotated[float, typer.Option(min=0, help="Stop after so long; 0: no limit.")]
ValidateEvery = Annotated[
    int, typer.Option(min=1, help="Steps between validations; each saves the run.")
]
Resume = Annotated[bool, typer.Option(help="Go on with the run that is there.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch decides.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same run.")]
Board = Annotated[bool, typer.Option(help="Write events for TensorBoard.")]
Licence = Annotated[str, typer.Option(help="Licence of the weights.")]


def require_torch() -> None:
    """
    Check that training is installed.

    Raises:
        MissingExtra: it is not.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtra("training is not installed", hint="pip install 'crosslens[train]'")


def found(context: typer.Context, named: Path, *, generator: bool = False) -> Path:
    """Find a run by its folder, a bundle or a generator by its folder or its name."""
    if named.is_dir():
        return named
    with opened(context) as app:
        shelf = app.generator_shelf if generator else app.shelf
        return shelf.folder(str(named))


def folder_for(context: typer.Context, name: str, *, kind: str) -> Path:
    """Say where an export goes: to a folder that is named, or by its name into the home."""
    if "/" in name:
        return Path(name)
    with opened(context) as app:
        return app.settings.home / kind / name


def report(row: Mapping[str, Any]) -> None:
    """Show a row of metrics as it comes."""
    say("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


def tell(ended: Ended, *, as_json: bool) -> None:
    """Print how a training ended, and what its last validation found."""
    if as_json:
        told = {"finished": ended.finished, "reason": ended.reason, "step": ended.step}
        print_json({**told, "figures": dict(ended.figures)})
        return
    print(f"{ended.reason} at step {ended.step}")
    for name, value in ended.figures.items():
        print(f"{name:<20} {value:.4f}")
    if not ended.finished:
        say("hint: the same command with --resume goes on")

"""What commands share: the home, opening the application, answers for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.errors import CrosslensError, InvalidRequest, Unavailable

if TYPE_CHECKING:
    from crosslens.wiring import App

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="Column of a field; may be repeated."),
]
Captions = Annotated[Path | None, typer.Option(help="File of titles for a picture folder.")]
Host = Annotated[
    str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]", show_default=False)
]
ApiPort = Annotated[
    int | None, typer.Option(help="Port; 0 takes a free one. [default: 6008]", show_default=False)
]


@dataclass(frozen=True, slots=True)
class State:
    """What stands before the command."""

    home: Path | None
    verbose: bool


@contextmanager
def opened(context: typer.Context, **overrides: Any) -> Iterator[App]:
    """Open the application of the chosen home, and close it whatever happens."""
    from crosslens import settings, telemetry, wiring

    state: State = context.obj
    own = settings.load(state.home, **overrides)
    telemetry.configure(verbose=state.verbose, level=own.log_level, format=own.log_format)
    with wiring.build(own) as app:
        yield app


def settle(app: App) -> None:
    """Index what has just been written, or say who will."""
    try:
        app.worker().drain()
    except Unavailable as exc:
        say(f"stored, not yet indexed: {exc.message}")


def print_json(answer: Any) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(answer, ensure_ascii=False, default=str, allow_nan=False))


def say(text: str) -> None:
    """Tell a person something on stderr; stdout stays the answer."""
    print(text, file=sys.stderr)


def report_error(exc: CrosslensError) -> int:
    """Print an error for a person and return the exit code it deserves."""
    print(f"error: {exc.message}", file=sys.stderr)
    if exc.hint:
        print(f"hint: {exc.hint}", file=sys.stderr)
    return 2 if isinstance(exc, InvalidRequest) else 1


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for people; numbers to the right, long text wrapped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for n, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[n], int | float) for row in rows)
        shown.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    Console().print(shown)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)

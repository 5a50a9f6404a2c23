"""`crosslens push`: built shards into a document store or a vector index."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.imports import SHOWN, interruptible
from crosslens.cli.screen import Json, opened, print_json, say

if TYPE_CHECKING:
    from crosslens.corpora.records import BadRecord


def push(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="Folder that `crosslens build` made.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="mongodb://HOST/DATABASE.COLLECTION, milvus://HOST:PORT/NAME, "
            "milvus:FILE.db/NAME, or `index`: the index of this home.",
        ),
    ],
    id: Annotated[str, typer.Option(help="Field that tells entries apart.")] = "id",
    words: Annotated[
        str,
        typer.Option(
            metavar="FIELD,…",
            help="Fields that keywords find in a vector index; usually those that were encoded.",
        ),
    ] = "",
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Entries at once.")] = 500,
    as_json: Json = False,
) -> None:
    """Push shards, then count: fails unless everything is there. Repeating changes nothing."""
    from crosslens.cli.progress import progress
    from crosslens.corpora.shards import read_sheet, shard_entries
    from crosslens.indexing.pushing import Pusher

    sheet = read_sheet(source)
    if not sheet.whole:
        say(f"{source} is not built to its end: this pushes the {sheet.written} entries there are")
    shown: list[BadRecord] = []
    fields = [name for name in words.split(",") if name]
    with (
        opened(context) as app,
        interruptible() as stop,
        app.push_target(to, sheet.columns, id=id, words=fields) as target,
        progress(sheet.written) as bar,
    ):
        pusher = Pusher(
            target,
            id,
            batch_size,
            lambda done: bar("pushed", done),
            lambda bad: shown.append(bad) if len(shown) < SHOWN else None,
        )
        pushed = pusher.run(shard_entries(source, sheet), stop)
    for bad in shown:
        say(f"{bad.where}: {bad.reason}")
    if as_json:
        print_json({**asdict(pushed), "complete": pushed.complete})
    else:
        print(
            f"{pushed.read} pushed, {pushed.held} of them held by the target, {pushed.bad} left "
            f"out; it holds {pushed.total} in all"
        )
    if pushed.interrupted:
        say("interrupted; repeat the command to push everything")
        raise typer.Exit(130)
    if not pushed.complete:
        say("the target does not hold everything that was read")
        raise typer.Exit(1)

"""`crosslens import`: pictures and tables into the catalogue, indexed while they come in."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Captions, Columns, Json, opened, print_json, say, table

if TYPE_CHECKING:
    from crosslens.corpora.sources import Source
    from crosslens.indexing.importing import Tally
    from crosslens.wiring import App

SHOWN = 20


def import_(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Picture folder, or CSV, TSV, JSONL, Parquet file.")],
    map: Columns = None,
    captions: Captions = None,
    declare: Annotated[
        bool, typer.Option(help="Declare the attributes of a new catalogue as filterable.")
    ] = True,
    index: Annotated[bool, typer.Option(help="Index at once, not only store.")] = True,
    report: Annotated[
        Path | None, typer.Option(help="Write bad records to this file, as JSONL.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import products. Repeating an import is safe: what is unchanged is skipped."""
    from crosslens.cli.progress import progress
    from crosslens.corpora.mapping import ColumnMapping
    from crosslens.corpora.sources import open_source
    from crosslens.indexing.restoring import whole_export

    source = open_source(path, mapping=ColumnMapping.parse(map or []), captions=captions)
    if declare:
        _declare(context, source)
    with opened(context) as app, interruptible() as stop, _report_file(report) as on_bad:
        kept = None if map else whole_export(source.path, app.catalog)
        with progress(source.count_hint()) as bar:
            tally, indexed = app.import_all(
                source if kept is None else kept,
                stop,
                index=index,
                exact=kept is not None,
                on_progress=bar,
                on_bad=on_bad,
            )
        _answer(app, tally, indexed, interrupted=stop.is_set(), as_json=as_json)
        if stop.is_set():
            raise typer.Exit(130)


def _declare(context: typer.Context, source: Source) -> None:
    """Declare the attributes of the first records, if this is a new catalogue."""
    from crosslens.corpora.records import Record
    from crosslens.indexing.declare import SAMPLE, infer
    from crosslens.settings import FILE, write_missing

    with opened(context) as app:
        if app.settings.attributes or app.catalog.summary().products:
            return
        home = app.settings.home
    samples = (record.attributes for record in islice(source, SAMPLE) if isinstance(record, Record))
    found = dict(source.attributes) or infer(samples)
    if found and write_missing(home, attributes=found):
        listed = ", ".join(f"{name} ({kind})" for name, kind in found.items())
        say(f"filterable attributes, declared in {home / FILE}: {listed}")


def _answer(app: App, tally: Tally, indexed: int, *, interrupted: bool, as_json: bool) -> None:
    backlog = app.catalog.backlog()
    if not as_json and tally.bad:
        rows = [[str(bad.where), bad.key, bad.reason] for bad in tally.bad[:SHOWN]]
        table(["where", "key", "why it was left out"], rows)
        if tally.failed > SHOWN:
            say(f"… and {tally.failed - SHOWN} more; --report FILE keeps them all")
    if interrupted:
        say("interrupted; repeat the command to go on where it stopped")
    waiting = backlog.waiting + backlog.leased
    if waiting:
        say(f"{waiting} products wait to be indexed: `crosslens index work` does it")
    if backlog.parked:
        say(f"{backlog.parked} products could not be indexed: see `crosslens index status`")
    answer = {
        "read": tally.read,
        "stored": tally.stored,
        "skipped": tally.skipped,
        "failed": tally.failed,
        "indexed": indexed,
        "waiting": waiting,
        "parked": backlog.parked,
        "interrupted": interrupted,
        "bad": [_bad_object(bad) for bad in tally.bad[:100]],
    }
    if as_json:
        print_json(answer)
    else:
        counts = ", ".join(f"{answer[name]} {name}" for name in ("stored", "skipped", "failed"))
        print(f"{tally.read} read: {counts}; {indexed} changes indexed")


def _bad_object(bad: Any) -> dict[str, Any]:
    return {
        "file": str(bad.where.file),
        "line": bad.where.line,
        "key": bad.key,
        "reason": bad.reason,
    }


@contextmanager
def _report_file(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield lambda bad: None
        return
    import json

    with path.open("w", encoding="utf-8") as file:
        yield lambda bad: file.write(json.dumps(_bad_object(bad), ensure_ascii=False) + "\n")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Set an event at the first Ctrl-C or SIGTERM; a second one interrupts for good."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("finishing the batch at hand; once more to stop at once")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

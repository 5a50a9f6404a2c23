"""`crosslens preprocess` and `crosslens build`: a source → entries → shards with vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from crosslens.cli.imports import SHOWN, interruptible
from crosslens.cli.screen import Captions, Columns, Json, opened, print_json, say
from crosslens.errors import InvalidRequest


def preprocess(
    source: Annotated[Path, typer.Argument(help="What `crosslens import` reads.")],
    target: Annotated[Path, typer.Argument(help="File of JSON Lines to write.")],
    map: Columns = None,
    captions: Captions = None,
    start_id: Annotated[int, typer.Option(min=0, help="Id of the first entry.")] = 0,
    base_url: Annotated[
        str, typer.Option(help="Gives each entry a `url` of this and its key.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write any source as numbered entries of JSON Lines; bad ones are reported and left out."""
    from crosslens.corpora.mapping import ColumnMapping
    from crosslens.corpora.preprocess import entries
    from crosslens.corpora.records import BadRecord
    from crosslens.corpora.sources import open_source
    from crosslens.indexing.whole import whole_file

    opened_source = open_source(source, mapping=ColumnMapping.parse(map or []), captions=captions)
    written, bad = 0, _Bad()
    folder = target.absolute().parent
    with whole_file(target) as file:
        for entry in entries(opened_source, folder, first_id=start_id, base_url=base_url):
            if isinstance(entry, BadRecord):
                bad(entry)
            else:
                file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
                written += 1
    bad.show()
    answer = {"read": written + bad.count, "written": written, "bad": bad.count}
    _answer(answer, as_json, f"{written} entries in {target}, {bad.count} bad ones left out")


def build(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="JSON Lines, or a CSV or Parquet file.")],
    target: Annotated[Path, typer.Argument(help="Folder of the shards.")],
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD[:NAME_emb][@BUNDLE]", help="Field of words to encode."),
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD[:NAME_emb][@BUNDLE]", help="Field of picture paths, one or a list."
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD,…", help="Fields to write beside the vectors; usually all."),
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Entries read for one file.")] = 10_000,
    batch_size: Annotated[int, typer.Option(min=1, max=4_096, help="Entries at once.")] = 64,
    as_json: Json = False,
) -> None:
    """Encode entries into shards of JSON Lines; repeating the command goes on where it stopped."""
    from crosslens.cli.progress import progress
    from crosslens.indexing.building import Builder
    from crosslens.indexing.encoded_fields import fields

    if not source.is_file():
        raise InvalidRequest(f"there is no file {source}")
    rows, total = _rows(source)
    kept = [name for part in keep for name in part.split(",") if name] if keep else None
    bad = _Bad()
    with opened(context) as app, interruptible() as stop, progress(total) as bar:
        made = fields(
            text or [],
            pictures or [],
            app.settings.cross_modal,
            lambda name: app.bundle(name).words,
            lambda name: app.bundle(name).pictures,
        )
        builder = Builder(made, kept, shard_size, batch_size, lambda read: bar("built", read), bad)
        sheet = builder.run(source, rows, target, stop)
    bad.show()
    left_out = sum(shard.bad for shard in sheet.shards)
    answer = {
        "read": sheet.written + left_out,
        "written": sheet.written,
        "bad": left_out,
        "shards": len(sheet.shards),
        "whole": sheet.whole,
    }
    _answer(
        answer,
        as_json,
        f"{sheet.written} entries in {len(sheet.shards)} shards of {target}, {left_out} bad ones "
        "left out",
    )
    if not sheet.whole:
        say("interrupted; repeat the command to go on where it stopped")
        raise typer.Exit(130)


def _rows(source: Path) -> tuple[Any, int | None]:
    from crosslens.corpora.jsonl import count_json, json_rows
    from crosslens.corpora.parquet import count_parquet, parquet_rows
    from crosslens.corpora.tables import count_rows, table_rows

    suffix = source.suffix.lower()
    if suffix == ".parquet":
        return parquet_rows(source), count_parquet(source)
    if suffix in (".csv", ".tsv"):
        return table_rows(source), count_rows(source)
    return json_rows(source), count_json(source)


class _Bad:
    """Counts bad entries, and shows the first."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[Any] = []

    def __call__(self, bad: Any) -> None:
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(bad)

    def show(self) -> None:
        """Tell a person."""
        for bad in self._shown:
            say(f"{bad.where}: {bad.reason}")
        if self.count > len(self._shown):
            say(f"… and {self.count - len(self._shown)} more")


def _answer(answer: dict[str, Any], as_json: bool, text: str) -> None:
    if as_json:
        print_json(answer)
    else:
        print(text)

"""Build: entries → shards whose `*_emb` fields hold their vectors; goes on where it stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from crosslens.corpora.records import BadRecord, Row
from crosslens.corpora.shards import SHEET, Shard, Sheet, line, read_sheet, to_text
from crosslens.disk import explained
from crosslens.errors import Conflict, UnreadablePicture
from crosslens.indexing.encoded_fields import EncodedField, Inputs
from crosslens.indexing.whole import whole_file

SHARD: Final = 10_000
BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Builder:
    """
    Encode entries of JSON Lines or tables.

    Attributes:
        fields: what is encoded.
        keep: the other fields to write; None: all of them.
        shard_size: entries that one file is made of.
        on_progress: called with the number of entries read, also those of earlier runs.
        on_bad: called for each entry that is left out.
    """

    fields: Sequence[EncodedField]
    keep: Sequence[str] | None = None
    shard_size: int = SHARD
    batch: int = BATCH
    on_progress: Callable[[int], None] = lambda read: None
    on_bad: Callable[[BadRecord], None] = lambda bad: None

    def run(
        self, source: Path, rows: Iterable[Row | BadRecord], target: Path,
        stop: threading.Event | None = None,
    ) -> Sheet:  # fmt: skip
        """
        Build until the source ends or `stop` is set; shards that are there are not built again.

        Args:
            source: the file that `rows` come from.
            target: folder of the shards; it is made.

        Returns:
            The sheet of what is there now.

        Raises:
            Conflict: the folder holds something else, or shards made otherwise.
            StorageFull, Unavailable: the shards before are whole; repeat to go on.
        """
        sheet = self._begun(source, target)
        entries = iter(rows)
        read = sum(1 for _ in islice(entries, sum(shard.read for shard in sheet.shards)))
        while not sheet.whole and not (stop is not None and stop.is_set()):
            part = list(islice(entries, self.shard_size))
            shards = sheet.shards
            if part:
                shards = (*shards, self._shard(part, target, len(shards), read))
                read += len(part)
            sheet = replace(sheet, shards=shards, whole=len(part) < self.shard_size)
            with whole_file(target / SHEET) as file:
                file.write(to_text(sheet))
        return sheet

    def _begun(self, source: Path, target: Path) -> Sheet:
        with explained(target):
            stat = source.stat()
        made_from = {
            "source": str(source.absolute()),
            "bytes": stat.st_size,
            "changed": stat.st_mtime_ns,
            "keep": None if self.keep is None else list(self.keep),
            "shard_size": self.shard_size,
        }
        wanted = Sheet(tuple(field.column for field in self.fields), made_from)
        if (target / SHEET).exists():
            return _same(read_sheet(target), wanted, target)
        with explained(target):
            target.mkdir(parents=True, exist_ok=True)
            if any(not path.name.startswith(".") for path in target.iterdir()):
                raise Conflict(f"{target} holds something else", hint="name a folder of its own")
        return wanted

    def _shard(self, part: list[Row | BadRecord], target: Path, number: int, read: int) -> Shard:
        name, written = f"shard-{number:05d}.jsonl", 0
        with whole_file(target / name) as file:
            for start in range(0, len(part), self.batch):
                lines = self._lines(part[start : start + self.batch])
                file.writelines(lines)
                written += len(lines)
                self.on_progress(read + min(start + self.batch, len(part)))
        return Shard(name, len(part), written, len(part) - written)

    def _lines(self, rows: Sequence[Row | BadRecord]) -> list[str]:
        """Encode some entries; bad ones are reported and left out."""
        readable = []
        for row in rows:
            if isinstance(row, BadRecord):
                self.on_bad(row)
            elif (inputs := self._inputs(row)) is not None:
                readable.append((row, inputs))
        try:
            return self._encoded(readable)
        except UnreadablePicture:
            return [text for one in readable for text in self._alone(one)]

    def _inputs(self, row: Row) -> list[Inputs] | None:
        try:
            line(self._values(row), {})  # what cannot be written need not be encoded
            return [field.inputs(row) for field in self.fields]
        except (ValueError, TypeError, OSError) as exc:
            self.on_bad(BadRecord(row.where, str(exc)))
            return None

    def _alone(self, one: tuple[Row, list[Inputs]]) -> list[str]:
        try:
            return self._encoded([one])
        except UnreadablePicture as exc:
            self.on_bad(BadRecord(one[0].where, exc.message))
            return []

    def _encoded(self, readable: Sequence[tuple[Row, list[Inputs]]]) -> list[str]:
        if not readable:
            return []
        columns = [
            field.encode([inputs[n] for _, inputs in readable])
            for n, field in enumerate(self.fields)
        ]
        lines = []
        for at, (row, _) in enumerate(readable):
            vectors = {
                field.column.field: field.told(row, column[at])
                for field, column in zip(self.fields, columns, strict=True)
            }
            lines.append(line(self._values(row), vectors))
        return lines

    def _values(self, row: Row) -> dict[str, Any]:
        made = {field.column.field for field in self.fields}
        names = row.values if self.keep is None else self.keep
        return {
            name: row.values[name]
            for name in names
            if name in row.values and name not in made and not isinstance(row.values[name], bytes)
        }


def _same(there: Sheet, wanted: Sheet, target: Path) -> Sheet:
    if (there.columns, dict(there.made_from)) == (wanted.columns, dict(wanted.made_from)):
        return there
    differing = [
        name for name, value in wanted.made_from.items() if there.made_from.get(name) != value
    ]
    if there.columns != wanted.columns:
        differing.append("fields and their spaces")
    raise Conflict(
        f"the shards in {target} were made otherwise: {', '.join(differing)} differ",
        hint="name another folder, or remove that one",
    )

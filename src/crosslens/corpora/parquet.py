"""Parquet, streamed by batches; pictures as paths or as the bytes that Hugging Face embeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crosslens.corpora.records import BadRecord, Row, Where
from crosslens.errors import InvalidRequest, MissingExtra

BATCH = 128  # rows in memory at once; with pictures a row is up to megabytes


def parquet_rows(path: Path) -> Iterator[Row | BadRecord]:
    """
    Read rows in batches; a row that has no Python value is a BadRecord.

    Raises:
        InvalidRequest: it is not a parquet file.
        MissingExtra: pyarrow is not installed.
    """
    number = 0
    file = _open(path)
    batches = file.iter_batches(batch_size=BATCH)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (OSError, ValueError) as exc:  # what pyarrow raises for a broken page
            left = file.metadata.num_rows - number
            reason = f"the file is broken here, {left:,} rows are not read: {exc}"
            yield BadRecord(Where(path, number + 1), reason)
            return
        yield from _batch_rows(batch, path, number)
        number += batch.num_rows


def parquet_columns(path: Path) -> list[str]:
    """
    Return the column names, in order.

    Raises:
        InvalidRequest: it is not a parquet file.
        MissingExtra: pyarrow is not installed.
    """
    return [str(name) for name in _open(path).schema_arrow.names]


def count_parquet(path: Path) -> int:
    """Return the number of rows, from the metadata alone."""
    return int(_open(path).metadata.num_rows)


def _open(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise MissingExtra(
            "reading parquet needs pyarrow", hint="pip install 'crosslens[parquet]'"
        ) from exc
    try:
        return pq.ParquetFile(path)
    except (OSError, ValueError) as exc:
        raise InvalidRequest(f"{path} is not a parquet file: {exc}") from exc


def _batch_rows(batch: Any, path: Path, before: int) -> Iterator[Row | BadRecord]:
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError):
        rows = [None] * batch.num_rows  # one value spoils the batch; look at each row alone
    for index, row in enumerate(rows):
        where = Where(path, before + index + 1)
        yield Row(where, row) if row is not None else _single(batch.slice(index, 1), where)


def _single(batch: Any, where: Where) -> Row | BadRecord:
    try:
        return Row(where, batch.to_pylist()[0])
    except (ValueError, OverflowError) as exc:
        return BadRecord(where, f"a value cannot be read: {exc}")

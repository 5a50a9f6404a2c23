"""Records that strangers wrote: they may name no file here, and their URLs are fetched guarded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from itertools import islice

from crosslens.catalog.fetch import Fetcher
from crosslens.corpora.records import BadRecord, Record
from crosslens.errors import CrosslensError

_AT_ONCE = 32


def safe_records(
    records: Iterable[Record | BadRecord], fetcher: Fetcher, pool: Executor, *, trusted: bool
) -> Iterator[Record | BadRecord]:
    """
    Fetch the picture URLs of records, a few side by side, in order.

    Args:
        trusted: whether the records may name files of this machine.
    """
    check = partial(_checked, fetcher=fetcher, trusted=trusted)
    iterator = iter(records)
    while part := list(islice(iterator, _AT_ONCE)):
        yield from pool.map(check, part)


def _checked(record: Record | BadRecord, *, fetcher: Fetcher, trusted: bool) -> Record | BadRecord:
    if isinstance(record, BadRecord) or not (record.picture_urls or record.pictures):
        return record
    if record.pictures and not trusted:
        reason = f"picture {record.pictures[0].name!r} is a file; an upload gives URLs or bytes"
        return BadRecord(record.where, reason, record.key)
    try:
        fetched = tuple(fetcher.fetch(url) for url in record.picture_urls)
    except CrosslensError as exc:
        return BadRecord(record.where, exc.message, record.key)
    return replace(record, contents=record.contents + fetched, picture_urls=())

"""Preprocess: any source → entries of JSON Lines with ids of their own, as `build` reads them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crosslens.corpora.records import BadRecord, Record


def entries(
    source: Iterable[Record | BadRecord], folder: Path, *, first_id: int = 0, base_url: str = ""
) -> Iterator[Mapping[str, Any] | BadRecord]:
    """
    Number what a source tells; the same source gives the same ids.

    An entry has `id`, `key` (of the source), `title`, `description` where there is one, `image`
    and `images` (paths relative to `folder`), `url` where a base is given, and its attributes
    under their names; one that has the name of a field is under `attributes.NAME`.

    Args:
        folder: where the entries will be written.
        first_id: of the first entry kept; the others follow without a gap.
        base_url: before the key, which for a folder of pictures is the path; so pictures of equal
            names in other folders have URLs of their own.
    """
    number = first_id
    for record in source:
        if isinstance(record, BadRecord):
            yield record
        elif record.contents:
            reason = "its pictures stand in the source itself; use `crosslens import` and `export`"
            yield BadRecord(record.where, reason, record.key)
        else:
            yield _entry(record, number, folder, base_url)
            number += 1


def _entry(record: Record, number: int, folder: Path, base_url: str) -> dict[str, Any]:
    images = [Path(os.path.relpath(path, folder)).as_posix() for path in record.pictures]
    images += record.picture_urls
    told: dict[str, Any] = {"id": number, "key": record.key, "title": record.title}
    if record.description:
        told["description"] = record.description
    if images:
        told |= {"image": images[0], "images": images}
    if base_url:
        told["url"] = f"{base_url.rstrip('/')}/{quote(record.key)}"
    for name, value in record.attributes.items():
        told[f"attributes.{name}" if name in told else name] = value
    return told

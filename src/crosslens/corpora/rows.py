"""Rows → records: columns understood, titles found, keys derived."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from crosslens.corpora.mapping import ALIASES, NO_MAPPING, ColumnMapping, folded
from crosslens.corpora.picture_values import PictureValues, is_picture_struct, split_list
from crosslens.corpora.qa import as_product, is_question
from crosslens.corpora.records import BadRecord, Entry, Record, Row, Where
from crosslens.values import AttributeType

EXCERPT = 100
TRUTH = {"true": True, "yes": True, "1": True, "是": True} | {
    "false": False, "no": False, "0": False, "否": False
}  # fmt: skip


def records(
    rows: Iterable[Row | BadRecord], mapping: ColumnMapping = NO_MAPPING
) -> Iterator[Entry]:
    """Turn rows into records, one for one; bad rows pass through."""
    for row in rows:
        yield row if isinstance(row, BadRecord) else to_record(row, mapping)


def to_record(row: Row, mapping: ColumnMapping = NO_MAPPING) -> Entry:
    """
    Understand one row.

    A field is the mapped column, else the first alias that holds something; columns that are no
    field become attributes under their name, those inside objects under a dotted one (`size.w`;
    inside `attributes` without a prefix). A product without a title is called after its
    description, its category or its picture's file name. One without a key gets the SHA-256 of
    its content, so inserting a line before it does not make it another product.
    """
    key = None
    try:
        columns = _Columns(row.values, mapping)
        key = _key(columns.take("key"))
        return _record(columns, row.where, key)
    except ValueError as exc:
        return BadRecord(row.where, str(exc), key)


class _Columns:
    """The columns of one row that hold something, flat; each is used once."""

    def __init__(self, values: Mapping[str, Any], mapping: ColumnMapping) -> None:
        if not mapping.columns and is_question(values):
            values = as_product(values)
        self.mapping = mapping
        self.found = dict(_flat(values))
        self.left = dict(self.found)
        self.names = {folded(name): name for name in reversed(self.left)}

    def take(self, field: str) -> Any:
        """Return what a field holds, None when nothing does, and use the column up."""
        if (column := self.mapping.columns.get(field)) is not None:
            self.left.pop(column, None)
            return self.found.get(column)
        for alias in ALIASES[field]:
            name = self.names.get(alias)
            if name in self.left:
                return self.left.pop(name)
        return None

    def attributes(self) -> dict[str, Any]:
        """Return what is left as attributes; an explicit `attributes` object wins."""
        mapped = {}
        for name, column in self.mapping.attributes.items():
            self.left.pop(column or name, None)
            mapped[name] = self.found.get(column) if column else None
        found = sorted(self.left.items(), key=lambda pair: pair[0].startswith("attributes."))
        merged = {name.removeprefix("attributes."): value for name, value in found} | mapped
        return {
            name: _typed(name, value, self.mapping.types.get(name))
            for name, value in merged.items()
            if value is not None and not isinstance(value, bytes) and not is_picture_struct(value)
        }


def _record(columns: _Columns, where: Where, key: str | None) -> Record:
    title = _text("title", columns.take("title"))
    description = _text("description", columns.take("description"))
    pictures = _pictures(columns)
    attributes = columns.attributes()
    title = title or _fallback_title(description, attributes, pictures)
    return Record(
        where=where,
        key=key or _content_key(title, description, attributes, pictures),
        title=title,
        description=description,
        attributes=attributes,
        pictures=pictures.resolved(where.file.parent),
        contents=tuple(pictures.contents),
        picture_urls=tuple(pictures.urls),
    )


def _pictures(columns: _Columns) -> PictureValues:
    pictures = PictureValues()
    for field in ("image", "other_images"):
        value = columns.take(field)
        if value is not None:
            pictures.add(field, split_list(value) if field == "other_images" else value)
    return pictures


def _key(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"id must be text or a number, not {type(value).__name__}")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers with a gap is read as floats
    return str(value).strip()


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{name} must be text, not {type(value).__name__}")


def _fallback_title(
    description: str, attributes: Mapping[str, Any], pictures: PictureValues
) -> str:
    category = attributes.get("category")
    if description:
        return excerpt(description)
    if isinstance(category, str):
        return category
    if pictures.paths and (stem := readable(Path(pictures.paths[0]).stem)):
        return stem
    raise ValueError("no title: neither a title nor a text, a category or a picture's file name")


def readable(stem: str) -> str:
    """Turn a file stem into words: "red-shoe_01" → "red shoe 01"."""
    return " ".join(stem.replace("-", " ").replace("_", " ").split())


def excerpt(text: str, length: int = EXCERPT) -> str:
    """Return the beginning of a text, at most `length` characters, cut at a word if possible."""
    words = " ".join(text[: 4 * length].split())
    if len(words) <= length:
        return words
    cut = words.rfind(" ", length // 2, length + 1)
    return words[: cut if cut > 0 else length]


def _content_key(
    title: str, description: str, attributes: Mapping[str, Any], pictures: PictureValues
) -> str:
    digests = [hashlib.sha256(content).hexdigest() for content in pictures.contents]
    content = [title, description, attributes, pictures.paths, digests, pictures.urls]
    text = json.dumps(content, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:32]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if folded(name) == "attributes" and isinstance(value, str):
            value = _attributes_cell(value)
        if isinstance(value, Mapping) and not is_picture_struct(value):
            yield from _flat(value, f"{prefix}{name}.")
        elif not _is_empty(value):
            yield prefix + name, _plain(value)


def _attributes_cell(cell: str) -> Any:
    if not cell.lstrip().startswith("{"):
        return cell
    try:
        return json.loads(cell)
    except ValueError as exc:
        raise ValueError("attributes is not a JSON object") from exc


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return math.isnan(value)  # how tables write a missing number
    return value is None or (isinstance(value, list | tuple | bytes) and not value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        if any(isinstance(part, bytes) or is_picture_struct(part) for part in value):
            return list(value)
        return [_list_part(part) for part in value if not _is_empty(part)]
    if isinstance(value, str | bool | int | float | bytes | dict):
        return value
    return str(value)


def _list_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    return json.dumps(part, ensure_ascii=False, sort_keys=True, default=str)


def _typed(name: str, value: Any, type_: AttributeType | None) -> Any:
    if not isinstance(value, str) or type_ is None:
        return value
    try:
        if type_ is AttributeType.NUMBER:
            return float(value.replace(",", "").strip())
        if type_ is AttributeType.BOOL:
            return TRUTH[value.strip().casefold()]
    except (ValueError, KeyError) as exc:
        raise ValueError(f"attribute {name!r} is {value!r}, which is no {type_}") from exc
    return split_list(value) if type_ is AttributeType.KEYWORDS else value

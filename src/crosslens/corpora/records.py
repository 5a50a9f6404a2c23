"""Records: what every reader of a data set yields, good or bad, one per entry of the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Where:
    """Where an entry stands: file, and line (1-based) or row where there is one."""

    file: Path
    line: int | None = None

    def __str__(self) -> str:
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Record:
    """
    One product as its source tells it; values are not yet checked by the catalogue's rules.

    Attributes:
        key: the source key, by which a repeated import recognises the product.
        pictures: paths, resolved against the source file, in order; they may not exist.
        contents: pictures whose bytes stand in the source itself (parquet, MUGE); not yet decoded.
        picture_urls: pictures that must be fetched; nothing in `corpora` opens a connection.
    """

    where: Where
    key: str
    title: str
    description: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Path, ...] = ()
    contents: tuple[bytes, ...] = field(default=(), repr=False)
    picture_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRecord:
    """An entry that could not be read or stored, with the reason; counted, never fatal."""

    where: Where
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a table before its columns are understood."""

    where: Where
    values: Mapping[str, Any]


Entry: TypeAlias = Record | BadRecord

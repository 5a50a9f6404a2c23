"""What a picture column may hold: paths, URLs, bytes, the structs of Hugging Face, or lists."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class PictureValues:
    """Pictures of one entry, in order, by how they are given."""

    paths: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any) -> None:
        """
        Add what a column holds; empty parts of a list are skipped.

        Raises:
            ValueError: it is nothing that a picture can be; the message names the column.
        """
        if isinstance(value, list | tuple):
            for part in value:
                if part is not None and part != "":
                    self.add(name, part)
        elif isinstance(value, bytes):
            self.contents.append(value)
        elif isinstance(value, dict):
            self.add(name, value.get("bytes") or value.get("path") or "")
        elif isinstance(value, str):
            self._add_text(name, value.strip())
        else:
            raise ValueError(f"{name} must be a path, a URL or bytes, not {type(value).__name__}")

    def _add_text(self, name: str, text: str) -> None:
        if not text or "\0" in text:
            raise ValueError(f"{name} is empty or holds a null character")
        if text.startswith("data:"):
            self.contents.append(decode_base64(text.partition(",")[2]))
        elif text.startswith(("http://", "https://")):
            self.urls.append(text)
        else:
            self.paths.append(text if "/" in text else text.replace("\\", "/"))

    def resolved(self, folder: Path) -> tuple[Path, ...]:
        """Resolve paths against the folder of the source; absolute ones stay."""
        return tuple(folder / path for path in self.paths)


def is_picture_struct(value: Any) -> bool:
    """Say whether this is `{bytes, path}`, as Hugging Face stores a picture."""
    return isinstance(value, dict) and bool(value) and set(value) <= {"bytes", "path"}


def split_list(value: Any) -> Any:
    """Split a cell of several paths: a JSON list, or parts between | or ;."""
    if not isinstance(value, str) or value.startswith(("data:", "http://", "https://")):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as exc:
            raise ValueError("the list of pictures is not a JSON list") from exc
    separator = "|" if "|" in value else ";"
    return [part.strip() for part in value.split(separator)]


def decode_base64(text: str | bytes) -> bytes:
    """
    Decode base64 in the standard or the URL-safe alphabet, with or without padding.

    Raises:
        ValueError: it is not base64, or it is empty.
    """
    raw = text.encode() if isinstance(text, str) else text
    raw = raw.strip().replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        content = base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except binascii.Error as exc:
        raise ValueError(f"the picture is not base64: {exc}") from exc
    if not content:
        raise ValueError("the picture is empty")
    return content

"""Products and pictures: the rules of what the catalogue may hold. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crosslens.errors import InvalidRequest
from crosslens.values import Attributes, AttributeValue

MAX_TITLE = 2_000
MAX_DESCRIPTION = 100_000
MAX_SOURCE_KEY = 500
MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE_NAME = 100
MAX_ATTRIBUTE_TEXT = 10_000
MAX_PICTURES = 100


@dataclass(frozen=True, slots=True)
class Picture:
    """
    One image of a product; its bytes are in the media store under `sha256`.

    Attributes:
        width, height: pixels, after EXIF orientation.
        format: as detected from the bytes, lower case: jpeg, png, webp, gif, …
        size: bytes.
    """

    sha256: str
    width: int
    height: int
    format: str
    size: int


@dataclass(frozen=True, slots=True)
class ProductFields:
    """
    What a user says of a product; valid from birth.

    Raises:
        InvalidRequest: a field is empty, too long or of the wrong type; the message names it.
    """

    title: str
    description: str = ""
    attributes: Attributes = field(default_factory=dict)
    source_key: str | None = None

    def __post_init__(self) -> None:
        check_text("title", self.title, 1, MAX_TITLE)
        if not self.title.strip():
            raise InvalidRequest("title is blank; it needs 1 to 2,000 characters")
        check_text("description", self.description, 0, MAX_DESCRIPTION)
        if self.source_key is not None:
            check_text("source_key", self.source_key, 1, MAX_SOURCE_KEY)
        object.__setattr__(self, "attributes", checked_attributes(self.attributes))


@dataclass(frozen=True, slots=True)
class Product:
    """One entry of the catalogue, as it is at `revision`."""

    id: int
    fields: ProductFields
    pictures: tuple[Picture, ...]
    created: datetime
    updated: datetime
    revision: int
    retired: bool

    @property
    def title(self) -> str:
        """The title as it was given."""
        return self.fields.title


def check_text(name: str, value: object, least: int, most: int) -> None:
    """
    Check that a field is text of a permitted length that every store can keep.

    Raises:
        InvalidRequest: it is not; the message names the field and what is allowed.
    """
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, not {type(value).__name__}")
    if not least <= len(value) <= most:
        raise InvalidRequest(
            f"{name} has {len(value):,} characters, allowed are {least:,} to {most:,}"
        )
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidRequest(f"{name} holds a null character or a lone surrogate")


def checked_attributes(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """
    Check attributes and drop those without a value (None, empty text, empty list).

    Raises:
        InvalidRequest: a name or a value is not one that can be kept.
    """
    if not isinstance(attributes, Mapping):
        raise InvalidRequest(f"attributes must be an object, not {type(attributes).__name__}")
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"{len(attributes)} attributes, at most {MAX_ATTRIBUTES} are allowed")
    kept = {}
    for name, value in attributes.items():
        check_text("attribute name", name, 1, MAX_ATTRIBUTE_NAME)
        if value is not None and value not in ("", []):
            kept[name] = _attribute_value(name, value)
    return kept


def _attribute_value(name: str, value: Any) -> AttributeValue:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(name, value)
    if isinstance(value, str):
        check_text(f"attribute {name!r}", value, 1, MAX_ATTRIBUTE_TEXT)
        return value
    if isinstance(value, list | tuple) and len(value) <= MAX_ATTRIBUTES:
        for part in value:
            check_text(f"attribute {name!r}", part, 0, MAX_ATTRIBUTE_TEXT)
        return list(value)
    raise InvalidRequest(
        f"attribute {name!r} is {type(value).__name__}; allowed are text, numbers, true/false "
        "and lists of text"
    )


def _number(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidRequest(f"attribute {name!r} must be a finite number")
    return number

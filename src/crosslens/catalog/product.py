"""Products and pictures: the rules of what the catalogue may hold. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
MAX_ATTRIBUTES_TEXT = 1_000_000  # of all together: a server takes a row of some megabytes at once
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

    @classmethod
    def stored(
        cls, title: str, description: str, attributes: Attributes, source_key: str | None
    ) -> ProductFields:
        """Rebuild what a store checked when it was written, without checking it again."""
        fields = object.__new__(cls)
        put = object.__setattr__
        put(fields, "title", title)
        put(fields, "description", description)
        put(fields, "attributes", attributes)
        put(fields, "source_key", source_key)
        return fields


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
    try:
        value.encode()  # the quickest search for lone surrogates
    except UnicodeEncodeError as exc:
        raise InvalidRequest(f"{name} holds a lone surrogate, which is not a character") from exc
    if "\0" in value:
        raise InvalidRequest(f"{name} holds a null character")


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
        if not _is_blank(value):
            kept[name] = _attribute_value(name, value)
    _check_together(kept)
    return kept


def _check_together(attributes: Mapping[str, AttributeValue]) -> None:
    texts = (value for value in attributes.values() if isinstance(value, str | list))
    length = sum(len(value) if isinstance(value, str) else sum(map(len, value)) for value in texts)
    if length > MAX_ATTRIBUTES_TEXT:
        raise InvalidRequest(
            f"attributes have {length:,} characters together, at most {MAX_ATTRIBUTES_TEXT:,} are "
            "allowed"
        )


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str | list | tuple) and not value)


def _attribute_value(name: str, value: Any) -> AttributeValue:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(name, value)
    if isinstance(value, str):
        check_text(f"attribute {name!r}", value, 1, MAX_ATTRIBUTE_TEXT)
        return value
    if isinstance(value, list | tuple):
        return _texts(name, value)
    raise InvalidRequest(
        f"attribute {name!r} is {type(value).__name__}; allowed are text, numbers, true/false "
        "and lists of text"
    )


def _texts(name: str, values: Sequence[Any]) -> list[str]:
    if len(values) > MAX_ATTRIBUTES:
        raise InvalidRequest(
            f"attribute {name!r} lists {len(values):,} texts, at most {MAX_ATTRIBUTES} are allowed"
        )
    for text in values:
        check_text(f"each text of attribute {name!r}", text, 0, MAX_ATTRIBUTE_TEXT)
    return list(values)


def _number(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidRequest(f"attribute {name!r} must be a finite number")
    return number

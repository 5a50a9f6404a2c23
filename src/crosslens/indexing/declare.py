"""Which attributes of a new catalogue can be filtered, read off its first records. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from crosslens.errors import InvalidRequest
from crosslens.values import AttributeType, as_date

SAMPLE = 1_000  # records looked at
MOST = 40  # attributes declared; each costs a column in both collections
LONGEST = 100  # characters; longer text is for reading, not for filtering

_PROSE = re.compile(r"(sub)?(title|description)(_.*)?")  # in other languages; read, not filtered
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?")  # "007" is a code, not a number


def infer(samples: Iterable[Mapping[str, Any]]) -> dict[str, AttributeType]:
    """
    Guess a type for each attribute that holds one kind of value throughout.

    Text that is always a number or an ISO date counts as such; free text is left out.
    """
    values: dict[str, list[Any]] = {}
    for attributes in samples:
        for name, value in attributes.items():
            if value not in (None, "", []) and not _PROSE.fullmatch(name):
                values.setdefault(name, []).append(value)
    by_use = sorted(values, key=lambda name: (-len(values[name]), name))
    guessed = {name: kind for name in by_use if (kind := _type_of(values[name])) is not None}
    return dict(sorted(list(guessed.items())[:MOST]))


def _type_of(values: list[Any]) -> AttributeType | None:
    if all(isinstance(value, bool) for value in values):
        return AttributeType.BOOL
    if all(_is_number(value) for value in values):
        return AttributeType.NUMBER
    if all(isinstance(value, list) for value in values):
        return AttributeType.KEYWORDS
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in values):
        return None
    return AttributeType.DATE if all(map(_is_date, values)) else AttributeType.KEYWORD


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(value: str) -> bool:
    if len(value) < 10:  # "2011" is a year, which is a number or a keyword
        return False
    try:
        as_date(value)
    except InvalidRequest:
        return False
    return True

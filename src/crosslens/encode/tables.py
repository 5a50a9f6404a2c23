"""What cards of every kind share: known keys, checked values, digests, and how they are read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from crosslens.encode.toml import dumps
from crosslens.errors import BrokenBundle

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_Card = TypeVar("_Card")


@dataclass(frozen=True, slots=True)
class Digest:
    """SHA-256 in lower-case hex, and the size in bytes."""

    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        good = _SHA256.match(str(self.sha256))
        check(good, "digests: sha256", self.sha256, "64 lower-case hex digits")
        check_whole("digests: bytes", self.bytes, 0, 2**50)


def read_toml(
    text: str, make: Callable[[dict[str, Any]], _Card], *, file: str, **head: object
) -> _Card:
    """
    Read the text of a card.

    Args:
        make: gets the whole table but `head`, its digests read.
        file: name of the card, for messages.
        head: keys that must have these values.

    Raises:
        BrokenBundle: not TOML, another head, or what `make` refuses.
    """
    try:
        top = tomllib.loads(text)
        for key, wanted in head.items():
            found = top.pop(key, None)
            check(found == wanted, key, found, f"{wanted!r}, the only one that is read here")
        return make({**top, **_shared(top)})
    except tomllib.TOMLDecodeError as exc:
        raise BrokenBundle(f"{file} is not TOML: {exc}") from exc
    except BrokenBundle as exc:
        raise BrokenBundle(f"{file}: {exc.message}", hint=exc.hint) from exc


def _shared(top: Mapping[str, Any]) -> dict[str, Any]:
    digests = {
        name: part(Digest, f"digests: {name}", entry)
        for name, entry in table("digests", top.get("digests", {})).items()
    }
    return {"digests": digests, "training": table("training", top.get("training", {}))}


def write_toml(card: Any, *, parts: Sequence[str] = (), **head: object) -> str:
    """
    Write the text of a card.

    Args:
        parts: names of those of its values that are cards themselves, or None.
        head: keys that are written first.
    """
    found = {**head, **{key: value for key, value in _values(card).items() if value is not None}}
    found |= {key: _values(found[key]) for key in parts if key in found}
    found["digests"] = {name: _values(entry) for name, entry in sorted(card.digests.items())}
    return dumps(found)


def _values(card: Any) -> dict[str, Any]:
    return {f.name: getattr(card, f.name) for f in fields(card)}


def part(kind: type[_Card], prefix: str, values: Any) -> _Card:
    """
    Make a card, or a part of one, of a table; lists become tuples.

    Args:
        prefix: where the table stands, for messages; empty for a whole card.

    Raises:
        BrokenBundle: a key is missing or unknown, or a value is not allowed.
    """
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in table(prefix, values).items()}
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    dot = f"{prefix}." if prefix else ""
    for key in given.keys() - known.keys():
        raise BrokenBundle(f"{dot}{key} is not a key; known are {', '.join(known)}")
    for key, entry in known.items():
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if needed and key not in given:
            raise BrokenBundle(f"{dot}{key} is missing")
    return kind(**given)


def table(name: str, value: Any) -> dict[str, Any]:
    """Read a table; BrokenBundle if it is none."""
    check(isinstance(value, dict), name, value, "a table")
    return dict(value)


def names(kind: type[StrEnum]) -> str:
    """List what is allowed."""
    return ", ".join(kind)


def check(good: object, key: str, value: object, allowed: str) -> None:
    """
    Check a value of a card.

    Raises:
        BrokenBundle: it is not good; the message names its key and what is allowed.
    """
    if not good:
        raise BrokenBundle(f"{key} is {value!r}; allowed: {allowed}")


def check_text(key: str, value: object, *, empty: bool = False) -> None:
    """Check a text; BrokenBundle if it is none, or blank unless it may be `empty`."""
    good = isinstance(value, str) and (empty or value.strip()) and "\0" not in value
    check(good, key, value, "text" if empty else "text that is not blank")


def check_tags(key: str, value: object) -> None:
    """Check a tuple of tags; BrokenBundle if it is none."""
    check(isinstance(value, tuple), key, value, "a list of tags")
    for tag in value if isinstance(value, tuple) else ():
        check_text(key, tag)


def check_file(key: str, value: object) -> None:
    """Check the name of a file; BrokenBundle if it could lead out of a folder."""
    good = isinstance(value, str) and _FILE_NAME.match(value)
    check(good, key, value, "a plain file name of A-Z, a-z, 0-9, dot, dash, underscore")


def check_whole(key: str, value: object, least: int, most: int) -> None:
    """Check a whole number; BrokenBundle if it is none, or out of its range."""
    good = type(value) is int and least <= value <= most
    check(good, key, value, f"a whole number from {least} to {most}")


def check_share(key: str, value: object, most: float) -> None:
    """Check a number; BrokenBundle if it is none, below 0 or above `most`."""
    good = isinstance(value, int | float) and 0 <= value <= most
    check(good, key, value, f"a number from 0 to {most:g}")


def check_three(key: str, value: Any, least: float, most: float) -> None:
    """Check three numbers; BrokenBundle if they are others, or out of their range."""
    good = isinstance(value, Sequence) and len(value) == 3
    good = good and all(type(v) in (int, float) and least <= v <= most for v in value)
    check(good, key, value, f"three numbers from {least} to {most}")

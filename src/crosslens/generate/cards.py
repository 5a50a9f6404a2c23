"""What a generator's bundle says of itself: `card.toml`, valid from birth."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from crosslens.encode.cards import Digest
from crosslens.encode.toml import dumps
from crosslens.errors import BrokenBundle

FORMAT = 1
KIND = "generator"
WORDS, FLOW, PICTURE, TOKENIZER = "words.onnx", "flow.onnx", "picture.onnx", "tokenizer.json"
FILES = (WORDS, FLOW, PICTURE, TOKENIZER)


@dataclass(frozen=True, slots=True)
class GeneratorCard:
    """
    What a generator is, and how its graphs are used.

    Attributes:
        px: side of its pictures.
        places, components: shape of the codes in which it draws.
        max_tokens: longest prompt; longer ones are cut.
        steps, guidance: of the sampling, unless told.
        temperature: size of the noise that a drawing starts from; below 1 it is smoother.
        note: what whoever looks at the pictures should know.
        digests: per file name; `write_generator` fills it.
        training: free-form: command, data, metrics.

    Raises:
        BrokenBundle: a value that is not allowed; the message names its key.
    """

    name: str
    about: str
    licence: str
    px: int
    places: int
    components: int
    max_tokens: int
    steps: int
    guidance: float
    temperature: float = 1.0
    languages: tuple[str, ...] = ()
    note: str = ""
    digests: Mapping[str, Digest] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("name", "about", "licence"):
            text: object = getattr(self, key)
            good = isinstance(text, str) and bool(text.strip())
            _check(good, key, text, "text that is not blank")
        for key, most in (("px", 4_096), ("places", 65_536), ("components", 4_096),
                          ("max_tokens", 8_192), ("steps", 150)):  # fmt: skip
            value = getattr(self, key)
            good = type(value) is int and 1 <= value <= most
            _check(good, key, value, f"a whole number from 1 to {most}")
        for key, above in (("guidance", 30), ("temperature", 2)):
            share: object = getattr(self, key)
            good = isinstance(share, int | float) and 0 <= share <= above
            _check(good, key, share, f"0 to {above}")


def parse_generator_card(text: str) -> GeneratorCard:
    """
    Read the text of a `card.toml`.

    Raises:
        BrokenBundle: not TOML, of another kind, or a key is missing, unknown or not allowed.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BrokenBundle(f"card.toml is not TOML: {exc}") from exc
    found = top.pop("format", None), top.pop("kind", None)
    _check(found == (FORMAT, KIND), "format, kind", found, f"{FORMAT}, {KIND!r}")
    known = {f.name: f for f in fields(GeneratorCard)}
    for key in top.keys() - known.keys():
        raise BrokenBundle(f"card.toml: {key} is not a key; known are {', '.join(known)}")
    for key, entry in known.items():
        if entry.default is MISSING and entry.default_factory is MISSING and key not in top:
            raise BrokenBundle(f"card.toml: {key} is missing")
    return GeneratorCard(**_typed(top))


def _typed(top: dict[str, Any]) -> dict[str, Any]:
    for key in ("digests", "training"):
        _check(isinstance(top.get(key, {}), dict), key, top.get(key), "a table")
    digests = top.get("digests", {})
    for name, entry in digests.items():
        good = isinstance(entry, dict) and set(entry) == {"sha256", "bytes"}
        _check(good, f"digests: {name}", entry, "sha256 and bytes")
    languages = top.get("languages", [])
    good = isinstance(languages, list) and all(isinstance(one, str) for one in languages)
    _check(good, "languages", languages, "a list of tags")
    made = {name: Digest(**entry) for name, entry in digests.items()}
    return {**top, "digests": made, "languages": tuple(languages)}


def format_generator_card(card: GeneratorCard) -> str:
    """Write the text of a `card.toml`, from which `parse_generator_card` makes an equal card."""
    table: dict[str, Any] = {"format": FORMAT, "kind": KIND}
    table |= {f.name: getattr(card, f.name) for f in fields(card)}
    table["digests"] = {name: asdict(entry) for name, entry in sorted(card.digests.items())}
    return dumps(table)


def _check(good: object, key: str, value: object, allowed: str) -> None:
    if not good:
        raise BrokenBundle(f"card.toml: {key} is {value!r}; allowed: {allowed}")

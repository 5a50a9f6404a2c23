"""What a composer says of itself: `composer.toml`, valid from birth."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from crosslens.encode.cards import Digest, TextCard
from crosslens.encode.toml import dumps
from crosslens.errors import BrokenBundle
from crosslens.values import Space

FORMAT = 1
GRAPH, TOKENIZER, GOLDENS = "composer.onnx", "tokenizer.json", "goldens.npz"
FILES = (GRAPH, TOKENIZER, GOLDENS)


@dataclass(frozen=True, slots=True)
class ComposerCard:
    """
    Whose composer this is, and of which space.

    Attributes:
        space, dim: the space that it composes in; a composer serves no other, also none of the
            same dimension.
        max_tokens: longest words, special tokens included; longer ones are cut.
        digests: per file name.
        training: free-form: command, data, metrics.

    Raises:
        BrokenBundle: a value that is not allowed; the message names its key.
    """

    name: str
    about: str
    licence: str
    space: str
    dim: int
    max_tokens: int
    languages: tuple[str, ...] = ()
    digests: Mapping[str, Digest] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("name", "about", "licence", "space"):
            value: object = getattr(self, key)
            if not isinstance(value, str) or not value.strip():
                raise BrokenBundle(f"composer.toml: {key} is {value!r}; allowed: text")
        for key in ("dim", "max_tokens"):
            number: object = getattr(self, key)
            if type(number) is not int or not 1 <= number <= 8192:
                raise BrokenBundle(f"composer.toml: {key} is {number!r}; allowed: 1 to 8192")

    @property
    def vector_space(self) -> Space:
        """The space that it composes in."""
        return Space(self.space, self.dim)

    @property
    def words(self) -> TextCard:
        """How words become its tokens."""
        return TextCard(max_tokens=self.max_tokens)


def parse_card(text: str) -> ComposerCard:
    """
    Read the text of a `composer.toml`.

    Raises:
        BrokenBundle: not TOML, of another format, or a key is missing, unknown or not allowed.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BrokenBundle(f"composer.toml is not TOML: {exc}") from exc
    found = top.pop("format", None)
    if found != FORMAT:
        raise BrokenBundle(f"composer.toml: format is {found!r}; allowed: {FORMAT}")
    try:
        digests = {name: Digest(**entry) for name, entry in top.pop("digests", {}).items()}
        top["languages"] = tuple(top.get("languages", ()))
        return ComposerCard(digests=digests, **top)
    except (TypeError, AttributeError) as exc:
        raise BrokenBundle(f"composer.toml: {exc}") from exc


def format_card(card: ComposerCard) -> str:
    """Write the text of a `composer.toml`, from which `parse_card` makes an equal card."""
    table: dict[str, Any] = {"format": FORMAT}
    table |= {f.name: getattr(card, f.name) for f in fields(card)}
    table["digests"] = {
        name: {"sha256": entry.sha256, "bytes": entry.bytes}
        for name, entry in sorted(card.digests.items())
    }
    return dumps(table)

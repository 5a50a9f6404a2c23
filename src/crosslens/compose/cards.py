"""What a composer says of itself: `composer.toml`, valid from birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crosslens.encode.cards import TextCard
from crosslens.encode.tables import (
    Digest,
    check_tags,
    check_text,
    check_whole,
    part,
    read_toml,
    write_toml,
)
from crosslens.values import Space

CARD, FORMAT = "composer.toml", 1
GRAPH, TOKENIZER = "composer.onnx", "tokenizer.json"
FILES = (GRAPH, TOKENIZER)


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
            check_text(key, getattr(self, key))
        check_tags("languages", self.languages)
        for key in ("dim", "max_tokens"):
            check_whole(key, getattr(self, key), 1, 8192)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that it needs, without its card and goldens."""
        return FILES

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
    return read_toml(text, partial(part, ComposerCard, ""), file=CARD, format=FORMAT)


def format_card(card: ComposerCard) -> str:
    """Write the text of a `composer.toml`, from which `parse_card` makes an equal card."""
    return write_toml(card, format=FORMAT)

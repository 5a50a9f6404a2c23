"""What a generator's bundle says of itself: `card.toml`, valid from birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crosslens.encode.cards import CARD
from crosslens.encode.tables import (
    Digest,
    check_share,
    check_tags,
    check_text,
    check_whole,
    part,
    read_toml,
    write_toml,
)

FORMAT = 1
KIND = "generator"
WORDS, FLOW, PICTURE, TOKENIZER = "words.onnx", "flow.onnx", "picture.onnx", "tokenizer.json"
MOST_POSES = 4_096
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
        guided: share of the way on which guidance counts; later, the words alone are followed,
            which is quicker and leaves fewer specks (Kynkäänniemi et al. 2024).
        temperature: size of the noise that a drawing starts from; below 1 it is smoother.
        poses: ways of placing a product that its flow was told of; seeds go through them by turns.
            A flow that knows none (0) has no input for them.
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
    guided: float = 1.0
    temperature: float = 1.0
    poses: int = 0
    languages: tuple[str, ...] = ()
    note: str = ""
    digests: Mapping[str, Digest] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("name", "about", "licence"):
            check_text(key, getattr(self, key))
        check_tags("languages", self.languages)
        for key, most in (("px", 4_096), ("places", 65_536), ("components", 4_096),
                          ("max_tokens", 8_192), ("steps", 150)):  # fmt: skip
            check_whole(key, getattr(self, key), 1, most)
        check_whole("poses", self.poses, 0, MOST_POSES)
        for key, above in (("guidance", 30), ("guided", 1), ("temperature", 2)):
            check_share(key, getattr(self, key), above)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that it needs, without its card and goldens."""
        return FILES

    def pose_of(self, seed: int) -> int:
        """Say in which pose a seed shows a product."""
        return seed % max(1, self.poses)


def parse_generator_card(text: str) -> GeneratorCard:
    """
    Read the text of a `card.toml`.

    Raises:
        BrokenBundle: not TOML, of another kind, or a key is missing, unknown or not allowed.
    """
    make = partial(part, GeneratorCard, "")
    return read_toml(text, make, file=CARD, format=FORMAT, kind=KIND)


def format_generator_card(card: GeneratorCard) -> str:
    """Write the text of a `card.toml`, from which `parse_generator_card` makes an equal card."""
    return write_toml(card, format=FORMAT, kind=KIND)

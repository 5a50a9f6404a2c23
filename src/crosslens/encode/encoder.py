"""Encoders: words or pictures in, unit-length vectors of a named space out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from crosslens.values import Space, Vectors


class TextEncoder(Protocol):
    """
    Words → vectors. Queries and items have verbs of their own: some models prefix only queries.

    Safe to call from many threads.
    """

    space: Space

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        """
        Encode what people ask for: [N, dim].

        Raises:
            Overloaded: the queue is full or the deadline passed.
        """
        ...

    def encode_items(self, texts: Sequence[str]) -> Vectors:
        """Encode what the catalogue holds: [N, dim]."""
        ...


class PictureEncoder(Protocol):
    """Picture bytes → vectors. Safe to call from many threads."""

    space: Space

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        """
        Encode encoded pictures (JPEG, PNG, WebP …): [N, dim].

        Raises:
            UnreadablePicture: one of them cannot be decoded; none is encoded.
            Overloaded: the queue is full or the deadline passed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Encoders:
    """
    Which encoder serves which purpose.

    Attributes:
        text: words ↔ titles and descriptions.
        words: words in the cross-modal space, beside `pictures`.
        pictures: pictures in the cross-modal space.
        looks: picture ↔ picture.

    Each is bound to its own space; one encoder may serve several purposes.
    """

    text: TextEncoder
    words: TextEncoder
    pictures: PictureEncoder
    looks: PictureEncoder

    def __post_init__(self) -> None:
        if self.words.space != self.pictures.space:
            raise ValueError(
                f"the cross-modal towers disagree: words are {self.words.space}, "
                f"pictures {self.pictures.space}"
            )

    @property
    def text_spaces(self) -> tuple[Space, ...]:
        """Spaces of the text collection: for text↔text, and for picture→text."""
        return tuple(dict.fromkeys((self.text.space, self.words.space)))

    @property
    def picture_spaces(self) -> tuple[Space, ...]:
        """Spaces of the picture collection: for words→picture, and for picture↔picture."""
        return tuple(dict.fromkeys((self.pictures.space, self.looks.space)))

"""A bundle that answers, in this process or in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from crosslens.encode.cards import Card
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.encode.goldens import CheckReport
from crosslens.encode.towers import Row
from crosslens.values import Space


class Model(Protocol):
    """
    Both towers of a bundle, shared by all callers. Safe to call from many threads.

    Raises:
        BrokenBundle: on asking for what needs a tower that the bundle does not have.
    """

    card: Card
    space: Space

    @property
    def words(self) -> TextEncoder:
        """The tower for words."""
        ...

    @property
    def pictures(self) -> PictureEncoder:
        """The tower for pictures."""
        ...

    def token_ids(self, texts: Sequence[str], *, queries: bool) -> list[Row]:
        """Cut words into token ids: int64 [L] each, L at most what the tower takes."""
        ...

    def text_inputs(self, texts: Sequence[str], *, queries: bool) -> dict[str, Row]:
        """Make of words what the tower takes, by name: int64 [N, L] each."""
        ...

    def picture_inputs(self, pictures: Sequence[bytes]) -> dict[str, Row]:
        """
        Make of pictures what the tower takes, by name: float32 [N, 3, H, W].

        Raises:
            UnreadablePicture: one of them cannot be decoded.
        """
        ...

    def check(self) -> CheckReport:
        """
        Compare with digests and golden vectors.

        Raises:
            BrokenBundle: a file is missing or altered.
        """
        ...

    def close(self) -> None:
        """Answer what was accepted, refuse the rest."""
        ...

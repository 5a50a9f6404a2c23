"""A bundle whose towers all callers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from crosslens.encode.batching import BatchedPictures, BatchedText, Batcher
from crosslens.encode.bundles import verify
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.encode.goldens import CheckReport
from crosslens.encode.onnx import OnnxBundle, OnnxPictures, OnnxText
from crosslens.encode.towers import Row
from crosslens.errors import BrokenBundle
from crosslens.settings import Settings
from crosslens.values import Floats


class LoadedBundle:
    """
    A bundle whose towers are shared by all callers.

    Raises:
        BrokenBundle: on asking for a tower that the bundle does not have.
    """

    def __init__(self, bundle: OnnxBundle, settings: Settings, slots: int) -> None:
        self.card = bundle.card
        self.space = bundle.card.vector_space
        self._bundle = bundle
        self._settings = settings
        self._slots = slots
        self._batchers: list[Batcher] = []

    @cached_property
    def words(self) -> TextEncoder:
        """The text tower."""
        return BatchedText(self._text, self._batcher(self._text.run))

    @cached_property
    def pictures(self) -> PictureEncoder:
        """The picture tower."""
        return BatchedPictures(self._picture, self._batcher(self._picture.run))

    @property
    def _text(self) -> OnnxText:
        if self._bundle.text is None:
            raise BrokenBundle(f"bundle {self.card.name} has no text tower", hint=self._hint)
        return self._bundle.text

    @property
    def _picture(self) -> OnnxPictures:
        if self._bundle.picture is None:
            raise BrokenBundle(f"bundle {self.card.name} has no picture tower", hint=self._hint)
        return self._bundle.picture

    @property
    def _hint(self) -> str | None:
        crossing = self.card.reranker is not None
        return "it is a cross-encoder: name it as rank.reranker of a scene" if crossing else None

    def token_ids(self, texts: Sequence[str], *, queries: bool) -> list[Row]:
        """Cut words into token ids."""
        tower = self._text
        return tower.prepare_queries(texts) if queries else tower.prepare_items(texts)

    def text_inputs(self, texts: Sequence[str], *, queries: bool) -> dict[str, Row]:
        """Make of words what the tower takes."""
        return self._text.feeds(self.token_ids(texts, queries=queries))

    def picture_inputs(self, pictures: Sequence[bytes]) -> dict[str, Row]:
        """Make of pictures what the tower takes."""
        return self._picture.feeds(self._picture.prepare(pictures))

    def check(self) -> CheckReport:
        """
        Compare every digest and the golden vectors.

        Raises:
            BrokenBundle: a file is missing or altered, or the goldens cannot be read.
        """
        verify(self._bundle.folder)
        return self._bundle.check()

    def close(self) -> None:
        """Answer what was accepted, refuse the rest."""
        for batcher in self._batchers:
            batcher.close()

    def _batcher(self, run: Callable[[Sequence[Row]], Floats]) -> Batcher:
        settings = self._settings
        batcher = Batcher(
            run,
            slots=self._slots,
            max_waiting=settings.encode_queue,
            deadline_s=settings.encode_timeout_s,
        )
        self._batchers.append(batcher)
        return batcher

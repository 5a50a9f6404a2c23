"""Picture bytes → the pixels that a tower was trained on, bit by bit as the card says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosslens.encode.cards import PictureCard, Resample, Resize
from crosslens.errors import UnreadablePicture
from crosslens.pictures import decode
from crosslens.values import Floats

_FILTERS = {
    Resample.BICUBIC: Image.Resampling.BICUBIC,
    Resample.BILINEAR: Image.Resampling.BILINEAR,
    Resample.LANCZOS: Image.Resampling.LANCZOS,
}


class Pixels:
    """A picture card at work. Safe to call from many threads."""

    def __init__(self, card: PictureCard) -> None:
        self._card = card
        self._levels = _levels(card)

    def rows(self, pictures: Sequence[bytes]) -> list[Floats]:
        """
        Decode, resize and normalise: float32 [3, H, W] each.

        Raises:
            UnreadablePicture: one of them cannot be decoded; the message ends with its digest.
        """
        return [self._row(content) for content in pictures]

    def _row(self, content: bytes) -> Floats:
        draft = self._card.draft
        try:
            return self.tensor(decode(content, draft=(draft, draft) if draft else None))
        except UnreadablePicture as exc:
            sha256 = hashlib.sha256(content).hexdigest()
            raise UnreadablePicture(f"{exc.message} (SHA-256 {sha256})", hint=exc.hint) from exc

    def tensor(self, image: Image.Image) -> Floats:
        """Turn an RGB image of any size into float32 [3, H, W]."""
        values = np.asarray(resized(image, self._card))
        channels = [self._levels[c][values[:, :, c]] for c in range(3)]
        return np.stack(channels)


def resized(image: Image.Image, card: PictureCard) -> Image.Image:
    """Bring an RGB image to the card's width and height."""
    size = (card.width, card.height)
    if card.resize is Resize.SQUASH:
        return image.resize(size, _FILTERS[card.resample])
    if card.resize is Resize.PAD:
        return _padded(image, card)
    return _centre(_shortest(image, card), size)


def _shortest(image: Image.Image, card: PictureCard) -> Image.Image:
    """Scale so that the shorter side is the card's edge; the longer is rounded down, as in CLIP."""
    edge, short = card.shortest_edge, min(image.size)
    width, height = (edge if side == short else edge * side // short for side in image.size)
    return image.resize((width, height), _FILTERS[card.resample])


def _centre(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    left, top = ((have - want) // 2 for have, want in zip(image.size, size, strict=True))
    return image.crop((left, top, left + size[0], top + size[1]))


def _padded(image: Image.Image, card: PictureCard) -> Image.Image:
    size = (card.width, card.height)
    scale = min(want / have for have, want in zip(image.size, size, strict=True))
    inner = [max(1, min(w, round(h * scale))) for h, w in zip(image.size, size, strict=True)]
    canvas = Image.new("RGB", size, card.fill)
    place = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    canvas.paste(image.resize((inner[0], inner[1]), _FILTERS[card.resample]), place)
    return canvas


def _levels(card: PictureCard) -> NDArray[np.float32]:
    """What each of the 256 values becomes, per channel: looking up is exact and quick."""
    unit = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    return np.asarray((unit[None, :] - mean[:, None]) / std[:, None], np.float32)

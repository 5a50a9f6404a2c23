from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crosslens.encode.cards import PictureCard
from crosslens.encode.pixels import Pixels
from crosslens.errors import UnreadablePicture
from fakes import jpeg
from tiny_bundle import png

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIZES = [(20, 14), (14, 20), (8, 8), (9, 31), (300, 200), (1, 1), (3, 500)]


def card(**changes: Any) -> PictureCard:
    return PictureCard(**{"width": 8, "height": 8, "mean": MEAN, "std": STD, **changes})


def normalised(image: Image.Image) -> np.ndarray:
    """As the image processors of CLIP do: scale in double, then float32 arithmetic, HWC → CHW."""
    scaled = (np.asarray(image).astype(np.float64) * (1 / 255)).astype(np.float32)
    return ((scaled - np.array(MEAN, "f4")) / np.array(STD, "f4")).transpose(2, 0, 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["BICUBIC", "BILINEAR", "LANCZOS"])
def test_squash_is_one_resize_by_pillow(size: tuple[int, int], name: str) -> None:
    content = png(1, size)
    expected = Image.open(io.BytesIO(content)).resize((8, 6), Image.Resampling[name])
    (found,) = Pixels(card(height=6, resample=name.lower())).rows([content])
    np.testing.assert_array_equal(found, normalised(expected))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("edge", [0, 11])
def test_shortest_is_the_resize_and_centre_crop_of_clip(size: tuple[int, int], edge: int) -> None:
    content = png(2, size)
    image, short = Image.open(io.BytesIO(content)), edge or 8
    width, height = size
    scaled = (
        (short, int(short * height / width)) if width <= height
        else (int(short * width / height), short)
    )  # fmt: skip
    left, top = (scaled[0] - 8) // 2, (scaled[1] - 8) // 2
    expected = image.resize(scaled, Image.Resampling.BICUBIC).crop((left, top, left + 8, top + 8))
    (found,) = Pixels(card(resize="shortest", crop=True, edge=edge)).rows([content])
    np.testing.assert_array_equal(found, normalised(expected))


def test_pad_fits_the_whole_picture_in_and_fills_the_rest() -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (255, 0, 0)).save(out, "PNG")
    sound = card(resize="pad", fill=(0, 255, 0), mean=(0, 0, 0), std=(1, 1, 1))
    (found,) = Pixels(sound).rows([out.getvalue()])
    red, green = np.float32(1), np.float32(1)
    np.testing.assert_array_equal(found[0, 2:6], np.full((4, 8), red))
    np.testing.assert_array_equal(found[1, [0, 1, 6, 7]], np.full((4, 8), green))


@pytest.mark.parametrize("size", [(1, 200), (200, 1), (8, 8), (3, 5)])
def test_pad_takes_any_shape(size: tuple[int, int]) -> None:
    assert Pixels(card(resize="pad")).rows([png(4, size)])[0].shape == (3, 8, 8)


def test_a_draft_is_close_to_the_exact_pixels() -> None:
    content = jpeg((120, 60, 30), (640, 480))
    exact, draft = Pixels(card()).rows([content])[0], Pixels(card(draft=16)).rows([content])[0]
    np.testing.assert_allclose(draft, exact, atol=0.05)


def test_a_bad_picture_is_named_by_its_digest() -> None:
    with pytest.raises(UnreadablePicture, match=r"SHA-256 [0-9a-f]{64}\)"):
        Pixels(card()).rows([png(), b"nonsense"])

"""Untrusted bytes → a safe RGB image: the one place where pictures are decoded."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from crosslens.errors import UnreadablePicture

# Imported one by one, so that no file makes Pillow load the other forty parsers.
_PLUGINS = (
    JpegImagePlugin.JpegImageFile,  # also opens MPO
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    GifImagePlugin.GifImageFile,
    BmpImagePlugin.BmpImageFile,
    TiffImagePlugin.TiffImageFile,
    PpmImagePlugin.PpmImageFile,  # also PGM and PBM
)
FORMATS = tuple(plugin.format for plugin in _PLUGINS)
ALLOWED = "JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, PGM and PBM"

_SIGNS = (
    (re.compile(rb"\A\xff\xd8\xff"), "a truncated or damaged JPEG"),
    (re.compile(rb"\A\x89PNG"), "a truncated or damaged PNG"),
    (re.compile(rb"\AGIF8"), "a truncated or damaged GIF"),
    (re.compile(rb"\ARIFF....WEBP", re.S), "a truncated or damaged WebP"),
    (re.compile(rb"\A(II\*\0|MM\0\*)"), "a truncated or damaged TIFF"),
    (re.compile(rb"<svg[\s>]", re.I), "SVG"),
    (re.compile(rb"\A\s*<(!doctype html|html|head|body|script)", re.I), "HTML"),
    (re.compile(rb"\A\s*<\?xml", re.I), "XML"),
    (re.compile(rb"\A\s*%PDF"), "PDF"),
    (re.compile(rb"\A\s*%!PS|\A\xc5\xd0\xd3\xc6"), "PostScript"),
    (re.compile(rb"\A....ftyp(avif|avis)", re.S), "AVIF"),
    (re.compile(rb"\A....ftyp(heic|heix|mif1|msf1|hevc)", re.S), "HEIC"),
    (re.compile(rb"\A....ftyp", re.S), "a video"),
    (re.compile(rb"\APK\x03\x04"), "a ZIP archive"),
    (re.compile(rb"\A8BPS"), "a Photoshop document"),
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8]}
_QUIET = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a picture may cost; checked before a pixel is decoded.

    Attributes:
        max_ratio: long side to short side; a thread of pixels grows when its short side is scaled.
        max_scans: of a JPEG; a progressive one has ten, thousands would take minutes.
    """

    max_bytes: int = 30_000_000
    max_pixels: int = 40_000_000
    max_ratio: int = 200
    max_scans: int = 100


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """
    What is known of a picture that can be read.

    Attributes:
        format: as detected from the bytes: jpeg, png, webp, gif, bmp, tiff or ppm.
        width, height: pixels, after EXIF orientation.
        size: bytes.
    """

    format: str
    width: int
    height: int
    size: int


def inspect(content: bytes, limits: Limits = DEFAULT) -> PictureFacts:
    """
    Decode a picture once, as cheaply as its format permits, and say what it is.

    Raises:
        UnreadablePicture: too large, truncated, damaged, or not of an allowed format.
    """
    return _read(content, limits, draft=(1, 1))[0]


def decode(
    content: bytes, limits: Limits = DEFAULT, *, draft: tuple[int, int] | None = None
) -> Image.Image:
    """
    Decode a picture to RGB: upright, alpha on white, the first frame of an animation.

    Args:
        draft: a JPEG may come reduced by 2, 4 or 8 while it stays at least this (width, height)
            as stored; much cheaper when it is scaled down anyway. Other formats ignore it.

    Raises:
        UnreadablePicture: too large, truncated, damaged, or not of an allowed format.
    """
    return _read(content, limits, draft=draft)[1]


def _read(
    content: bytes, limits: Limits, *, draft: tuple[int, int] | None
) -> tuple[PictureFacts, Image.Image]:
    _check_bytes(content, limits)
    with _explained(content, limits):
        stored = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_pixels(stored.size, limits)
        _check_scans(stored, content, limits)
        width, height = stored.size
        if draft is not None:
            stored.draft(None, draft)
        stored.load()
        turn = _turn(stored)
        image = _to_rgb(stored)
        if turn is not None:
            image = image.transpose(turn)
    if turn in _SIDEWAYS:
        width, height = height, width
    return PictureFacts(_format_name(stored), width, height, len(content)), image


def _check_bytes(content: Any, limits: Limits) -> None:
    if not isinstance(content, bytes | bytearray | memoryview):
        raise UnreadablePicture(f"a picture must be bytes, not {type(content).__name__}")
    if not content:
        raise UnreadablePicture("the picture is empty (0 bytes)")
    if len(content) > limits.max_bytes:
        raise UnreadablePicture(
            f"the picture has {len(content):,} bytes, allowed are {limits.max_bytes:,}"
        )


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1 or width * height > limits.max_pixels:
        raise UnreadablePicture(
            f"the picture has {width:,} × {height:,} pixels, "
            f"allowed are 1 to {limits.max_pixels:,} in all",
            hint="scale it down first; encoders look at a few hundred pixels a side",
        )
    if max(size) > min(size) * limits.max_ratio:
        raise UnreadablePicture(
            f"the picture has {width:,} × {height:,} pixels, "
            f"its long side may be at most {limits.max_ratio} times its short side"
        )


def _check_scans(image: Image.Image, content: bytes, limits: Limits) -> None:
    scans = bytes(content).count(b"\xff\xda") if _format_name(image) == "jpeg" else 1
    if scans > limits.max_scans:
        raise UnreadablePicture(
            f"the JPEG is cut into {scans:,} scans, allowed are {limits.max_scans}"
        )


@contextmanager
def _explained(content: bytes, limits: Limits) -> Iterator[None]:
    """Turn whatever Pillow does on hostile bytes into UnreadablePicture, and its warnings off."""
    if _QUIET not in warnings.filters:  # again and again, since test runners reset filters
        warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    except UnreadablePicture:
        raise
    except UnidentifiedImageError as exc:
        raise UnreadablePicture(f"this is {_guess(content)}; allowed are {ALLOWED}") from exc
    except Image.DecompressionBombError as exc:
        raise UnreadablePicture(
            f"the picture has far more pixels than the {limits.max_pixels:,} allowed"
        ) from exc
    except Exception as exc:  # Pillow's parsers raise anything on hostile bytes
        raise UnreadablePicture(
            f"the picture is truncated or damaged ({str(exc)[:200] or type(exc).__name__})",
            hint="send the whole file, or save it anew as JPEG or PNG",
        ) from exc


def _guess(content: bytes) -> str:
    start = bytes(content[:1024])
    for pattern, name in _SIGNS:
        if pattern.search(start):
            return name
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.start < len(start) - 3:  # else the cut at 1,024 bytes split a character
            return "no picture that can be recognised"
    return "no picture that can be recognised" if b"\0" in start else "text"


def _format_name(image: Image.Image) -> str:
    name = (image.format or "").lower()
    return "jpeg" if name == "mpo" else name  # to every reader an MPO is a JPEG


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - broken EXIF beside sound pixels
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bit(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Keep the high byte of 16-bit grey; stretch floating point from its least to its greatest."""
    levels = np.asarray(image)
    if levels.dtype.kind == "f":
        levels = np.nan_to_num(levels.astype(np.float64), posinf=0.0, neginf=0.0)
        least, span = levels.min(), np.ptp(levels) or 1.0
        return Image.fromarray(((levels - least) * (255 / span)).astype(np.uint8))
    return Image.fromarray((np.clip(levels, 0, 65_535) >> 8).astype(np.uint8))

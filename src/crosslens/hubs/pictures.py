"""The reference's picture processor → a card, and whether both make the same pixels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from transformers import AutoImageProcessor

from crosslens.encode.cards import PictureCard, Resample, Resize
from crosslens.encode.pixels import Pixels
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.hubs.folder import ORIGINAL, ModelFolder
from crosslens.hubs.loading import quiet
from crosslens.hubs.originals import original_processor
from crosslens.values import Floats

MOST_OFF = 1 / 255  # of a pixel's range, before the mean is taken off

_RESAMPLES = {1: Resample.LANCZOS, 2: Resample.BILINEAR, 3: Resample.BICUBIC}
_FILES = ("preprocessor_config.json", "processor_config.json")


def load_processor(folder: ModelFolder) -> Any:
    """
    Load the reference's picture processor.

    Raises:
        InvalidRequest: the folder does not say how pictures are prepared.
    """
    if folder.architecture == ORIGINAL:
        return original_processor(folder)
    if not any((folder.path / name).is_file() for name in _FILES):
        raise InvalidRequest(
            f"{folder.name} does not say how pictures are prepared: no {_FILES[0]}"
        )
    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(
                str(folder.path), local_files_only=True, trust_remote_code=False, backend="pil"
            )
    except Exception as exc:
        raise InvalidRequest(
            f"the picture processor of {folder.name} cannot be loaded: {exc}"
        ) from exc


def picture_card(processor: Any, *, side: int) -> PictureCard:
    """
    Say what the processor does in the words of a card.

    Args:
        side: pixels of the square that the tower was made for.

    Raises:
        InvalidRequest: it does something that a card cannot say.
    """
    _require_plain(processor)
    size = _sizes(processor.size)
    crop = _sizes(getattr(processor, "crop_size", None)) if _does(processor, "center_crop") else {}
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if _does(processor, "normalize"):
        mean, std = (_three(processor.image_mean), _three(processor.image_std))
    card = PictureCard(
        width=crop.get("width") or size.get("width") or side,
        height=crop.get("height") or size.get("height") or side,
        mean=mean,
        std=std,
        resample=_RESAMPLES[int(processor.resample)],
        **_resizing(size, crop),
    )
    if (card.width, card.height) != (side, side):
        raise InvalidRequest(
            f"the processor makes pictures of {card.width} × {card.height}, "
            f"the tower takes {side} × {side}"
        )
    return card


def _require_plain(processor: Any) -> None:
    strange = {
        "do_resize": not _does(processor, "resize"),
        "do_rescale": not _does(processor, "rescale"),
        "do_pad": _does(processor, "pad"),
        "resample": int(processor.resample) not in _RESAMPLES,
        "rescale_factor": abs(float(processor.rescale_factor) * 255 - 1) > 1e-6,
    }
    for name, bad in strange.items():
        if bad:
            raise InvalidRequest(
                f"the picture processor has {name} = {getattr(processor, name)}; not supported"
            )


def _resizing(size: Mapping[str, int], crop: Mapping[str, int]) -> dict[str, Any]:
    shortest = size.get("shortest_edge")
    if shortest and crop and not size.get("longest_edge"):
        return {"resize": Resize.SHORTEST, "crop": True, "edge": shortest}
    if size.get("height") and size.get("width") and not crop:
        return {"resize": Resize.SQUASH}
    if size.get("height") and size == crop:
        return {"resize": Resize.SQUASH}
    raise InvalidRequest(f"pictures of size {dict(size)}, cut to {dict(crop)}: not supported")


def _does(processor: Any, what: str) -> bool:
    return bool(getattr(processor, f"do_{what}", False))


def _sizes(size: Any) -> dict[str, int]:
    return {key: int(value) for key, value in dict(size or {}).items() if value}


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def reference_pixels(processor: Any, picture: bytes) -> Floats:
    """Prepare an encoded picture as the reference does: float32 [3, H, W]."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0], np.float32)


def require_same_pixels(processor: Any, card: PictureCard, pictures: Sequence[bytes]) -> float:
    """
    Compare the served preparation with the reference; returns the largest difference of a pixel.

    Raises:
        BrokenBundle: a pixel differs by more than one of 255 steps.
    """
    std = np.array(card.std, np.float32)[:, None, None]
    worst = 0.0
    for picture, row in zip(pictures, Pixels(card).rows(pictures), strict=True):
        off = np.abs(row - reference_pixels(processor, picture)) * std
        worst = max(worst, float(off.max()))
    if not worst <= MOST_OFF:
        raise BrokenBundle(
            f"pixels differ from the reference by {worst * 255:.2g} of 255 steps, allowed is 1"
        )
    return worst

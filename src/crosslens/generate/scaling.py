"""Pictures at the side that was asked for."""

from __future__ import annotations

import numpy as np
from PIL import Image

from crosslens.generate.generator import Pixels


def scaled(pixels: Pixels, size: int) -> Pixels:
    """Scale a square picture to a side; one that has it stays as it is."""
    if pixels.shape[:2] == (size, size):
        return pixels
    picture = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture, np.uint8)

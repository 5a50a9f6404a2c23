"""Which combinations are kept out of training, so that generalisation can be measured."""

from __future__ import annotations

import hashlib

HELD_OUT_SHARE = 0.15


def held_out(category: str, colour: str, pattern: str) -> bool:
    """Say whether a (category, colour, pattern) is kept out of training; the same everywhere."""
    digest = hashlib.sha256(f"{category}|{colour}|{pattern}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < HELD_OUT_SHARE

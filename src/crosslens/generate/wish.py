"""What is to be drawn: valid from birth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crosslens.errors import InvalidRequest

MAX_PROMPT = 2_000
MOST = 10
MAX_STEPS = 150
MAX_GUIDANCE = 30.0
SEEDS = 2**32


@dataclass(frozen=True, slots=True)
class Wish:
    """
    Pictures wanted.

    Attributes:
        prompt: words in a language of the generator.
        negative: what the pictures are to be unlike; empty: nothing in particular.
        n: how many; picture k has the seed `seed` + k.
        size: side in pixels; 0: as the generator draws by itself.
        steps: of the sampling; 0: as the generator does by itself.
        guidance: how strictly the words are followed; None: as the generator does by itself.
        seed: the same one gives the same picture, on one machine with one generator.

    Raises:
        InvalidRequest: a value is not allowed; the message names it.
    """

    prompt: str
    negative: str = ""
    n: int = 1
    size: int = 0
    steps: int = 0
    guidance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check(bool(self.prompt.strip()), "prompt", "empty", "words for what is to be drawn")
        for name in ("prompt", "negative"):
            length = len(getattr(self, name))
            allowed = f"at most {MAX_PROMPT:,}"
            _check(length <= MAX_PROMPT, name, f"{length:,} characters long", allowed)
        _whole("n", self.n, 1, MOST)
        _whole("steps", self.steps, 0, MAX_STEPS)
        _whole("seed", self.seed, 0, SEEDS - 1)
        _check(type(self.size) is int and self.size >= 0, "size", self.size, "pixels of a side")
        if self.guidance is not None:
            good = math.isfinite(self.guidance) and 0 <= self.guidance <= MAX_GUIDANCE
            _check(good, "guidance", self.guidance, f"0 to {MAX_GUIDANCE:g}")

    def seed_of(self, number: int) -> int:
        """Return the seed of picture `number`, counted from 0: asked for alone, it is the same."""
        return (self.seed + number) % SEEDS


def _whole(name: str, value: object, low: int, high: int) -> None:
    good = type(value) is int and low <= value <= high
    _check(good, name, value, f"a whole number from {low} to {high}")


def _check(good: bool, name: str, value: object, allowed: str) -> None:
    if not good:
        raise InvalidRequest(f"{name} is {value}, allowed: {allowed}")

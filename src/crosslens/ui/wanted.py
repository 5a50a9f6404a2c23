"""A drawing in the address bar: what is to be drawn, and the task that draws it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_WORDS = 2_000
MOST = 10
MOST_STEPS = 150
MOST_GUIDANCE = 30.0
SEEDS = 2**32
_TASK = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is to be drawn.

    Attributes:
        n: how many; 0: as many as are usual here.
        size, steps: 0 leaves it to the generator.
        guidance: None leaves it to the generator.
        seed: None: another one each time.
        task: that draws it or drew it; empty: nobody asked yet.
        first: seed of the first picture of the task.
    """

    prompt: str = ""
    negative: str = ""
    n: int = 0
    size: int = 0
    steps: int = 0
    guidance: float | None = None
    seed: int | None = None
    generator: str = ""
    task: str = ""
    first: int | None = None


def read(params: Mapping[str, str]) -> Wanted:
    """Read the address; what makes no sense is left out, so that an old link still leads on."""
    task = params.get("task", "")
    return Wanted(
        prompt=params.get("q", "").strip()[:MOST_WORDS],
        negative=params.get("not", "").strip()[:MOST_WORDS],
        n=_whole(params.get("n"), MOST) or 0,
        size=_whole(params.get("size"), 8_192) or 0,
        steps=_whole(params.get("steps"), MOST_STEPS) or 0,
        guidance=_real(params.get("guidance"), MOST_GUIDANCE),
        seed=_whole(params.get("seed"), SEEDS - 1),
        generator=params.get("generator", "")[:500],
        task=task if _TASK.fullmatch(task) else "",
        first=_whole(params.get("first"), SEEDS - 1),
    )


def write(wanted: Wanted) -> dict[str, str]:
    """Write what differs from an empty wish; `read` gives it back."""
    said = {
        "q": wanted.prompt,
        "not": wanted.negative,
        "n": str(wanted.n or ""),
        "size": str(wanted.size or ""),
        "steps": str(wanted.steps or ""),
        "guidance": "" if wanted.guidance is None else f"{wanted.guidance:g}",
        "seed": "" if wanted.seed is None else str(wanted.seed),
        "generator": wanted.generator,
        "task": wanted.task,
        "first": "" if wanted.first is None else str(wanted.first),
    }
    return {name: value for name, value in said.items() if value}


def _whole(text: str | None, most: int) -> int | None:
    """Read a whole number from 0 to the most; None for anything else."""
    if not (text and text.isascii() and text.isdecimal() and len(text) < 12):
        return None
    return int(text) if int(text) <= most else None


def _real(text: str | None, most: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return round(value, 3) if 0 <= value <= most else None

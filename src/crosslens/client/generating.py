"""Pictures for words: what to send to have them drawn, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypedDict, Unpack

from crosslens.client.answers import GeneratedPicture, Product
from crosslens.client.calls import Call
from crosslens.client.tending import FromJson, Task


class Wish(TypedDict, total=False):
    """
    How pictures are to be drawn; what is left out is left to the service.

    `product` adds a product with them: `title`, `description`, `attributes`, all optional.
    """

    negative: str
    n: int
    size: int
    steps: int
    guidance: float
    seed: int
    generator: str
    product: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Generated:
    """The pictures of a wish, and the product that was added with them."""

    generator: str
    prompt: str
    pictures: tuple[GeneratedPicture, ...]
    product: Product | None
    took_ms: float

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Read what the service answers, or the result of a task."""
        return cls(
            generator=row["generator"],
            prompt=row["prompt"],
            pictures=tuple(map(GeneratedPicture.read, row["pictures"])),
            product=None if row["product"] is None else Product.read(row["product"]),
            took_ms=row["took_ms"],
        )


@dataclass(frozen=True, slots=True)
class GeneratorInfo(FromJson):
    """What draws, and all that may be named; `error`: why it cannot, then nothing else is known."""

    generators: tuple[str, ...]
    name: str
    languages: tuple[str, ...]
    native_px: int
    sizes: tuple[int, ...]
    steps: int
    guidance: float
    licence: str
    note: str
    error: str | None = None


def generator(name: str = "") -> Call[GeneratorInfo]:
    """Ask what draws: the one of a name, or the one that draws unless told otherwise."""
    params = {"generator": name} if name else {}
    return Call("GET", "/generate", lambda reply: GeneratorInfo.read(reply.json()), params=params)


def start_drawing(prompt: str, **wish: Unpack[Wish]) -> Call[Task]:
    """Begin to draw pictures for words."""
    body = json.dumps({"prompt": prompt, **wish, "background": True}).encode()
    return Call(
        "POST", "/generate", lambda reply: Task.read(reply.json()), body=body, repeatable=False
    )


def drawing(task_id: str) -> Call[Task]:
    """Ask how far a drawing is."""
    return Call("GET", f"/generate/{task_id}", lambda reply: Task.read(reply.json()))


def cancel_drawing(task_id: str) -> Call[Task]:
    """Break a drawing off."""
    return Call(
        "DELETE",
        f"/generate/{task_id}",
        lambda reply: Task.read(reply.json()),
        repeatable=False,
    )


def drawn_picture(sha256: str) -> Call[bytes]:
    """Fetch a picture that was drawn: a PNG that says how it came to be."""
    return Call("GET", f"/generate/picture/{sha256}", lambda reply: reply.content)

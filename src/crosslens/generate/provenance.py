"""Pictures as files that say how they came to be: PNG with the story in its text chunks."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass

from PIL import Image, PngImagePlugin

from crosslens.errors import UnreadablePicture
from crosslens.generate.generator import Drawn
from crosslens.generate.wish import Wish

KEY = "crosslens"
LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Provenance:
    """
    What a generated picture was made of, by what.

    Attributes:
        generator: name of the bundle, pipeline or service.
        seed: gives this very picture when asked for alone; None if there is none.
    """

    generator: str
    prompt: str
    negative: str
    size: int
    steps: int
    guidance: float | None
    seed: int | None

    @classmethod
    def of(cls, drawn: Drawn, wish: Wish, generator: str) -> Provenance:
        """Tell what a picture of a wish was made of."""
        return cls(
            generator=generator,
            prompt=wish.prompt,
            negative=wish.negative,
            size=int(drawn.pixels.shape[0]),
            steps=wish.steps,
            guidance=wish.guidance,
            seed=drawn.seed,
        )


def to_png(drawn: Drawn, provenance: Provenance) -> bytes:
    """Write a picture as PNG; the same picture of the same origin is the same bytes."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Software", KEY)
    info.add_itxt(KEY, json.dumps(asdict(provenance), ensure_ascii=False, sort_keys=True))
    out = io.BytesIO()
    Image.fromarray(drawn.pixels).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def read_provenance(content: bytes) -> Provenance | None:
    """
    Read what `to_png` wrote; None for a picture that says nothing of the kind.

    Raises:
        UnreadablePicture: not a PNG.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            picture.load()
            said = picture.info.get(KEY)
    except (OSError, ValueError, SyntaxError) as exc:
        raise UnreadablePicture("not a PNG file, so it says nothing of its origin") from exc
    if not isinstance(said, str) or len(said) > LONGEST:
        return None
    try:
        return Provenance(**json.loads(said))
    except (ValueError, TypeError):
        return None

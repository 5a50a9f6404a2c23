"""Rendered products as a source: pictures drawn once into a cache, words made up on the way."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from crosslens.errors import Conflict, InvalidRequest, NotFound
from crosslens.train.disk import explained, take_room
from crosslens.train.source import Phrase, Pixels, Rows, Shelf, Style

PICTURES, PROGRESS = "pictures.u8", "cache.json"
SAVE_EVERY = 64


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words, the attributes that they name, and those that they may name."""

    text: str
    mentions: frozenset[str]
    doubtful: frozenset[str] = frozenset()


class Shop(Protocol):
    """
    Whoever invents products, draws them and finds words for them; the same for the same seed.

    Attributes:
        views: how many pictures a product has, at least 1.
        languages: such as ("zh", "en").
    """

    views: int
    languages: tuple[str, ...]

    def design(self, rng: np.random.Generator) -> Any:
        """Invent a product."""
        ...

    def held_out(self, design: Any) -> bool:
        """Say whether the product's combination is kept for validation."""
        ...

    def attributes(self, design: Any) -> Mapping[str, str]:
        """Give what words may speak of; the five most telling ones first."""
        ...

    def render(self, design: Any, *, seed: int, view: int, size: int) -> Pixels:
        """Draw a view: [size, size, 3]."""
        ...

    def phrase(
        self, design: Any, rng: np.random.Generator, language: str, *, style: Style
    ) -> Spoken | None:
        """Word a product, and name the attributes that the words speak of; None if unable."""
        ...

    def paraphrase(
        self, design: Any, rng: np.random.Generator, mentions: frozenset[str]
    ) -> Spoken | None:
        """Name the same attributes in other words, which need not come with pictures."""
        ...


@dataclass(frozen=True, slots=True)
class RenderConfig:
    """
    What is drawn.

    Attributes:
        products: for training; none has a held-out combination.
        validation: products with held-out combinations.
        px: side of a picture.
    """

    products: int = 12_000
    validation: int = 1_000
    px: int = 128
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("products", 16), ("validation", 2), ("px", 16), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InvalidRequest(f"{name} is {value!r}, allowed: a whole number from {least}")


class RenderedSource:
    """
    Products of a shop, with every view drawn.

    Args:
        folder: the cache, as `draw` left it.

    Raises:
        NotFound: the cache is not there or not complete.
        Conflict: it was drawn by another shop or with other settings.
    """

    def __init__(self, shop: Shop, config: RenderConfig, *, folder: Path) -> None:
        self._shop = shop
        self._designs = invent(shop, config)
        mark = _mark(shop, config, self._designs)
        if _drawn(folder, mark) < len(self._designs):
            raise NotFound(f"{folder} does not hold all pictures yet", hint="draw them first")
        self._pixels = np.memmap(folder / PICTURES, np.uint8, "r", shape=_shape(shop, config))
        self.languages = shop.languages
        self.shelf = _shelf([shop.attributes(design) for design in self._designs], config)
        self.provenance: dict[str, Any] = {
            "data": "rendered", "products": config.products, "validation": config.validation,
            "pictures": self._pixels.shape[0] * shop.views, "px": config.px, "seed": config.seed,
            "sha256": mark,
        }  # fmt: skip

    def pictures(self, rows: Rows, rng: np.random.Generator) -> Pixels:
        """Give two different views of each product: [P, 2, S, S, 3]."""
        views = self._shop.views
        first = rng.integers(views, size=len(rows))
        second = (first + rng.integers(1, max(2, views), size=len(rows))) % views
        return np.asarray(self._pixels[rows[:, None], np.stack([first, second], 1)])

    def portraits(self, rows: Rows) -> Pixels:
        """Give the front view of each product: [P, S, S, 3]."""
        return np.asarray(self._pixels[rows, 0])

    def design(self, row: int) -> Any:
        """Give the product as its shop invented it."""
        return self._designs[row]

    def phrase(
        self, row: int, language: str, rng: np.random.Generator, *, style: Style = Style.ANY
    ) -> Phrase | None:
        """Word the product."""
        return self._phrase(self._shop.phrase(self._designs[row], rng, language, style=style))

    def paraphrase(self, row: int, phrase: Phrase, rng: np.random.Generator) -> Phrase | None:
        """Say the same in other words, which the shop may never use with pictures."""
        mentions = frozenset(self.shelf.names[column] for column in phrase.mentions)
        return self._phrase(self._shop.paraphrase(self._designs[row], rng, mentions))

    def _phrase(self, said: Spoken | None) -> Phrase | None:
        if said is None:
            return None
        return Phrase(said.text, self._columns(said.mentions), self._columns(said.doubtful))

    def _columns(self, attributes: frozenset[str]) -> tuple[int, ...]:
        return tuple(self.shelf.names.index(name) for name in sorted(attributes))


def draw(
    shop: Shop,
    config: RenderConfig,
    *,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Path:
    """
    Draw every view of every product into a cache; a stopped run goes on where it was.

    Args:
        progress: called with the products drawn and to draw.

    Raises:
        Conflict: the folder holds pictures of another shop or other settings.
        StorageFull: no room for all of them; none is drawn.
    """
    designs = invent(shop, config)
    mark = _mark(shop, config, designs)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    done, shape = _drawn(folder, mark), _shape(shop, config)
    take_room(folder / PICTURES, math.prod(shape))
    pixels = np.memmap(folder / PICTURES, np.uint8, "r+", shape=shape)
    for place in range(done, len(designs)):
        for view in range(shop.views):
            pixels[place, view] = shop.render(designs[place], seed=place, view=view, size=config.px)
        if (place + 1) % SAVE_EVERY == 0 or place + 1 == len(designs):
            pixels.flush()
            _save_progress(folder, mark, place + 1)
            progress(place + 1, len(designs))
    return folder


def invent(shop: Shop, config: RenderConfig) -> list[Any]:
    """Invent the products: for training first, then those with held-out combinations."""
    rng = np.random.default_rng([config.seed, 77])
    kept: list[Any] = []
    held: list[Any] = []
    for _ in range(200 * (config.products + config.validation)):
        design = shop.design(rng)
        (held if shop.held_out(design) else kept).append(design)
        if len(kept) >= config.products and len(held) >= config.validation:
            return kept[: config.products] + held[: config.validation]
    raise InvalidRequest(
        f"the shop gave {len(kept)} products for training and {len(held)} held out, "
        f"wanted are {config.products} and {config.validation}"
    )


def _shelf(attributes: Sequence[Mapping[str, str]], config: RenderConfig) -> Shelf:
    names = tuple(dict.fromkeys(name for one in attributes for name in one))
    columns = [_numbered([one.get(name) for one in attributes]) for name in names]
    rows = np.arange(len(attributes), dtype=np.int64)
    return Shelf(
        names=names,
        codes=np.stack(columns, 1),
        groups=np.full(len(rows), -1, np.int64),
        kinds=columns[0],
        training=rows[: config.products],
        validation=rows[config.products :],
        heads=len(names),
    )


def _numbered(values: Sequence[str | None]) -> Rows:
    order = {value: place for place, value in enumerate(sorted({v for v in values if v}))}
    return np.array([order.get(value, -1) if value else -1 for value in values], np.int64)


def _shape(shop: Shop, config: RenderConfig) -> tuple[int, ...]:
    return config.products + config.validation, shop.views, config.px, config.px, 3


def _mark(shop: Shop, config: RenderConfig, designs: Sequence[Any]) -> str:
    """Name this set of pictures: settings, every design, and one picture as it is drawn now."""
    digest = hashlib.sha256(repr((config, shop.views, designs)).encode())
    digest.update(shop.render(designs[0], seed=0, view=0, size=config.px).tobytes())
    return digest.hexdigest()


def _drawn(folder: Path, mark: str) -> int:
    try:
        found = json.loads((folder / PROGRESS).read_text("utf-8"))
    except FileNotFoundError:
        return 0
    if found.get("mark") != mark:
        raise Conflict(
            f"{folder} holds pictures of other products or of another version of the renderer",
            hint="choose another folder, or remove this one",
        )
    return int(found["done"])


def _save_progress(folder: Path, mark: str, done: int) -> None:
    draft = folder / f".{PROGRESS}"
    draft.write_text(json.dumps({"mark": mark, "done": done}), "utf-8")
    draft.replace(folder / PROGRESS)

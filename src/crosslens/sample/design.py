"""What a product of the sample shop is: its category, colours, pattern, material and form."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np

PLAIN_SHARE = 0.45
_BRIGHTNESS = np.array((0.3, 0.59, 0.11))


@dataclass(frozen=True)
class Design:
    """Everything about a product that its title may name."""

    category: str
    colour: str
    pattern: str
    accent: str
    material: str
    variant: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Colour:
    """A colour of the shop; `short` is how Chinese titles say it in pairs."""

    rgb: tuple[int, int, int]
    short: str
    zh: tuple[str, ...]
    en: tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """A pattern; `noun` is what the accent colour is said of in English."""

    zh: tuple[str, ...]
    en: tuple[str, ...]
    noun: str


@dataclass(frozen=True)
class Material:
    """A material: its words, and how it takes the light."""

    zh: tuple[str, ...]
    en: tuple[str, ...]
    gloss: float
    depth: float
    grain: str
    clear: float = 0.0


@dataclass(frozen=True)
class Category:
    """A kind of product: where it is sold, its words, materials and named forms.

    `genes` names the forms a product can have; `words` says each in English and Chinese. What
    shows figures or letters is never mirrored.
    """

    department: str
    zh: tuple[str, ...]
    en: tuple[str, ...]
    materials: tuple[str, ...]
    genes: Mapping[str, tuple[str, ...]]
    words: Mapping[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]
    price: tuple[float, float]
    sizes: str = ""
    stands: bool = True
    mirrors: bool = True


def load_table(name: str) -> dict[str, dict[str, Any]]:
    """Read one of the shop's tables."""
    text = files(__package__).joinpath("tables", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _category(row: Mapping[str, Any]) -> Category:
    genes: dict[str, dict[str, list[str]]] = row["genes"]
    words = {
        (gene, option): (tuple(english.split("/")), tuple(chinese.split("/")))
        for gene, options in genes.items()
        for option, (english, chinese) in options.items()
    }
    forms = {gene: tuple(options) for gene, options in genes.items()}
    values = _frozen({key: value for key, value in row.items() if key != "genes"})
    return Category(**values, genes=MappingProxyType(forms), words=MappingProxyType(words))


COLOURS: Mapping[str, Colour] = MappingProxyType(
    {key: Colour(**_frozen(row)) for key, row in load_table("colours").items()}
)
PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {key: Pattern(**_frozen(row)) for key, row in load_table("patterns").items()}
)
MATERIALS: Mapping[str, Material] = MappingProxyType(
    {key: Material(**_frozen(row)) for key, row in load_table("materials").items()}
)
CATEGORIES: Mapping[str, Category] = MappingProxyType(
    {key: _category(row) for key, row in load_table("categories").items()}
)


def random_design(  # noqa: PLR0913 - each choice can be given
    rng: np.random.Generator,
    *,
    category: str | None = None,
    colour: str | None = None,
    pattern: str | None = None,
    accent: str | None = None,
    material: str | None = None,
    variant: Mapping[str, str] | None = None,
) -> Design:
    """Invent a sensible product; what is given is kept, the rest is drawn."""
    category = category or _pick(rng, tuple(CATEGORIES))
    kind = CATEGORIES[category]
    colour = colour or _pick(rng, tuple(COLOURS))
    pattern = pattern or _random_pattern(rng)
    genes = {name: _pick(rng, options) for name, options in kind.genes.items()}
    return Design(
        category=category,
        colour=colour,
        pattern=pattern,
        accent="" if pattern == "solid" else accent or _pick(rng, accents(colour)),
        material=material or _random_material(rng, kind, pattern),
        variant=tuple((genes | dict(variant or {})).items()),
    )


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _random_pattern(rng: np.random.Generator) -> str:
    plain = rng.random() < PLAIN_SHARE
    return "solid" if plain else _pick(rng, tuple(PATTERNS)[1:])


def _random_material(rng: np.random.Generator, kind: Category, pattern: str) -> str:
    # Figures on see-through bodies cannot be told apart, so patterned things are opaque.
    opaque = [m for m in kind.materials if not MATERIALS[m].clear]
    return _pick(rng, kind.materials if pattern == "solid" or not opaque else opaque)


def accents(colour: str) -> list[str]:
    """List the accents that can be told from a colour at a glance."""
    ground = np.array(COLOURS[colour].rgb, float)
    apart = {key: np.array(other.rgb) - ground for key, other in COLOURS.items()}
    # Hue alone is lost at thumbnail size: a good accent is also lighter or darker.
    return [
        key
        for key, step in apart.items()
        if np.linalg.norm(step) > 120 and abs(float(step @ _BRIGHTNESS)) > 38
    ]

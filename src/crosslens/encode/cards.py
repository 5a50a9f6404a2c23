"""What a bundle says of itself: `card.toml`, valid from birth."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from crosslens.encode.toml import dumps
from crosslens.errors import BrokenBundle
from crosslens.values import Space

FORMAT = 1
MAX_DIM = 8192
MAX_TOKENS = 8192
MAX_SIDE = 4096
TEXT_FIELDS = (("title",), ("description",), ("title", "description"), ("description", "title"))

PARTS = ("text", "picture", "reranker")

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_Part = TypeVar("_Part")


class Resize(StrEnum):
    """How a picture comes to the size that the tower sees."""

    SQUASH = "squash"
    SHORTEST = "shortest"
    PAD = "pad"


class Side(StrEnum):
    """Where padding goes."""

    RIGHT = "right"
    LEFT = "left"


class Resample(StrEnum):
    """Pillow's filters, by name."""

    BICUBIC = "bicubic"
    BILINEAR = "bilinear"
    LANCZOS = "lanczos"


@dataclass(frozen=True, slots=True)
class Digest:
    """SHA-256 in lower-case hex, and the size in bytes."""

    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        good = _SHA256.match(str(self.sha256))
        _check(good, "digests: sha256", self.sha256, "64 lower-case hex digits")
        _check_whole("digests: bytes", self.bytes, 0, 2**50)


@dataclass(frozen=True, slots=True)
class TextCard:
    """
    How words become the inputs of the text tower.

    Attributes:
        max_tokens: longest input, special tokens included; longer texts are cut.
        query_prefix, item_prefix: put before a query, before a product's text.
        fields: which fields of a product its text is made of, in order.
        pad_to: tokens that every input is padded to; 0 pads to the longest of its batch.
        pad_side: where the padding goes.

    Raises:
        BrokenBundle: a value that is not allowed; the message names its key.
    """

    max_tokens: int
    file: str = "text.onnx"
    tokenizer: str = "tokenizer.json"
    query_prefix: str = ""
    item_prefix: str = ""
    fields: tuple[str, ...] = ("title",)
    pad_to: int = 0
    pad_side: Side = Side.RIGHT

    def __post_init__(self) -> None:
        _check_whole("text.max_tokens", self.max_tokens, 1, MAX_TOKENS)
        _check_file("text.file", self.file)
        _check_file("text.tokenizer", self.tokenizer)
        _check_text("text.query_prefix", self.query_prefix, empty=True)
        _check_text("text.item_prefix", self.item_prefix, empty=True)
        _check_fields("text.fields", self.fields)
        if self.pad_to != 0:
            _check_whole("text.pad_to", self.pad_to, self.max_tokens, MAX_TOKENS)
        _check(self.pad_side in list(Side), "text.pad_side", self.pad_side, _names(Side))
        object.__setattr__(self, "pad_side", Side(self.pad_side))

    def product_text(self, *, title: str, description: str) -> str:
        """Join the fields of a product that this tower reads; blank ones are left out."""
        return _joined(self.fields, title=title, description=description)


@dataclass(frozen=True, slots=True)
class PictureCard:
    """
    How a picture becomes the input of the picture tower: float32 [N, 3, height, width], RGB.

    Attributes:
        mean, std: per channel, in units of [0, 1]; a pixel becomes (value / 255 - mean) / std.
        resize: `squash` ignores the aspect ratio; `shortest` scales until the shorter side is
            `edge`, then cuts the centre out; `pad` fits the whole picture in and fills the rest.
        crop: cut width × height out of the centre; true exactly when `resize` is `shortest`.
        edge: pixels, only for `shortest`; 0 means the longer of width and height.
        fill: colour of the rest, 0 to 255 per channel; only for `pad`.
        draft: 0 for exact pixels; otherwise JPEG may be decoded at 1/2, 1/4 or 1/8 of its size
            while both sides keep this many pixels: quicker, slightly other vectors.

    Raises:
        BrokenBundle: a value that is not allowed; the message names its key.
    """

    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    file: str = "picture.onnx"
    resize: Resize = Resize.SQUASH
    crop: bool = False
    edge: int = 0
    resample: Resample = Resample.BICUBIC
    fill: tuple[int, int, int] = (255, 255, 255)
    draft: int = 0

    def __post_init__(self) -> None:
        _check_file("picture.file", self.file)
        _check_whole("picture.width", self.width, 1, MAX_SIDE)
        _check_whole("picture.height", self.height, 1, MAX_SIDE)
        _check_whole("picture.draft", self.draft, 0, MAX_SIDE)
        _check_three("picture.mean", self.mean, -10, 10)
        _check_three("picture.std", self.std, 1e-6, 10)
        _check_three("picture.fill", self.fill, 0, 255)
        self._check_resize()

    def _check_resize(self) -> None:
        _check(self.resize in list(Resize), "picture.resize", self.resize, _names(Resize))
        _check(self.resample in list(Resample), "picture.resample", self.resample, _names(Resample))
        object.__setattr__(self, "resize", Resize(self.resize))
        object.__setattr__(self, "resample", Resample(self.resample))
        crop = self.resize is Resize.SHORTEST
        allowed = f"{str(crop).lower()} when picture.resize is {self.resize}"
        _check(self.crop is crop, "picture.crop", self.crop, allowed)
        if self.edge != 0:
            _check(crop, "picture.edge", self.edge, "0 unless picture.resize is shortest")
            _check_whole("picture.edge", self.edge, max(self.width, self.height), MAX_SIDE)

    @property
    def shortest_edge(self) -> int:
        """Pixels of the shorter side before the centre is cut out."""
        return self.edge or max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class RerankerCard:
    """
    How a question and a product's text become the input of a cross-encoder.

    Attributes:
        max_tokens: longest pair, special tokens included; the longer of the two is cut.
        fields: which fields of a product its text is made of, in order.

    Raises:
        BrokenBundle: a value that is not allowed; the message names its key.
    """

    max_tokens: int
    file: str = "reranker.onnx"
    tokenizer: str = "tokenizer.json"
    fields: tuple[str, ...] = ("title", "description")

    def __post_init__(self) -> None:
        _check_whole("reranker.max_tokens", self.max_tokens, 8, MAX_TOKENS)
        _check_file("reranker.file", self.file)
        _check_file("reranker.tokenizer", self.tokenizer)
        _check_fields("reranker.fields", self.fields)

    def product_text(self, *, title: str, description: str) -> str:
        """Join the fields of a product that it reads; blank ones are left out."""
        return _joined(self.fields, title=title, description=description)


@dataclass(frozen=True, slots=True)
class Card:
    """
    What a bundle is: whose vectors, made how, from which files.

    Attributes:
        space: name of the vector space; ends with "/" and the precision, for vectors of another
            precision are other vectors.
        languages: BCP 47 tags; may be empty.
        alpha: share of vectors against keywords that hybrid search gives this bundle unless told
            otherwise, in [0, 1]; a small bundle deserves less than an even share.
        digests: per file name; `write_bundle` fills it.
        training: free-form: command, data, metrics.

    Raises:
        BrokenBundle: a value that is not allowed; the message names its key.
    """

    name: str
    about: str
    licence: str
    space: str
    precision: str
    dim: int
    languages: tuple[str, ...] = ()
    alpha: float = 0.5
    text: TextCard | None = None
    picture: PictureCard | None = None
    reranker: RerankerCard | None = None
    digests: Mapping[str, Digest] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("name", "about", "licence", "precision", "space"):
            _check_text(key, getattr(self, key))
        ending = f"/{self.precision}"
        _check(self.space.endswith(ending), "space", self.space, f"a name that ends with {ending}")
        _check_whole("dim", self.dim, 1, MAX_DIM)
        alpha: Any = self.alpha
        good = isinstance(alpha, int | float) and 0 <= alpha <= 1
        _check(good, "alpha", alpha, "a number from 0 to 1")
        _check(isinstance(self.languages, tuple), "languages", self.languages, "a list of tags")
        for language in self.languages:
            _check_text("languages", language)
        self._check_parts()
        for name in self.digests:
            _check_file("digests", name)

    def _check_parts(self) -> None:
        if self.reranker is not None:
            alone = self.text is None and self.picture is None
            _check(alone, "reranker", "beside [text] or [picture]", "a bundle of its own")
            _check(self.dim == 1, "dim", self.dim, "1 where there is [reranker]")
        elif self.text is None and self.picture is None:
            raise BrokenBundle(f"bundle {self.name} has neither [text], [picture] nor [reranker]")

    @property
    def vector_space(self) -> Space:
        """The space of this bundle's vectors."""
        return Space(self.space, self.dim)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that the towers need, without `card.toml` and `goldens.npz`."""
        words = self.text or self.reranker
        text = (words.file, words.tokenizer) if words else ()
        return (*text, *((self.picture.file,) if self.picture else ()))

    @property
    def towers(self) -> tuple[str, ...]:
        """Which parts it has: text, picture, reranker."""
        return tuple(name for name in PARTS if getattr(self, name) is not None)


def parse_card(text: str) -> Card:
    """
    Read the text of a `card.toml`.

    Raises:
        BrokenBundle: not TOML, of another format, or a key is missing, unknown or not allowed.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BrokenBundle(f"card.toml is not TOML: {exc}") from exc
    found = top.pop("format", None)
    _check(found == FORMAT, "format", found, f"{FORMAT}, the only one that this version reads")
    if "text" in top:
        top["text"] = _part(TextCard, "text", top["text"])
    if "picture" in top:
        top["picture"] = _part(PictureCard, "picture", top["picture"])
    if "reranker" in top:
        top["reranker"] = _part(RerankerCard, "reranker", top["reranker"])
    digests = _table("digests", top.get("digests", {}))
    top["digests"] = {name: _part(Digest, "digests", entry) for name, entry in digests.items()}
    top["training"] = _table("training", top.get("training", {}))
    return _part(Card, "", top)


def format_card(card: Card) -> str:
    """Write the text of a `card.toml`, from which `parse_card` makes an equal card."""
    table: dict[str, Any] = {"format": FORMAT}
    table |= {key: value for key, value in _values(card).items() if value is not None}
    table |= {key: _values(table[key]) for key in PARTS if key in table}
    table["digests"] = {name: _values(entry) for name, entry in sorted(card.digests.items())}
    return dumps(table)


def _values(part: Any) -> dict[str, Any]:
    return {f.name: getattr(part, f.name) for f in fields(part)}


def _part(kind: type[_Part], prefix: str, table: Any) -> _Part:
    values = {key: _tuple(value) for key, value in _table(prefix, table).items()}
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    dot = f"{prefix}." if prefix else ""
    for key in values.keys() - known.keys():
        raise BrokenBundle(f"card.toml: {dot}{key} is not a key; known are {', '.join(known)}")
    for key, entry in known.items():
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if needed and key not in values:
            raise BrokenBundle(f"card.toml: {dot}{key} is missing")
    return kind(**values)


def _table(name: str, value: Any) -> dict[str, Any]:
    _check(isinstance(value, dict), name, value, "a table")
    return dict(value)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _names(kind: type[StrEnum]) -> str:
    return ", ".join(kind)


def _check(good: object, key: str, value: object, allowed: str) -> None:
    if not good:
        raise BrokenBundle(f"card.toml: {key} is {value!r}; allowed: {allowed}")


def _check_text(key: str, value: object, *, empty: bool = False) -> None:
    good = isinstance(value, str) and (empty or value.strip()) and "\0" not in value
    _check(good, key, value, "text" if empty else "text that is not blank")


def _check_fields(key: str, value: object) -> None:
    _check(value in TEXT_FIELDS, key, value, '"title" and "description", each at most once')


def _joined(names: Sequence[str], **texts: str) -> str:
    return "\n".join(texts[name] for name in names if texts[name].strip())


def _check_file(key: str, value: object) -> None:
    good = isinstance(value, str) and _FILE_NAME.match(value)
    _check(good, key, value, "a plain file name of A-Z, a-z, 0-9, dot, dash, underscore")


def _check_whole(key: str, value: object, least: int, most: int) -> None:
    good = type(value) is int and least <= value <= most
    _check(good, key, value, f"a whole number from {least} to {most}")


def _check_three(key: str, value: Any, least: float, most: float) -> None:
    good = isinstance(value, Sequence) and len(value) == 3
    good = good and all(type(v) in (int, float) and least <= v <= most for v in value)
    _check(good, key, value, f"three numbers from {least} to {most}")

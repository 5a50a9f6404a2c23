"""What a bundle says of itself: `card.toml`, valid from birth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crosslens.encode.tables import (
    Digest,
    check,
    check_file,
    check_share,
    check_tags,
    check_text,
    check_three,
    check_whole,
    names,
    part,
    read_toml,
    write_toml,
)
from crosslens.errors import BrokenBundle
from crosslens.values import Space

CARD, FORMAT = "card.toml", 1
MAX_DIM = 8192
MAX_TOKENS = 8192
MAX_SIDE = 4096
TEXT_FIELDS = (("title",), ("description",), ("title", "description"), ("description", "title"))

PARTS = ("text", "picture", "reranker")


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
        check_whole("text.max_tokens", self.max_tokens, 1, MAX_TOKENS)
        check_file("text.file", self.file)
        check_file("text.tokenizer", self.tokenizer)
        check_text("text.query_prefix", self.query_prefix, empty=True)
        check_text("text.item_prefix", self.item_prefix, empty=True)
        _check_fields("text.fields", self.fields)
        if self.pad_to != 0:
            check_whole("text.pad_to", self.pad_to, self.max_tokens, MAX_TOKENS)
        check(self.pad_side in list(Side), "text.pad_side", self.pad_side, names(Side))
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
        check_file("picture.file", self.file)
        check_whole("picture.width", self.width, 1, MAX_SIDE)
        check_whole("picture.height", self.height, 1, MAX_SIDE)
        check_whole("picture.draft", self.draft, 0, MAX_SIDE)
        check_three("picture.mean", self.mean, -10, 10)
        check_three("picture.std", self.std, 1e-6, 10)
        check_three("picture.fill", self.fill, 0, 255)
        self._check_resize()

    def _check_resize(self) -> None:
        check(self.resize in list(Resize), "picture.resize", self.resize, names(Resize))
        check(self.resample in list(Resample), "picture.resample", self.resample, names(Resample))
        object.__setattr__(self, "resize", Resize(self.resize))
        object.__setattr__(self, "resample", Resample(self.resample))
        crop = self.resize is Resize.SHORTEST
        allowed = f"{str(crop).lower()} when picture.resize is {self.resize}"
        check(self.crop is crop, "picture.crop", self.crop, allowed)
        if self.edge != 0:
            check(crop, "picture.edge", self.edge, "0 unless picture.resize is shortest")
            check_whole("picture.edge", self.edge, max(self.width, self.height), MAX_SIDE)

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
        check_whole("reranker.max_tokens", self.max_tokens, 8, MAX_TOKENS)
        check_file("reranker.file", self.file)
        check_file("reranker.tokenizer", self.tokenizer)
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
            check_text(key, getattr(self, key))
        ending = f"/{self.precision}"
        check(self.space.endswith(ending), "space", self.space, f"a name that ends with {ending}")
        check_whole("dim", self.dim, 1, MAX_DIM)
        check_share("alpha", self.alpha, 1)
        check_tags("languages", self.languages)
        self._check_parts()
        for name in self.digests:
            check_file("digests", name)

    def _check_parts(self) -> None:
        if self.reranker is not None:
            alone = self.text is None and self.picture is None
            check(alone, "reranker", "beside [text] or [picture]", "a bundle of its own")
            check(self.dim == 1, "dim", self.dim, "1 where there is [reranker]")
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
    return read_toml(text, _card, file=CARD, format=FORMAT)


def _card(top: dict[str, Any]) -> Card:
    kinds = {"text": TextCard, "picture": PictureCard, "reranker": RerankerCard}
    parts: dict[str, object] = {
        name: part(kind, name, top[name]) for name, kind in kinds.items() if name in top
    }
    return part(Card, "", {**top, **parts})


def format_card(card: Card) -> str:
    """Write the text of a `card.toml`, from which `parse_card` makes an equal card."""
    return write_toml(card, parts=PARTS, format=FORMAT)


def _check_fields(key: str, value: object) -> None:
    check(value in TEXT_FIELDS, key, value, '"title" and "description", each at most once')


def _joined(names: Sequence[str], **texts: str) -> str:
    return "\n".join(texts[name] for name in names if texts[name].strip())

"""Products → rows of the vector index: the one place that says what of a product is indexed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.encode.encoder import Encoders, PictureEncoder, TextEncoder
from crosslens.errors import WrongSpace
from crosslens.values import Attributes, Space, Vectors
from crosslens.vectors.index import IndexSpec, ProductRows

EncoderT = TypeVar("EncoderT", TextEncoder, PictureEncoder)
TITLE_WEIGHT = 4
Tokens = Callable[[str], Sequence[str]]
ProductText = Callable[[Product], str]


@dataclass(frozen=True, slots=True)
class RowMaker:
    """
    Encode products.

    Attributes:
        encoders: those for what the catalogue holds.
        tokens: text → keyword tokens of an entry.
        texts: per text space, what of a product is encoded; the title where none is named or it is
            blank.
    """

    encoders: Encoders
    media: MediaStore
    tokens: Tokens
    texts: Mapping[Space, ProductText]

    def rows(self, products: Sequence[Product], spec: IndexSpec) -> list[ProductRows]:
        """
        Encode products for an index of the given spec.

        Raises:
            NotFound: a picture's bytes are gone from the media store.
            UnreadablePicture: a picture cannot be decoded.
            WrongSpace: the index was built for other encoders.
        """
        contents = [self.media.get(p.sha256) for product in products for p in product.pictures]
        texts = [self._texts(space, products) for space in spec.text]
        pictures = [self._pictures(space, contents) for space in spec.picture]
        rows, start = [], 0
        for n, product in enumerate(products):
            end = start + len(product.pictures)
            rows.append(
                ProductRows(
                    product.id,
                    product.revision,
                    tuple(_slice(vectors, n, n + 1) for vectors in texts),
                    tuple(_slice(vectors, start, end) for vectors in pictures),
                    keyword_tokens(product, self.tokens),
                    product.fields.attributes,
                )
            )
            start = end
        return rows

    def _texts(self, space: Space, products: Sequence[Product]) -> Vectors:
        encoder = _of_space(space, self.encoders.text, self.encoders.words)
        text_of = self.texts.get(space, _title)
        return encoder.encode_items([text_of(p).strip() or p.title for p in products])

    def _pictures(self, space: Space, contents: Sequence[bytes]) -> Vectors:
        encoder = _of_space(space, self.encoders.pictures, self.encoders.looks)
        return encoder.encode_pictures(contents)


def keyword_tokens(product: Product, tokens: Tokens) -> list[str]:
    """
    Return the tokens of all that keywords should find: title, description, attributes.

    Beside a long description the title's words are repeated, since what stands in the title is
    what the product is; `benchmarks/keywords.py` shows what that is worth.
    """
    fields = product.fields
    title = list(tokens(fields.title))
    rest = tokens("\n".join((fields.description, *_words(fields.attributes))))
    return title * (TITLE_WEIGHT if fields.description else 1) + list(rest)


def _of_space(space: Space, *encoders: EncoderT) -> EncoderT:
    for encoder in encoders:
        if encoder.space == space:
            return encoder
    raise WrongSpace(
        f"the index wants vectors of space {space}, no bundle in use makes them",
        hint="run `crosslens index rebuild` after changing a bundle",
    )


def _title(product: Product) -> str:
    return product.title


def _words(attributes: Attributes) -> Iterable[str]:
    for value in attributes.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from value


def _slice(vectors: Vectors, start: int, end: int) -> Vectors:
    return Vectors(vectors.space, vectors.array[start:end])

"""Products → rows of the vector index: the one place that says what of a product is indexed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.encode.encoder import Encoders, PictureEncoder, TextEncoder
from crosslens.errors import WrongSpace
from crosslens.indexing.kept import DIGEST, Half, KeptVectors, digest_of
from crosslens.values import Attributes, Modality, Space, Vectors
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
        kept: vectors that were made before; None: everything is encoded.
    """

    encoders: Encoders
    media: MediaStore
    tokens: Tokens
    texts: Mapping[Space, ProductText]
    kept: KeptVectors | None = None

    def rows(self, products: Sequence[Product], spec: IndexSpec) -> list[ProductRows]:
        """
        Encode products for an index of the given spec.

        Raises:
            NotFound: a picture's bytes are gone from the media store.
            UnreadablePicture: a picture cannot be decoded.
            WrongSpace: the index was built for other encoders.
        """
        content = functools.cache(self.media.get)  # read once for all spaces, and forgotten
        texts = [self._texts(space, products) for space in spec.text]
        pictures = [self._pictures(space, products, content) for space in spec.picture]
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

    def forget(self, product_ids: Sequence[int]) -> None:
        """Drop what is kept of products that are gone."""
        if self.kept is not None:
            self.kept.forget(product_ids)

    def _texts(self, space: Space, products: Sequence[Product]) -> Vectors:
        encoder = _of_space(space, self.encoders.text, self.encoders.words)
        text_of = self.texts.get(space, _title)
        texts = [text_of(p).strip() or p.title for p in products]
        owned = [
            (product.id, digest_of(text)) for product, text in zip(products, texts, strict=True)
        ]
        return self._vectors(
            Modality.TEXT, space, owned, lambda at: encoder.encode_items([texts[n] for n in at])
        )

    def _pictures(
        self, space: Space, products: Sequence[Product], content: Callable[[str], bytes]
    ) -> Vectors:
        encoder = _of_space(space, self.encoders.pictures, self.encoders.looks)
        shown = [(p.id, picture.sha256) for p in products for picture in p.pictures]
        owned = [(product_id, bytes.fromhex(sha256)[:DIGEST]) for product_id, sha256 in shown]
        return self._vectors(
            Modality.PICTURE,
            space,
            owned,
            lambda at: encoder.encode_pictures([content(shown[n][1]) for n in at]),
        )

    def _vectors(
        self,
        modality: Modality,
        space: Space,
        owned: Sequence[tuple[int, bytes]],
        encode: Callable[[Sequence[int]], Vectors],
    ) -> Vectors:
        """Return a vector per (product, digest): what is kept, and the rest encoded and kept."""
        if self.kept is None or not owned:
            return encode(range(len(owned)))
        known = self.kept.of(modality, space, list(dict(owned)))
        found = [known.get(product_id, {}).get(digest) for product_id, digest in owned]
        missing = [n for n, vector in enumerate(found) if vector is None]
        if missing:
            made = encode(missing).array.astype(np.float16)  # as precise as what is kept
            for n, vector in zip(missing, made, strict=True):
                found[n] = vector
            rows = _by_product(owned, found, {owned[n][0] for n in missing})
            self.kept.keep(modality, space, rows)
        return Vectors.normalized(space, np.array(found, dtype=np.float32))


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


def _by_product(
    owned: Sequence[tuple[int, bytes]], vectors: Sequence[Half | None], chosen: Set[int]
) -> dict[int, list[tuple[bytes, Half]]]:
    rows: dict[int, list[tuple[bytes, Half]]] = {product_id: [] for product_id in chosen}
    for (product_id, digest), vector in zip(owned, vectors, strict=True):
        if product_id in chosen and vector is not None:
            rows[product_id].append((digest, vector))
    return rows


def _slice(vectors: Vectors, start: int, end: int) -> Vectors:
    return Vectors(vectors.space, vectors.array[start:end])

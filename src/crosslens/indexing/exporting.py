"""Export: the whole catalogue → a folder that `crosslens import` brings back as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Picture, Product
from crosslens.catalog.store import CatalogStore
from crosslens.corpora.exports import Cover, Form, picture_path, product_file, write_cover
from crosslens.errors import NotFound
from crosslens.indexing.exported_vectors import VectorFiles
from crosslens.indexing.whole import whole_folder
from crosslens.vectors.index import VectorIndex

BATCH: Final = 500  # products in memory at once; pictures are copied one by one


class _Interrupted(Exception):
    """The user wants no more of it."""


@dataclass(slots=True)
class Exported:
    """
    What was written.

    Attributes:
        pictures: files; a picture that several products show is one.
        bytes: of the pictures.
        without_vectors: products and pictures that the index does not hold at this revision yet.
    """

    products: int = 0
    retired: int = 0
    pictures: int = 0
    bytes: int = 0
    vectors: int = 0
    without_vectors: int = 0


@dataclass(frozen=True, slots=True)
class Exporter:
    """
    Write everything that the catalogue knows.

    Attributes:
        attributes: declared attributes and their types, so that the import declares them too.
        index: whose vectors are written as well; None: none.
        on_progress: called with the number of entries written.
    """

    catalog: CatalogStore
    media: MediaStore
    attributes: Mapping[str, str] = field(default_factory=dict)
    index: VectorIndex | None = None
    on_progress: Callable[[int], None] = lambda done: None

    def run(
        self, target: Path, form: Form = Form.JSONL, stop: threading.Event | None = None
    ) -> Exported | None:
        """
        Export to a folder that is not there yet; it appears whole, or not at all.

        Products that are added meanwhile are left out; each one is as it is when it is read.

        Returns:
            What was written; None where `stop` was set, and then nothing is left behind.

        Raises:
            Conflict: there is something at `target` already.
            NotFound: a picture's bytes are gone from the media store.
            MissingExtra: parquet is wanted, and pyarrow is not installed.
            StorageFull, Unavailable: it cannot be written; nothing is left behind.
        """
        done = Exported()
        try:
            with whole_folder(target) as folder:
                self._write(folder, form, stop or threading.Event(), done)
        except _Interrupted:
            return None
        return done

    def _write(self, folder: Path, form: Form, stop: threading.Event, done: Exported) -> None:
        vectors = VectorFiles(folder, self.index) if self.index is not None else None
        with product_file(folder, form) as write:
            for products in everything(self.catalog):
                if stop.is_set():
                    raise _Interrupted
                write([self._row(folder, product, done) for product in products])
                if vectors is not None:
                    vectors.add([product for product in products if not product.retired])
                self.on_progress(done.products + done.retired)
        listed: tuple[Mapping[str, Any], ...] = ()
        if vectors is not None:
            listed = vectors.finish()
            done.vectors, done.without_vectors = vectors.written, vectors.missing
        attributes = dict(self.attributes)
        cover = Cover(form, done.products, done.retired, done.pictures, attributes, listed)
        write_cover(folder, cover)

    def _row(self, folder: Path, product: Product, done: Exported) -> dict[str, Any]:
        shown: Sequence[Picture] = () if product.retired else product.pictures
        if product.retired:
            done.retired += 1
        else:
            done.products += 1
        return {
            "id": product.id,
            "key": product.fields.source_key,
            "title": product.fields.title,
            "description": product.fields.description,
            "attributes": dict(product.fields.attributes),
            "images": [self._copied(folder, product, picture, done) for picture in shown],
            "created": product.created.isoformat(),
            "updated": product.updated.isoformat(),
            "revision": product.revision,
            "retired": product.retired,
        }

    def _copied(self, folder: Path, product: Product, picture: Picture, done: Exported) -> str:
        name = picture_path(picture.sha256, picture.format)
        path = folder / name
        if not path.exists():
            try:
                content = self.media.get(picture.sha256)
            except NotFound as exc:
                raise NotFound(
                    f"picture {picture.sha256} of product {product.id} is not in the media store",
                    hint="give the product other pictures or remove it, then export again",
                ) from exc
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            done.pictures += 1
            done.bytes += len(content)
        return name


def everything(catalog: CatalogStore) -> Iterator[list[Product]]:
    """Yield all products that ever were, retired ones included, by rising id, in batches."""
    summary = catalog.summary()
    last = summary.products + summary.retired  # ids are given out without a gap
    for first in range(1, last + 1, BATCH):
        found = catalog.read(range(first, min(first + BATCH, last + 1)))
        yield sorted(found.values(), key=lambda product: product.id)

"""Write the sample catalogue as a folder that `crosslens import` and `evaluate` read."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crosslens.disk import explained
from crosslens.errors import InvalidRequest
from crosslens.sample import golden, offer
from crosslens.sample.catalogue import Listing, invent
from crosslens.sample.render import render

SMALLEST, LARGEST = 32, 1024
QUESTIONS, CHANGES = 150 / 640, 100 / 640  # per product
MOST_ASKED = 500  # of either; more would tell nothing new
KEPT = 0.93  # of each side that a cropped copy shows


class PictureFormat(StrEnum):
    """How pictures are encoded; the value names the file suffix too."""

    WEBP = "webp"
    JPEG = "jpeg"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """
    How pictures are kept.

    Attributes:
        size: pixels of each side, 32 to 1,024.
        quality: 1 to 100, for WebP and JPEG.

    Raises:
        InvalidRequest: a value is out of range.
    """

    size: int = 256
    format: PictureFormat = PictureFormat.WEBP
    quality: int = 80

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= LARGEST:
            raise InvalidRequest(f"size is {self.size}, allowed is {SMALLEST} to {LARGEST:,}")
        if not 1 <= self.quality <= 100:
            raise InvalidRequest(f"quality is {self.quality}, allowed is 1 to 100")

    def encoded(self, picture: Image.Image, *, quality: int | None = None) -> bytes:
        """Return the bytes of a picture file."""
        out = io.BytesIO()
        slowly = {"method": 6} if self.format is PictureFormat.WEBP else {"optimize": True}
        picture.save(out, self.format, quality=quality or self.quality, **slowly)
        return out.getvalue()


@dataclass(frozen=True, slots=True)
class Published:
    """What was written."""

    products: int
    pictures: int
    copies: int
    questions: int
    changes: int
    bytes: int


def publish(
    folder: Path,
    products: int,
    *,
    seed: int,
    files: PictureFiles,
    on_product: Callable[[int], None] = lambda done: None,
) -> Published:
    """
    Write a catalogue of so many products, questions and changes; the same for the same seed.

    The folder appears when everything is written, so one that is there is whole.

    Raises:
        InvalidRequest: the folder is not empty or cannot be made, or products is out of range.
        MissingExtra: the renderer is not installed.
        StorageFull: no space left; nothing is left behind.
    """
    listings = invent(products, seed)
    with whole_folder(folder) as draft:
        pictures = _products(draft, listings, files, on_product)
        asked = golden.questions(listings, _share(products, QUESTIONS), seed)
        wished = golden.changes(listings, _share(products, CHANGES), seed)
        copies = [listing for listing in listings if listing.copy_of]
        _write_questions(draft, asked)
        _write_lines(draft / "composed.jsonl", _change_rows(wished))
        _write_lines(draft / "duplicates.jsonl", map(_copy_row, copies))
        published = Published(
            len(listings), pictures, len(copies), len(asked), len(wished), _size(draft)
        )
        command = f"crosslens sample render {folder.name} --products {products} --seed {seed}"
        about = _ABOUT.format(published, size=files.size, command=command)
        (draft / "README.md").write_text(about, "utf-8")
        return published


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """
    Yield a folder beside the one wanted, which takes its place when all went well.

    Raises:
        InvalidRequest: the one wanted is not empty or is a file.
        StorageFull, Unavailable: it cannot be written.
    """
    with explained(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file"
            raise InvalidRequest(f"{folder} {what}", hint="name a folder that does not exist yet")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            draft.chmod(0o755)  # mkdtemp keeps others out
            yield draft
            if folder.exists():
                folder.rmdir()
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _products(
    draft: Path, listings: Sequence[Listing], files: PictureFiles, on_product: Callable[[int], None]
) -> int:
    """Draw every picture, then write the products; return the number of pictures."""
    (draft / "images").mkdir()
    rows = []
    for done, listing in enumerate(listings, start=1):
        names = [f"images/{listing.id}-{n + 1}.{files.format}" for n in range(listing.views)]
        for view, name in enumerate(names):
            (draft / name).write_bytes(photograph(listing, view, files))
        rows.append(offer.row(listing, names))
        on_product(done)
    _write_lines(draft / "items.jsonl", rows)
    return sum(listing.views for listing in listings)


def photograph(listing: Listing, view: int, files: PictureFiles) -> bytes:
    """Draw one picture of a listing as the bytes of a file; a copy shows the worn original."""
    pixels = render(listing.design, seed=listing.look, view=view, size=files.size)
    picture = Image.fromarray(pixels)
    if listing.copied == "recompressed":
        return files.encoded(picture, quality=max(1, files.quality // 2))
    if listing.copied == "cropped":
        picture = _cropped(picture, np.random.default_rng([listing.offer, 4]))
    if listing.copied == "shrunk":
        picture = _resized(_resized(picture, files.size * 5 // 8), files.size)
    return files.encoded(picture)


def _share(products: int, share: float) -> int:
    return min(MOST_ASKED, max(1, round(products * share)))


def _cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = round(picture.width * KEPT)
    left, top = (int(rng.integers(picture.width - side + 1)) for _ in range(2))
    return _resized(picture.crop((left, top, left + side, top + side)), picture.width)


def _resized(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def _write_questions(draft: Path, asked: Sequence[golden.Question]) -> None:
    names = [f"q{number:03}" for number in range(1, len(asked) + 1)]
    _write_lines(
        draft / "queries.jsonl",
        (
            {"id": name, **_texts(question.texts), "attributes": question.attributes}
            for name, question in zip(names, asked, strict=True)
        ),
    )
    judged = [
        f"{name}\t{product}\t1\n"
        for name, question in zip(names, asked, strict=True)
        for product in question.relevant
    ]
    (draft / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged), "utf-8")


def _change_rows(wished: Sequence[golden.Change]) -> Iterator[dict[str, Any]]:
    for number, change in enumerate(wished, start=1):
        told = {"id": f"c{number:03}", "kind": change.kind, "ref": change.ref}
        yield told | _texts(change.texts) | {"targets": list(change.targets)}


def _texts(texts: Mapping[Any, str]) -> dict[str, str]:
    return {f"text_{language}": text for language, text in texts.items()}


def _copy_row(copy: Listing) -> dict[str, str]:
    return {"id": copy.id, "of": copy.copy_of, "how": copy.copied}


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


_ABOUT = """\
# A shop that does not exist

{0.products:,} products with {0.pictures:,} pictures of {size} pixels, made by crosslens with

    {command}

and free to use under the Apache License 2.0. Every product, brand and shop is invented.

- `items.jsonl`: a product per line. `title` and `description` are in the language of the shop that
  sells it; the other language stands beside them as `title_en`, `description_en` or `title_zh`,
  `description_zh`. Then `category`, `attributes`, `image` and `other_images`.
- `images/`: pictures, up to three views of a product.
- `duplicates.jsonl`: {0.copies:,} products (`id`) that are the product of another shop (`of`) under
  another title, and `how` their picture was made from the other one.
- `queries.jsonl`, `qrels.tsv`: {0.questions:,} questions in English and Chinese. Right is every
  product that has all `attributes` which the question names (1), and nothing else. One question in
  five uses words and phrasings that the training of the built-in models never shows.
- `composed.jsonl`: {0.changes:,} wishes that start from a product (`ref`): another `colour`,
  another `pattern`, no pattern (`plain`), another form (`variant`). The `targets` differ from it in
  that alone.
"""

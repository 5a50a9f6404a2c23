"""A user's own catalogue as a source: titles and pictures, decoded once into a cache."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crosslens.corpora.records import BadRecord, Record
from crosslens.errors import InvalidRequest, UnreadablePicture
from crosslens.pictures import decode
from crosslens.train.source import Phrase, Pixels, Rows, Shelf, Style
from crosslens.values import fold

FEWEST_PRODUCTS = 16
VALIDATED = 0.1
_CHINESE = re.compile("[\u3400-\u9fff]")
PRODUCT, TITLE = 0, 1


@dataclass(frozen=True, slots=True)
class Listing:
    """
    One product to learn from.

    Attributes:
        key: names the product; decides whether it is kept for validation.
        titles: texts that describe it, in any language; blank ones are dropped.
        pictures: bytes of each picture.
        group: products of one group are alike, and never held against each other.
        kind: what sort of thing it is; makes the training harder and better. May be blank.
    """

    key: str
    titles: Sequence[str]
    pictures: Sequence[bytes]
    group: str = ""
    kind: str = ""


@dataclass(slots=True)
class Skipped:
    """What could not be used, counted; and the first few reasons in words."""

    pictures: int = 0
    products: int = 0
    reasons: list[str] = field(default_factory=list)

    def note(self, reason: str) -> None:
        """Keep a reason, if it is among the first ten."""
        if len(self.reasons) < 10:
            self.reasons.append(reason)


def listings(
    records: Iterable[Record | BadRecord], *, group: str = "", kind: str = ""
) -> Iterator[Listing]:
    """
    Turn the records of a data set into products to learn from; bad ones are left out.

    Pictures that must be fetched are left out too; one that cannot be read comes as no bytes,
    so that the source counts it.

    Args:
        group, kind: names of the attributes that say a product's group and kind; "" for none.
    """
    for record in records:
        if isinstance(record, Record):
            yield Listing(
                key=record.key,
                titles=(record.title,),
                pictures=(*record.contents, *map(_bytes, record.pictures)),
                group=str(record.attributes.get(group, "")),
                kind=str(record.attributes.get(kind, "")),
            )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class ListedSource:
    """
    Products of a catalogue, every picture decoded once to [S, S, 3].

    Args:
        cache: a file for the decoded pictures; replaced.
        px: the side that the model sees.

    Raises:
        InvalidRequest: fewer than 16 usable products, or nothing to tell them apart by.
    """

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        cache: Path,
        px: int,
        progress: Callable[[int], None] = lambda products: None,
    ) -> None:
        self.skipped = Skipped()
        self._px = px
        digest = hashlib.sha256()
        cache.parent.mkdir(parents=True, exist_ok=True)
        kept: list[_Kept] = []
        with cache.open("wb") as out:
            for listing in listings:
                if one := self._keep(listing, out.write, digest.update):
                    kept.append(one)
                    progress(len(kept))
        _refuse_unteachable(kept, self.skipped)
        self._open(kept, cache)
        self.provenance: dict[str, Any] = {
            "data": "catalogue", "products": len(kept), "pictures": int(self._counts.sum()),
            "skipped_products": self.skipped.products, "skipped_pictures": self.skipped.pictures,
            "sha256": digest.hexdigest(),
        }  # fmt: skip

    def pictures(self, rows: Rows, rng: np.random.Generator) -> Pixels:
        """Give two pictures of each product; one twice if it has one: [P, 2, S, S, 3]."""
        counts, starts = self._counts[rows], self._starts[rows]
        first = rng.integers(counts)
        second = (first + rng.integers(np.minimum(1, counts - 1), np.maximum(counts, 1))) % counts
        return np.asarray(self._pixels[np.stack([starts + first, starts + second], 1)])

    def portraits(self, rows: Rows) -> Pixels:
        """Give the first picture of each product: [P, S, S, 3]."""
        return np.asarray(self._pixels[self._starts[rows]])

    def phrase(
        self, row: int, language: str, rng: np.random.Generator, *, style: Style = Style.ANY
    ) -> Phrase | None:
        """Give one of the product's titles in a language; a catalogue has no unseen words."""
        titles = self._titles[row].get(language, [])
        if not titles or style not in {Style.ANY, Style.FULL}:
            return None
        place = int(rng.integers(len(titles))) if style is Style.ANY else 0
        return Phrase(titles[place], (TITLE,))

    def paraphrase(self, row: int, phrase: Phrase, rng: np.random.Generator) -> Phrase | None:
        """Give another title of the product, in another language where it has one."""
        titles = [t for found in self._titles[row].values() for t in found if t != phrase.text]
        abroad = [t for t in titles if _language(t) != _language(phrase.text)] or titles
        return Phrase(abroad[int(rng.integers(len(abroad)))], (TITLE,)) if abroad else None

    def _keep(
        self, listing: Listing, write: Callable[[bytes], Any], digest: Callable[[bytes], None]
    ) -> _Kept | None:
        titles = [title.strip() for title in listing.titles if title.strip()]
        squares = [s for content in listing.pictures if (s := self._square(listing, content))]
        if not titles or not squares:
            self.skipped.products += 1
            self.skipped.note(f"{listing.key}: no {'title' if not titles else 'usable picture'}")
            return None
        for square in squares:
            write(square)
            digest(square)
        digest("\n".join([listing.key, *titles]).encode())
        return _Kept(listing.key, titles, len(squares), listing.group, listing.kind)

    def _square(self, listing: Listing, content: bytes) -> bytes | None:
        size = (self._px, self._px)
        try:
            picture = decode(content, draft=size)
        except UnreadablePicture as exc:
            self.skipped.pictures += 1
            self.skipped.note(f"{listing.key}: {exc.message}")
            return None
        return picture.resize(size, Image.Resampling.BICUBIC).tobytes()

    def _open(self, kept: list[_Kept], cache: Path) -> None:
        self._counts = np.array([one.pictures for one in kept], np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self._counts)[:-1]])
        shape = (int(self._counts.sum()), self._px, self._px, 3)
        self._pixels = np.memmap(cache, np.uint8, "r", shape=shape)
        self._titles = [_by_language(one.titles) for one in kept]
        self.languages = tuple(sorted({name for found in self._titles for name in found}))
        self.shelf = _shelf(kept)


@dataclass(frozen=True, slots=True)
class _Kept:
    key: str
    titles: list[str]
    pictures: int
    group: str
    kind: str


def _by_language(titles: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for title in titles:
        found.setdefault(_language(title), []).append(title)
    return found


def _language(title: str) -> str:
    return "zh" if _CHINESE.search(title) else "en"


def _shelf(kept: Sequence[_Kept]) -> Shelf:
    rows = np.arange(len(kept), dtype=np.int64)
    titles = _numbered(["\n".join(sorted(map(fold, one.titles))) for one in kept])
    held = np.array([_share(one.key) < VALIDATED for one in kept])
    if held.sum() < 2 or (~held).sum() < FEWEST_PRODUCTS // 2:
        held = rows < 2  # a tiny catalogue: the shares of the keys need not come out
    return Shelf(
        names=("product", "title"),
        codes=np.stack([rows, titles], 1),
        groups=_numbered([one.group for one in kept]),
        kinds=np.maximum(_numbered([one.kind for one in kept]), 0),
        training=rows[~held],
        validation=rows[held],
    )


def _numbered(names: Sequence[str]) -> Rows:
    """Number the names by first appearance; a blank one is -1."""
    order = {name: place for place, name in enumerate(dict.fromkeys(n for n in names if n))}
    return np.array([order.get(name, -1) for name in names], np.int64)


def _share(key: str) -> float:
    """Spread keys evenly over [0, 1), the same way in every run."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48


def _refuse_unteachable(kept: Sequence[_Kept], skipped: Skipped) -> None:
    left_out = f"; {skipped.products} products and {skipped.pictures} pictures were left out"
    first = f", such as {skipped.reasons[0]}" if skipped.reasons else ""
    if len(kept) < FEWEST_PRODUCTS:
        raise InvalidRequest(
            f"the catalogue has {len(kept)} products with a title and a picture, training needs "
            f"{FEWEST_PRODUCTS} or more{left_out}{first}",
            hint="add products, titles or pictures; a useful model needs some thousands",
        )
    for what in ("titles", "group"):
        values = Counter(str(getattr(one, what)) for one in kept)
        if len(values) == 1 and (what == "titles" or kept[0].group):
            raise InvalidRequest(
                f"all {len(kept)} products have the same {what.removesuffix('s')}, so nothing "
                "tells them apart",
                hint="training needs products of which the words and the pictures differ",
            )

"""A user's own catalogue as a source: titles and pictures, decoded once into a cache."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosslens.corpora.records import BadRecord, Record
from crosslens.errors import InvalidRequest, UnreadablePicture
from crosslens.pictures import decode
from crosslens.train.disk import explained
from crosslens.train.source import Phrase, Pixels, Rows, Shelf, Style
from crosslens.values import fold

FEWEST_PRODUCTS = 16
VALIDATED = 0.1
_CHINESE = re.compile("[\u3400-\u9fff]")
# What a picture file is called when nobody named the product: numbers, digests, a camera's names.
_WORDLESS = re.compile(r"(?:img|dsc|pxl|image|photo)?[\W\d_]*|[0-9a-f]{16,}", re.IGNORECASE)
OTHER_TITLES = ("title_en", "title_zh")
TITLES, TITLE_IN = "title", "title {}"
BY_ATTRIBUTES = 0.4  # of the phrases of a product that has attributes
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """
    One product to learn from.

    Attributes:
        key: names the product; decides whether it is kept for validation.
        titles: texts that describe it, in any language; blank ones are dropped, and those without
            a word, such as the number that names a picture file.
        pictures: bytes of each picture.
        group: products of one group are alike, and never held against each other.
        kind: what sort of thing it is; makes the training harder and better. May be blank.
        attributes: name → value in words that people search by, such as colour → "red".
    """

    key: str
    titles: Sequence[str]
    pictures: Sequence[bytes]
    group: str = ""
    kind: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


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
    records: Iterable[Record | BadRecord],
    *,
    group: str = "",
    kind: str = "category",
    attributes: Sequence[str] = (),
) -> Iterator[Listing]:
    """
    Turn the records of a data set into products to learn from; bad ones are left out.

    Pictures that must be fetched are left out too; one that cannot be read comes as no bytes,
    so that the source counts it.

    Args:
        group, kind: names of the attributes that say a product's group and kind; "" for none.
        attributes: names of those whose values people search by.
    """
    for record in records:
        if isinstance(record, Record):
            yield Listing(
                key=record.key,
                titles=(record.title, *other_titles(record.attributes)),
                pictures=(*record.contents, *map(_bytes, record.pictures)),
                group=str(record.attributes.get(group, "")),
                kind=str(record.attributes.get(kind, "")),
                attributes=searched(record.attributes, attributes),
            )


def other_titles(attributes: Mapping[str, Any]) -> list[str]:
    """List the titles in other languages, which importers keep as attributes."""
    return [str(attributes[name]) for name in OTHER_TITLES if attributes.get(name)]


def searched(attributes: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Keep the attributes of these names that have a value, as words."""
    return {name: str(attributes[name]) for name in names if attributes.get(name)}


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
        StorageFull: no room for the decoded pictures.
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
        kept: list[_Kept] = []
        with explained(cache):
            cache.parent.mkdir(parents=True, exist_ok=True)
        with explained(cache), cache.open("wb") as out:
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
        if style not in {Style.ANY, Style.FULL}:
            return None
        wanted = style is Style.ANY and rng.random() < BY_ATTRIBUTES
        if wanted and (named := self._named(row, language, rng)):
            return named
        if not titles:
            return None
        place = int(rng.integers(len(titles))) if style is Style.ANY else 0
        return Phrase(titles[place], (self._column(TITLE_IN.format(language)),))

    def paraphrase(self, row: int, phrase: Phrase, rng: np.random.Generator) -> Phrase | None:
        """
        Give another title of the product, in another language where it has one.

        A title that other products share says less than one that is the product's own: None.
        """
        own = self._titles[row]
        if phrase.text not in own.get(language_of(phrase.text), ()):
            return None
        titles = [
            title
            for language, found in own.items()
            if self._telling[language][row]
            for title in found
            if title != phrase.text
        ]
        abroad = [t for t in titles if language_of(t) != language_of(phrase.text)] or titles
        if not abroad:
            return None
        return Phrase(abroad[int(rng.integers(len(abroad)))], phrase.mentions)

    def _named(self, row: int, language: str, rng: np.random.Generator) -> Phrase | None:
        """Name one to three attributes, in any order."""
        told = [
            (name, value)
            for name, value in self._attributes[row].items()
            if language_of(value) == language
        ]
        if not told:
            return None
        count = int(rng.integers(1, min(MOST_NAMED, len(told)) + 1))
        chosen = [told[place] for place in rng.permutation(len(told))[:count]]
        joint = "" if language == "zh" else " "
        columns = tuple(sorted(self._column(name) for name, _ in chosen))
        return Phrase(joint.join(value for _, value in chosen), columns)

    def _column(self, name: str) -> int:
        return self.shelf.names.index(name)

    def _keep(
        self, listing: Listing, write: Callable[[bytes], Any], digest: Callable[[bytes], None]
    ) -> _Kept | None:
        titles = [title.strip() for title in listing.titles if not _WORDLESS.fullmatch(title)]
        squares = [s for content in listing.pictures if (s := self._square(listing, content))]
        if not titles or not squares:
            self.skipped.products += 1
            self.skipped.note(f"{listing.key}: no {'title' if not titles else 'usable picture'}")
            return None
        for square in squares:
            write(square)
            digest(square)
        digest("\n".join([listing.key, *titles]).encode())
        told = {name: value.strip() for name, value in listing.attributes.items() if value.strip()}
        digest(repr(sorted(told.items())).encode() if told else b"")
        return _Kept(listing.key, titles, len(squares), listing.group, listing.kind, told)

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
        self._attributes = [one.attributes for one in kept]
        self.languages = tuple(sorted({name for found in self._titles for name in found}))
        self.shelf = _shelf(kept, self._titles, self.languages)
        whole = self.shelf.codes[:, self._column(TITLES)]
        self._telling = {
            language: _decides(self.shelf.codes[:, self._column(TITLE_IN.format(language))], whole)
            for language in self.languages
        }


@dataclass(frozen=True, slots=True)
class _Kept:
    key: str
    titles: list[str]
    pictures: int
    group: str
    kind: str
    attributes: dict[str, str]


def _by_language(titles: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for title in titles:
        found.setdefault(language_of(title), []).append(title)
    return found


def language_of(text: str) -> str:
    """Say "zh" of a text with a Chinese character, "en" of any other."""
    return "zh" if _CHINESE.search(text) else "en"


def _decides(part: Rows, whole: Rows) -> NDArray[np.bool_]:
    """Say of each row whether all rows with its value in `part` have the same value in `whole`."""
    wholes: dict[int, set[int]] = {}
    for ours, theirs in zip(part.tolist(), whole.tolist(), strict=True):
        wholes.setdefault(ours, set()).add(theirs)
    return np.array([len(wholes[value]) == 1 for value in part.tolist()])


def _shelf(
    kept: Sequence[_Kept], titles: Sequence[Mapping[str, list[str]]], languages: Sequence[str]
) -> Shelf:
    """Number what phrases may mention: the attributes, all titles, and those of each language."""
    rows = np.arange(len(kept), dtype=np.int64)
    told = tuple(dict.fromkeys(name for one in kept for name in one.attributes))
    columns = {name: [fold(one.attributes.get(name, "")) for one in kept] for name in told}
    columns[TITLES] = [_joined(one.titles) for one in kept]
    for language in languages:
        columns[TITLE_IN.format(language)] = [_joined(found.get(language, ())) for found in titles]
    held = np.array([_share(one.key) < VALIDATED for one in kept])
    if held.sum() < 2 or (~held).sum() < FEWEST_PRODUCTS // 2:
        held = rows < 2  # a tiny catalogue: the shares of the keys need not come out
    return Shelf(
        names=tuple(columns),
        codes=np.stack([_numbered(values) for values in columns.values()], 1),
        groups=_numbered([one.group for one in kept]),
        kinds=np.maximum(_numbered([one.kind for one in kept]), 0),
        training=rows[~held],
        validation=rows[held],
        heads=len(told),
    )


def _joined(titles: Sequence[str]) -> str:
    return "\n".join(sorted(map(fold, titles)))


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

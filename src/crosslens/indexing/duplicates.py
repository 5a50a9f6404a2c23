"""
Find products that are in the catalogue twice: the same bytes, the same picture, the same product.

Candidates come cheaply (digests, hashes of prints, neighbours in the index); each but those of
equal bytes is then looked at closely, and says why it is believed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crosslens.catalog.duplicates import Pair, Tier
from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.indexing.alignment import agreement, cropped, nudged
from crosslens.indexing.hashes import distance, near_pairs
from crosslens.indexing.prints import PrintFile, Prints, make_prints, of_digests
from crosslens.pictures import Limits
from crosslens.values import Modality, Space, Vectors, fold
from crosslens.vectors.index import RowKey, VectorIndex

Progress: TypeAlias = Callable[[str, int, int], None]
Tokens: TypeAlias = Callable[[str], Sequence[str]]
Keys: TypeAlias = tuple[int, int]
Evidence: TypeAlias = dict[str, Any]

NEIGHBOURS = 6
SHARED_BY_MOST = 20  # products; a picture of more is a placeholder and says nothing
NEAR_COSINE = 0.8  # in the picture space
CROP_COSINE = 0.88  # a crop is searched for from here on; it costs most
CROP_DISTANCE = 4  # or from here on, in bits of the hashes of content boxes
AGREES = 0.85  # share of places
AGREES_IF_CROPPED = 0.8
WORTH_NUDGING = 0.4
UNTOUCHED = 0.6  # share of places that are the same to the last detail: the rest is overlaid
SAME_PICTURE_COSINE = 0.93
SAME_TITLE = 0.6
SAME_TITLE_COSINE = 0.93
_HASHED = ((1, 1), (1, 3))  # content boxes, and one of them mirrored
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Listing:
    """What is compared of a product."""

    product_id: int
    words: frozenset[str]
    attributes: Mapping[str, str]
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scanner:
    """
    Look for duplicates in the whole catalogue.

    Attributes:
        looks: space in which pictures are compared; products that it lacks are compared by their
            pixels alone.
        titles: space in which titles are compared.
        prints: where prints are kept between scans.
    """

    catalog: CatalogStore
    media: MediaStore
    index: VectorIndex
    looks: Space
    titles: Space
    tokens: Tokens
    prints: PrintFile
    limits: Limits
    threads: int = 1

    def scan(self, progress: Progress = lambda phase, done, total: None) -> list[Pair]:
        """Find pairs, each with its surest tier, by rising ids."""
        listings = self._listings()
        owners = _owners(listings)
        digests = sorted(owners)
        prints = self._printed(digests, progress)
        neighbours = self._neighbours(Modality.PICTURE, self.looks, _first_seen(listings), progress)
        found: dict[Keys, Pair] = {}
        for pair in (
            *exact_pairs(listings),
            *near_picture_pairs(prints, neighbours, listings, owners),
            *self._same_products(listings, neighbours, progress),
        ):
            found.setdefault((pair.left, pair.right), pair)
        return [found[key] for key in sorted(found)]

    def _listings(self) -> dict[int, Listing]:
        return {
            product.id: listing(product, self.tokens)
            for batch in self.catalog.stream()
            for product in batch
        }

    def _printed(self, digests: Sequence[str], progress: Progress) -> Prints:
        kept = self.prints.read()
        known = {name.decode("ascii") for name in kept["sha256"].tolist()}
        new = [name for name in digests if name not in known]
        done = 0
        for part in make_prints(new, self.media, self.limits, threads=self.threads):
            self.prints.add(part)
            done += len(part)
            progress("pictures", done, len(new))
        return of_digests(self.prints.read(), digests)

    def _neighbours(
        self, modality: Modality, space: Space, keys: Sequence[RowKey], progress: Progress
    ) -> dict[tuple[RowKey, RowKey], float]:
        """Return the cosine of each row and its nearest rows of other products."""
        found: dict[tuple[RowKey, RowKey], float] = {}
        parts = [keys[at : at + _AT_ONCE] for at in range(0, len(keys), _AT_ONCE)]
        with ThreadPoolExecutor(self.threads, thread_name_prefix="duplicates") as pool:
            asked = pool.map(lambda part: list(self._nearest(modality, space, part)), parts)
            for done, near in enumerate(asked, start=1):
                for one, other, cosine in near:
                    found[min(one, other), max(one, other)] = cosine
                progress(f"neighbours by {modality}", min(done * _AT_ONCE, len(keys)), len(keys))
        return found

    def _nearest(
        self, modality: Modality, space: Space, keys: Sequence[RowKey]
    ) -> Iterator[tuple[RowKey, RowKey, float]]:
        vectors = self.index.vectors(keys, modality, space)
        if not vectors:
            return
        asked = Vectors.normalized(space, np.stack(list(vectors.values())))
        lists = self.index.nearest(asked, modality, limit=NEIGHBOURS + 1)
        for key, candidates in zip(vectors, lists, strict=True):
            for near in candidates:
                if near.product_id != key[0] and near.score >= NEAR_COSINE:
                    yield key, (near.product_id, near.position or 0), near.score

    def _same_products(
        self,
        listings: Mapping[int, Listing],
        pictures: Mapping[tuple[RowKey, RowKey], float],
        progress: Progress,
    ) -> Iterator[Pair]:
        keys = [(product_id, 0) for product_id in listings]
        by_title = self._neighbours(Modality.TEXT, self.titles, keys, progress)
        titles = {(one[0], other[0]): cosine for (one, other), cosine in by_title.items()}
        looks: dict[Keys, float] = {}
        for (one, other), cosine in pictures.items():
            key = (min(one[0], other[0]), max(one[0], other[0]))
            looks[key] = max(cosine, looks.get(key, -1.0))
        for left, right in sorted(looks):
            if looks[left, right] < SAME_PICTURE_COSINE or right not in listings:
                continue
            told = _alike(listings[left], listings[right], titles.get((left, right)))
            if told is not None:
                evidence = {"picture_cosine": round(looks[left, right], 4), **told}
                yield Pair(left, right, Tier.SAME_PRODUCT, evidence)


def listing(product: Product, tokens: Tokens) -> Listing:
    """Take from a product what is compared."""
    attributes = {
        name: fold(str(value))
        for name, value in product.fields.attributes.items()
        if isinstance(value, str)
    }
    shown = tuple(picture.sha256 for picture in product.pictures)
    return Listing(product.id, frozenset(tokens(product.title)), attributes, shown)


def exact_pairs(listings: Mapping[int, Listing]) -> Iterator[Pair]:
    """Pair each product with the next one that has a picture of the same bytes."""
    for sha256, places in sorted(_owners(listings).items()):
        products = sorted(dict(reversed(places)).items())
        if 1 < len(products) <= SHARED_BY_MOST:
            for (left, at), (right, other) in pairwise(products):
                evidence = {"pictures": [at, other], "sha256": sha256}
                yield Pair(left, right, Tier.EXACT, evidence)


def near_picture_pairs(
    prints: Prints,
    neighbours: Mapping[tuple[RowKey, RowKey], float],
    listings: Mapping[int, Listing],
    owners: Mapping[str, Sequence[RowKey]],
) -> Iterator[Pair]:
    """Pair products of which two pictures show the same, whatever was done to one of them."""
    names = [name.decode("ascii") for name in prints["sha256"].tolist()]
    place = {name: n for n, name in enumerate(names)}
    candidates: dict[Keys, Evidence] = {}
    for key, bits in _by_hash(prints):
        candidates[key] = {"hash_distance": bits}
    for rows, cosine in neighbours.items():
        shas = [_picture(listings, row) for row in rows]
        at = sorted(place[sha] for sha in shas if sha in place)
        if len(set(at)) == 2:
            told = candidates.setdefault((at[0], at[1]), {})
            told["picture_cosine"] = round(cosine, 4)
    for (one, other), evidence in _verified(prints, candidates):
        yield from _products(owners[names[one]], owners[names[other]], evidence)


def _by_hash(prints: Prints) -> Iterator[tuple[Keys, int]]:
    hashes = np.ascontiguousarray(prints["hashes"].T)
    for left, right in _HASHED:
        pairs = near_pairs(hashes[left], hashes[right])
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        apart = distance(hashes[left][pairs[:, 0]], hashes[right][pairs[:, 1]])
        yield from zip(map(tuple, pairs.tolist()), apart.tolist(), strict=True)


def _verified(
    prints: Prints, candidates: Mapping[Keys, Evidence]
) -> Iterator[tuple[Keys, Evidence]]:
    keys = sorted(candidates)
    pairs = np.array(keys, dtype=np.int64).reshape(-1, 2)
    found = agreement(prints, pairs)
    sure = (found.share >= AGREES) | (found.untouched >= UNTOUCHED)
    for n in np.flatnonzero(sure).tolist():
        told: Evidence = {"agreement": round(float(found.share[n]), 3)}
        yield (
            keys[n],
            candidates[keys[n]] | told | ({"mirrored": True} if found.mirrored[n] else {}),
        )
    hashed = np.array(["hash_distance" in candidates[key] for key in keys], np.bool_)
    framed = np.flatnonzero(~sure & hashed & (found.share >= WORTH_NUDGING))
    for n, share in nudged(prints, pairs[framed]):
        if share >= AGREES:
            at = int(framed[n])
            sure[at] = True
            yield keys[at], candidates[keys[at]] | {"agreement": round(share, 3)}
    worth = np.array([_may_be_cropped(candidates[key]) for key in keys], np.bool_)
    yield from _cropped(prints, candidates, pairs[~sure & worth])


def _may_be_cropped(evidence: Evidence) -> bool:
    return bool(
        evidence.get("picture_cosine", 0.0) >= CROP_COSINE
        or evidence.get("hash_distance", 64) <= CROP_DISTANCE
    )


def _cropped(
    prints: Prints, candidates: Mapping[Keys, Evidence], pairs: NDArray[np.int64]
) -> Iterator[tuple[Keys, Evidence]]:
    for n, share, scale in cropped(prints, pairs):
        left, right = pairs[n].tolist()
        if share >= AGREES_IF_CROPPED:
            told = {"agreement": round(share, 3), "cropped_to": round(min(scale, 1 / scale), 3)}
            yield (left, right), candidates[left, right] | told


def _products(
    ours: Sequence[RowKey], theirs: Sequence[RowKey], evidence: Evidence
) -> Iterator[Pair]:
    if max(len(ours), len(theirs)) > SHARED_BY_MOST:
        return
    (left, at), (right, other) = sorted((ours[0], theirs[0]))
    if left != right:
        yield Pair(left, right, Tier.NEAR, {"pictures": [at, other], **evidence})


def _alike(left: Listing, right: Listing, title_cosine: float | None) -> Evidence | None:
    """Say why two listings are of one product, unless their attributes contradict each other."""
    both = left.attributes.keys() & right.attributes.keys()
    if any(left.attributes[name] != right.attributes[name] for name in both):
        return None
    if any(map(_has_digit, left.words ^ right.words)):  # another size, another model
        return None
    shared = len(left.words & right.words)
    words = 2 * shared / max(1, len(left.words) + len(right.words))
    if words < SAME_TITLE and (title_cosine or 0.0) < SAME_TITLE_COSINE:
        return None
    told: Evidence = {"title_words": round(words, 3)}
    if title_cosine is not None:
        told["title_cosine"] = round(title_cosine, 4)
    return told


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _owners(listings: Mapping[int, Listing]) -> dict[str, list[RowKey]]:
    """Return where each picture stands: digest → (product, position), by rising ids."""
    owners: dict[str, list[RowKey]] = defaultdict(list)
    for product_id in sorted(listings):
        for position, sha256 in enumerate(listings[product_id].pictures):
            owners[sha256].append((product_id, position))
    return owners


def _first_seen(listings: Mapping[int, Listing]) -> list[RowKey]:
    return [places[0] for places in _owners(listings).values()]


def _picture(listings: Mapping[int, Listing], row: RowKey) -> str:
    pictures = listings[row[0]].pictures if row[0] in listings else ()
    return pictures[row[1]] if row[1] < len(pictures) else ""

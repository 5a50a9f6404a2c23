"""Pairs → clusters, without what was decided; and merging one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crosslens.catalog.duplicates import Decision, DuplicateStore, Pair, Tier, Verdict
from crosslens.catalog.editing import Editor
from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import MAX_PICTURES, Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import InvalidRequest, NotFound

ALL_TIERS = tuple(Tier)


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    Products that are believed to be one.

    Attributes:
        product_ids: by rising id.
        tier: the surest reason among the pairs.
        pairs: the reasons.
    """

    product_ids: tuple[int, ...]
    tier: Tier
    pairs: tuple[Pair, ...]


def clusters(
    pairs: Iterable[Pair],
    decisions: Mapping[tuple[int, int], Decision],
    *,
    tiers: Sequence[Tier] = ALL_TIERS,
) -> list[Cluster]:
    """Join pairs that nobody decided on, surest first, then by the smallest id."""
    open_ = [p for p in pairs if p.tier in tiers and (p.left, p.right) not in decisions]
    root: dict[int, int] = {}
    for pair in open_:
        one, other = sorted((_root(root, pair.left), _root(root, pair.right)))
        root[other] = one
    grouped: dict[int, list[Pair]] = defaultdict(list)
    for pair in open_:
        grouped[_root(root, pair.left)].append(pair)
    found = [_cluster(group) for group in grouped.values()]
    return sorted(found, key=lambda each: (ALL_TIERS.index(each.tier), each.product_ids))


def open_clusters(
    catalog: CatalogStore, store: DuplicateStore, *, tiers: Sequence[Tier] = ALL_TIERS
) -> list[Cluster]:
    """Return the clusters of the last scan whose products are all still there."""
    pairs = store.pairs()
    ids = sorted({side for pair in pairs for side in (pair.left, pair.right)})
    live = {key for key, product in catalog.read(ids).items() if not product.retired}
    standing = [pair for pair in pairs if pair.left in live and pair.right in live]
    return clusters(standing, store.decisions(), tiers=tiers)


def merge(
    editor: Editor, media: MediaStore, store: DuplicateStore, *, keep: int, others: Sequence[int]
) -> Product:
    """
    Make one product of several: the kept one gets the pictures it lacks, the others are removed.

    Raises:
        NotFound: one of them is not in the catalogue.
        InvalidRequest: there is nothing to merge, or too many pictures would come together.
    """
    ids = [keep, *(other for other in dict.fromkeys(others) if other != keep)]
    if len(ids) < 2:
        raise InvalidRequest("merging needs a product to keep and others")
    products = editor.store.read(ids)
    for product_id in ids:
        if product_id not in products or products[product_id].retired:
            raise NotFound(f"there is no product {product_id}")
    digests = list(dict.fromkeys(p.sha256 for id in ids for p in products[id].pictures))
    if len(digests) > MAX_PICTURES:
        raise InvalidRequest(f"together they have {len(digests)} pictures, at most {MAX_PICTURES}")
    kept = products[keep]
    if len(digests) > len(kept.pictures):
        kept = editor.edit(keep, pictures=[media.get(sha256) for sha256 in digests])
    store.decide(ids, Verdict.MERGED)
    for product_id in ids[1:]:
        editor.remove(product_id)
    return kept


def _cluster(pairs: Sequence[Pair]) -> Cluster:
    ids = sorted({side for pair in pairs for side in (pair.left, pair.right)})
    return Cluster(tuple(ids), min((p.tier for p in pairs), key=ALL_TIERS.index), tuple(pairs))


def _root(root: dict[int, int], product_id: int) -> int:
    while (above := root.get(product_id, product_id)) != product_id:
        root[product_id] = root.get(above, above)
        product_id = above
    return product_id

"""Clusters of duplicates, decisions, and merging."""

from __future__ import annotations

import pytest

from crosslens.catalog.duplicates import MemoryDuplicates, Pair, Tier, Verdict
from crosslens.errors import InvalidRequest, NotFound
from crosslens.indexing.clusters import clusters, merge, open_clusters
from fakes import jpeg
from house import House

PAIRS = [
    Pair(1, 2, Tier.NEAR),
    Pair(2, 3, Tier.EXACT),
    Pair(5, 6, Tier.SAME_PRODUCT),
    Pair(7, 8, Tier.EXACT),
]


def test_pairs_that_share_a_product_are_one_cluster_surest_first() -> None:
    found = clusters(PAIRS, {})
    assert [(c.product_ids, c.tier) for c in found] == [
        ((1, 2, 3), Tier.EXACT),
        ((7, 8), Tier.EXACT),
        ((5, 6), Tier.SAME_PRODUCT),
    ]
    assert [c.product_ids for c in clusters(PAIRS, {}, tiers=[Tier.NEAR])] == [(1, 2)]


def test_what_was_decided_is_not_shown_again() -> None:
    store = MemoryDuplicates()
    store.decide([2, 3], Verdict.DISTINCT)
    assert [c.product_ids for c in clusters(PAIRS, store.decisions())] == [(7, 8), (1, 2), (5, 6)]


def test_merging_keeps_one_product_with_all_pictures() -> None:
    house, store = House(), MemoryDuplicates()
    one = house.add("red shoe", jpeg((200, 0, 0)))
    other = house.add("shoe, red", jpeg((200, 0, 0)), jpeg((0, 0, 200)))
    store.replace([Pair(one.id, other.id, Tier.EXACT)])
    kept = merge(house.editor, house.media, store, keep=one.id, others=[one.id, other.id])
    assert (kept.title, len(kept.pictures)) == ("red shoe", 2)
    assert house.catalog.read([other.id])[other.id].retired
    assert open_clusters(house.catalog, store) == []
    assert store.decisions()[one.id, other.id].verdict is Verdict.MERGED


def test_what_cannot_be_merged_changes_nothing() -> None:
    house, store = House(), MemoryDuplicates()
    one = house.add("red shoe", jpeg())
    with pytest.raises(NotFound, match="99"):
        merge(house.editor, house.media, store, keep=one.id, others=[99])
    with pytest.raises(InvalidRequest, match="others"):
        merge(house.editor, house.media, store, keep=one.id, others=[one.id])
    assert store.decisions() == {}

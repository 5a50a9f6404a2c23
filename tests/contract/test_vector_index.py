"""What every vector index does, whatever the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contract.vector_indexes import (
    ENGINES,
    HOSTILE,
    LOOKS,
    SPEC,
    TITLES,
    WORDS,
    Engine,
    engine,
    ids,
    rows,
    unit,
    vectors,
)
from crosslens.errors import Unavailable, UnusableVector, WrongSpace
from crosslens.values import AttributeType, Modality, Space, Vectors
from crosslens.vectors.filters import parse
from crosslens.vectors.index import Counts, IndexSpec, IndexStore, ProductRows, VectorIndex
from crosslens.vectors.memory import MemoryIndex


@pytest.fixture(params=ENGINES)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return engine(request, tmp_path)


@pytest.fixture
def store(kind: Engine) -> Iterator[IndexStore]:
    with kind.store() as store:
        yield store


@pytest.fixture
def index(store: IndexStore) -> VectorIndex:
    return store.live()


def near(index: VectorIndex, seed: object, modality: Modality = Modality.TEXT, limit: int = 10):
    space = TITLES if modality is Modality.TEXT else LOOKS
    return index.nearest(vectors(space, seed), modality, limit=limit)[0]


def between(a: object, b: object, share: float, space: Space = TITLES) -> Vectors:
    """A direction that is nearer to `a` the larger the share."""
    return Vectors.normalized(
        space, (share * unit(a, space) + (1 - share) * unit(b, space)).reshape(1, -1)
    )


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert near(index, 1) == []
    assert near(index, 1, Modality.PICTURE) == []
    assert index.matching(["shoe"], limit=5) == []
    assert list(index.revisions()) == []
    assert index.counts() == Counts(0, 0)
    assert not index.needs_optimize()


def test_written_rows_are_found_at_once(index: VectorIndex) -> None:
    index.upsert([rows(7, pictures=["front", "back"], tokens=["红色", "shoe"])])
    assert ids(near(index, 7)) == [7]
    shown = near(index, "back", Modality.PICTURE)
    assert (ids(shown), shown[0].position) == ([7], 1)
    assert shown[0].score == pytest.approx(1.0, abs=1e-5)
    assert ids(index.matching(["shoe"], limit=5)) == [7]
    assert index.counts() == Counts(1, 2)


def test_every_text_space_is_searched_apart(index: VectorIndex) -> None:
    index.upsert([rows(1), rows(2)])
    for space in SPEC.text:
        found = index.nearest(vectors(space, 2), Modality.TEXT, limit=2)[0]
        assert ids(found)[0] == 2
        assert found[0].score == pytest.approx(1.0, abs=1e-5)
        assert found[0].position is None


def test_each_query_row_gets_its_own_answer(index: VectorIndex) -> None:
    index.upsert([rows(key) for key in (1, 2, 3)])
    answers = index.nearest(vectors(TITLES, 3, 1), Modality.TEXT, limit=1)
    assert [ids(answer) for answer in answers] == [[3], [1]]
    assert index.nearest(vectors(TITLES), Modality.TEXT, limit=1) == []


def test_a_new_revision_replaces_every_row_of_the_former(index: VectorIndex) -> None:
    index.upsert([rows(1, pictures=["a", "b", "c", "d", "e"], tokens=["old"])])
    index.upsert([rows(1, revision=2, text="new", pictures=["x", "y"], tokens=["new"])])
    assert index.counts() == Counts(1, 2)
    assert list(index.revisions()) == [(1, 2, 2)]
    assert near(index, "c", Modality.PICTURE)[0].score < 0.99
    assert near(index, "new")[0].score == pytest.approx(1.0, abs=1e-5)
    assert index.matching(["old"], limit=5) == []


def test_a_product_may_lose_and_regain_its_pictures(index: VectorIndex) -> None:
    for revision, pictures in enumerate((["a", "b"], [], ["c"]), start=1):
        index.upsert([rows(1, revision=revision, pictures=pictures)])
        assert list(index.revisions()) == [(1, revision, len(pictures))]
        found = near(index, "c", Modality.PICTURE)
        assert ids(found) == [1] * bool(pictures)


def test_the_last_of_two_rows_for_one_product_counts(index: VectorIndex) -> None:
    index.upsert([rows(1, pictures=["a", "b"]), rows(1, revision=2, pictures=["c"])])
    assert list(index.revisions()) == [(1, 2, 1)]


def test_deleted_products_are_gone_and_unknown_ones_no_error(index: VectorIndex) -> None:
    index.upsert([rows(key, pictures=["a", "b"], tokens=["shoe"]) for key in (1, 2)])
    index.delete([1, 999])
    index.delete([])
    assert ids(near(index, 1)) == [2]
    assert ids(near(index, "a", Modality.PICTURE)) == [2]
    assert ids(index.matching(["shoe"], limit=5)) == [2]
    assert list(index.revisions()) == [(2, 1, 2)]


def test_answers_fall_in_score_and_ties_rise_in_id(index: VectorIndex) -> None:
    index.upsert([rows(key, text="same", pictures=["same"], tokens=["shoe"]) for key in (9, 3, 5)])
    index.upsert([rows(4, text="other", pictures=["other"], tokens=["shoe", "and", "more"])])
    query = between("same", "other", 0.8)
    assert ids(index.nearest(query, Modality.TEXT, limit=9)[0]) == [3, 5, 9, 4]
    shown = index.nearest(between("same", "other", 0.8, LOOKS), Modality.PICTURE, limit=9)[0]
    assert ids(shown) == [3, 5, 9, 4]
    assert ids(index.matching(["shoe"], limit=9)) == [3, 5, 9, 4]


def test_each_product_appears_once_with_its_best_picture(index: VectorIndex) -> None:
    crowd = [["best", *["near"] * 30], ["far", "near"], ["far"]]
    index.upsert([rows(key, pictures=pictures) for key, pictures in enumerate(crowd, start=1)])
    found = index.nearest(between("best", "near", 0.9, LOOKS), Modality.PICTURE, limit=3)[0]
    assert [(c.product_id, c.position) for c in found] == [(1, 0), (2, 1), (3, 0)]


def test_products_behind_a_crowd_of_pictures_are_still_found(index: VectorIndex) -> None:
    index.upsert([rows(1, pictures=["near"] * 100), rows(2, pictures=["far"])])
    index.upsert([rows(key, pictures=["farther"]) for key in (3, 4)])
    found = near(index, "near", Modality.PICTURE, limit=4)
    assert sorted(ids(found)) == [1, 2, 3, 4]
    assert found[0].product_id == 1


def test_limits_are_kept(index: VectorIndex) -> None:
    index.upsert([rows(key, pictures=["a"], tokens=["shoe"]) for key in range(30)])
    assert len(near(index, 1, limit=7)) == 7
    assert len(near(index, "a", Modality.PICTURE, limit=7)) == 7
    assert len(index.matching(["shoe"], limit=7)) == 7
    assert len(near(index, 1, limit=1_000)) == 30
    assert near(index, 1, limit=0) == []
    assert index.matching(["shoe"], limit=0) == []


def test_opposite_vectors_score_minus_one(index: VectorIndex) -> None:
    index.upsert([rows(1)])
    against = Vectors(TITLES, -vectors(TITLES, 1).array)
    assert index.nearest(against, Modality.TEXT, limit=1)[0][0].score == pytest.approx(-1, abs=1e-5)


def test_a_query_of_another_space_is_refused_even_of_equal_dimension(index: VectorIndex) -> None:
    index.upsert([rows(1, pictures=["a"])])
    assert TITLES.dim == WORDS.dim
    with pytest.raises(WrongSpace, match="titles"):
        index.nearest(vectors(TITLES, 1), Modality.PICTURE, limit=1)
    with pytest.raises(WrongSpace, match="stranger"):
        index.nearest(vectors(Space("stranger", 8), 1), Modality.TEXT, limit=1)


def test_rows_of_other_spaces_are_refused_and_nothing_is_written(index: VectorIndex) -> None:
    good, other = rows(1, pictures=["a"]), rows(2, pictures=["b"])
    swapped = ProductRows(2, 1, other.text[::-1], other.pictures, (), {})
    uneven = ProductRows(2, 1, other.text, (other.pictures[0], vectors(LOOKS)), (), {})
    with pytest.raises(WrongSpace):
        index.upsert([good, swapped])
    with pytest.raises(UnusableVector):
        index.upsert([good, uneven])
    assert index.counts() == Counts(0, 0)


def test_keywords_find_whole_tokens_in_any_script(index: VectorIndex) -> None:
    index.upsert([
        rows(1, tokens=["红色", "连衣裙", "2xl"]),
        rows(2, tokens=["红色", "t恤", "42码"]),
        rows(3, tokens=["a:b", "(x", '"q', "+", "-", "and"]),
        rows(4, tokens=[]),
    ])  # fmt: skip
    assert ids(index.matching(["连衣裙"], limit=5)) == [1]
    assert sorted(ids(index.matching(["红色"], limit=5))) == [1, 2]
    assert ids(index.matching(["红"], limit=5)) == []
    assert ids(index.matching(["t恤", "nothing"], limit=5)) == [2]
    for odd in ("a:b", "(x", '"q', "+", "-", "and"):
        assert ids(index.matching([odd], limit=5)) == [3], odd
    assert index.matching([], limit=5) == []
    assert index.matching(["", " "], limit=5) == []


def test_any_token_is_only_a_token(index: VectorIndex) -> None:
    odd = [text for text in HOSTILE if not any(c.isspace() for c in text)]
    index.upsert([rows(key, tokens=[text, "shoe"]) for key, text in enumerate(odd)])
    for key, text in enumerate(odd):
        assert ids(index.matching([text], limit=5)) == [key], text[:20]


def test_long_titles_and_long_questions_work(index: VectorIndex, kind: Engine) -> None:
    words = [f"word{n}" for n in range(kind.most_words)]
    kind.learn([words, ["word7"]])
    index.upsert([rows(1, tokens=words), rows(2, tokens=["word7"])])
    assert ids(index.matching(words[-1:], limit=5)) == [1]
    assert ids(index.matching([f"word{n}" for n in range(3_000)], limit=5)) == [1, 2]


def test_keyword_scores_are_those_of_the_oracle(index: VectorIndex, kind: Engine) -> None:
    oracle = MemoryIndex(SPEC)
    draw = np.random.default_rng(3)
    written = [
        rows(key, tokens=[f"w{w}" for w in draw.zipf(1.4, 12) if w < 60]) for key in range(150)
    ]
    kind.learn(row.tokens for row in written)
    for target in (index, oracle):
        target.upsert(written)
    for question in (["w1"], ["w3", "w9"], ["w2", "w2", "w5", "w40"]):
        found = index.matching(question, limit=150)
        meant = {c.product_id: c.score for c in oracle.matching(question, limit=150)}
        assert {c.product_id for c in found} == set(meant)
        assert all(c.score > 0 for c in found)
        # Milvus Lite counts lengths a little otherwise.
        tolerance = 0.02 if kind.name == "milvus" else 1e-4
        ranked = [meant[c.product_id] for c in found]
        assert ranked == pytest.approx(sorted(ranked, reverse=True), abs=tolerance)
        assert kind.name == "milvus" or [c.score for c in found] == pytest.approx(ranked, abs=1e-4)


def test_searches_are_those_of_the_oracle_before_and_after_optimize(index: VectorIndex) -> None:
    oracle = MemoryIndex(SPEC)
    written = [
        rows(key, pictures=[f"{key}/{n}" for n in range(key % 4)], tokens=["shoe"],
             attributes={"year": float(key % 10), "colour": "red" if key % 3 else "blue"})
        for key in range(120)
    ]  # fmt: skip
    for target in (index, oracle):
        target.upsert(written)
        target.delete(range(0, 120, 7))
    for optimized in (False, True):
        if optimized:
            index.optimize()
        for where in (None, parse("year < 3 and colour = red")):
            for seed in range(5):
                for space, modality in ((TITLES, Modality.TEXT), (LOOKS, Modality.PICTURE)):
                    query = vectors(space, f"q{seed}")
                    found = index.nearest(query, modality, limit=10, where=where)[0]
                    meant = oracle.nearest(query, modality, limit=10, where=where)[0]
                    assert ids(found) == ids(meant)
                    assert [c.position for c in found] == [c.position for c in meant]
                    assert [c.score for c in found] == pytest.approx(
                        [c.score for c in meant], abs=1e-5
                    )


def test_what_is_written_after_optimize_is_found_too(index: VectorIndex) -> None:
    index.upsert([rows(key, pictures=["a"]) for key in range(50)])
    index.optimize()
    index.upsert([rows(50, pictures=["late"]), rows(3, revision=2, text="late", pictures=[])])
    index.delete([4])
    assert near(index, "late", Modality.PICTURE, limit=1)[0].product_id == 50
    assert near(index, "late", limit=1)[0].product_id == 3
    assert near(index, 4, limit=1)[0].product_id != 4
    assert 3 not in ids(near(index, "a", Modality.PICTURE, limit=100))


def test_large_ids_revisions_and_batches_are_kept(index: VectorIndex, kind: Engine) -> None:
    many = 2_500 if kind.name != "milvus" else 300
    index.upsert([rows(2**53 + key, revision=2**40, pictures=["a"]) for key in range(many)])
    held = list(index.revisions())
    assert held == [(2**53 + key, 2**40, 1) for key in range(many)]
    index.delete([2**53 + key for key in range(many)])
    assert index.counts() == Counts(0, 0)


def test_a_product_with_a_hundred_pictures_is_replaced_whole(index: VectorIndex) -> None:
    index.upsert([rows(1, pictures=range(100)), rows(2, pictures=range(3))])
    index.upsert([rows(1, revision=2, pictures=range(2)), rows(2, revision=2, pictures=range(4))])
    assert list(index.revisions()) == [(1, 2, 2), (2, 2, 4)]


def test_reading_goes_on_while_others_write_and_optimize(index: VectorIndex) -> None:
    index.upsert([rows(key, pictures=["a"], tokens=["shoe"]) for key in range(100)])
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                assert 50 in ids(near(index, 50, limit=3))
                assert index.matching(["shoe"], limit=3)
                assert near(index, "a", Modality.PICTURE, limit=3)
        except BaseException as exc:  # noqa: BLE001
            failures.append(exc)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for key in range(100, 160, 20):
        index.upsert([rows(key + n, pictures=["b"], tokens=["shoe"]) for n in range(20)])
        index.delete([key])
        index.optimize()
        assert len(list(index.revisions())) == index.counts().products
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_a_draft_takes_over_under_running_searches(store: IndexStore) -> None:
    live = store.live()
    live.upsert([rows(1, pictures=["old"], tokens=["shoe"])])
    failures: list[BaseException] = []
    seen: set[tuple[int, ...]] = set()
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                seen.add(tuple(ids(near(live, 1))))
        except BaseException as exc:  # noqa: BLE001
            failures.append(exc)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for key in (2, 3, 4):
        draft = store.draft()
        draft.index.upsert([rows(key, pictures=["new"], tokens=["shoe"])])
        draft.take_over()
        assert ids(near(live, 1)) == [key]
        assert list(store.live().revisions()) == [(key, 1, 1)]
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert seen <= {(1,), (2,), (3,), (4,)}


def test_a_draft_is_apart_until_it_takes_over_and_gone_when_discarded(store: IndexStore) -> None:
    store.live().upsert([rows(1)])
    draft = store.draft()
    draft.index.upsert([rows(2)])
    assert list(store.live().revisions()) == [(1, 1, 0)]
    assert list(draft.index.revisions()) == [(2, 1, 0)]
    draft.discard()
    draft.discard()
    assert list(store.live().revisions()) == [(1, 1, 0)]
    assert list(store.draft().index.revisions()) == []


def test_a_draft_that_took_over_cannot_be_discarded(store: IndexStore) -> None:
    draft = store.draft()
    draft.index.upsert([rows(2)])
    draft.take_over()
    draft.discard()
    assert list(store.live().revisions()) == [(2, 1, 0)]


def test_a_closed_store_answers_with_an_error(store: IndexStore) -> None:
    live = store.live()
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        near(live, 1)


@pytest.fixture
def durable(kind: Engine) -> Engine:
    if not kind.durable:
        pytest.skip("keeps nothing")
    return kind


def test_rows_survive_closing(durable: Engine) -> None:
    with durable.store() as store:
        store.live().upsert(
            [rows(1, pictures=["a"], tokens=["shoe"], attributes={"colour": "red"}), rows(2)]
        )
        store.live().delete([2])
    with durable.store() as store:
        found = store.live().matching(["shoe"], limit=5, where=parse("colour = Red"))
        assert ids(found) == [1]
        assert ids(near(store.live(), "a", Modality.PICTURE)) == [1]
        assert list(store.live().revisions()) == [(1, 1, 1)]


def test_the_live_spec_is_what_was_built_until_a_rebuild(durable: Engine) -> None:
    changed = IndexSpec((WORDS,), (LOOKS,), {"brand": AttributeType.KEYWORD})
    with durable.store() as store:
        store.live().upsert([rows(1)])
    with durable.store(changed) as store:
        assert store.live().spec == SPEC
        assert store.wanted() == changed
        assert list(store.live().revisions()) == [(1, 1, 0)]
        store.draft().take_over()
        assert store.live().spec == changed
    with durable.store(changed) as store:
        assert store.live().spec == changed
        assert list(store.live().revisions()) == []


def test_what_a_crashed_rebuild_left_is_removed(durable: Engine) -> None:
    store = durable.open(SPEC)
    store.live().upsert([rows(1)])
    store.draft().index.upsert([rows(2)])
    store.close()
    with durable.store() as again:
        assert list(again.live().revisions()) == [(1, 1, 0)]
        assert list(again.draft().index.revisions()) == []
        assert list(again.live().revisions()) == [(1, 1, 0)]


def test_stored_vectors_can_be_read_back_by_product_and_position(index: VectorIndex) -> None:
    index.upsert([rows(7, pictures=["front", "back"]), rows(8)])
    texts = index.vectors([(7, 0), (8, 0), (9, 0), (7, 1)], Modality.TEXT, TITLES)
    assert set(texts) == {(7, 0), (8, 0)}
    np.testing.assert_allclose(texts[7, 0], unit(7, TITLES), atol=1e-6)
    shown = index.vectors([(7, 1), (7, 2), (8, 0)], Modality.PICTURE, LOOKS)
    assert set(shown) == {(7, 1)}
    np.testing.assert_allclose(shown[7, 1], unit("back", LOOKS), atol=1e-6)
    assert index.vectors([], Modality.PICTURE, LOOKS) == {}
    with pytest.raises(WrongSpace):
        index.vectors([(7, 0)], Modality.TEXT, LOOKS)

import numpy as np
import pytest

from crosslens.evaluate.composed import Asked, by_label, judge, ranks

GALLERY = np.eye(5, dtype=np.float32)
LABELS = ["red", "blue", "red", "green", "blue"]


def asked(sources, targets, **more):
    count = len(sources)
    columns = {
        "groups": [str(n) for n in range(count)],
        "kinds": [""] * count,
        "languages": ["en"] * count,
        "phrasings": [0] * count,
    }
    return Asked(np.array(sources), np.array(targets), **{**columns, **more})


def towards(*weights):
    """A question that likes the pictures of the gallery as told."""
    row = np.array(weights, np.float32)
    return row / np.linalg.norm(row)


def test_the_source_is_left_out_by_its_number_and_its_double_stays():
    query = towards(9, 1, 8, 0, 0)[None]
    found = judge(query, GALLERY, LABELS, asked([0], [2]))
    assert found.all.metrics["recall@1"] == 1.0
    found = judge(query, GALLERY, LABELS, asked([0], [1]))
    assert found.all.metrics["recall@1"] == 0.0
    assert found.all.metrics["recall@5"] == 1.0


def test_a_picture_with_the_label_of_the_target_is_a_hit_and_strictly_is_none():
    query = towards(0, 1, 0, 0, 9)[None]
    found = judge(query, GALLERY, LABELS, asked([0], [1]))
    assert found.all.metrics["recall@1"] == 1.0
    assert found.all.metrics["id recall@1"] == 0.0
    assert found.all.metrics["id recall@5"] == 1.0


def test_a_source_that_has_the_targets_label_is_no_hit_itself():
    query = towards(9, 0, 1, 5, 0)[None]
    found = judge(query, GALLERY, LABELS, asked([0], [2]))
    assert found.all.metrics["recall@1"] == 0.0


def test_ties_count_against_us():
    query = np.ones((1, 5), np.float32)
    assert ranks(query, GALLERY, [np.array([3])], np.array([0])).tolist() == [3]


def test_labels_that_appear_twice_share_their_places():
    assert by_label(LABELS, np.array([0, 1]))[0].tolist() == [0, 2]


def test_what_is_right_may_be_several_pictures():
    query = towards(0, 0, 0, 9, 0)[None]
    right = [np.array([1, 3])]
    found = judge(query, GALLERY, LABELS, asked([0], [1]), right=right)
    assert found.all.metrics["recall@1"] == 1.0


def test_changes_and_languages_are_told_apart():
    queries = np.stack([towards(0, 9, 0, 0, 0), towards(0, 9, 0, 0, 0)])
    given = asked([0, 0], [1, 3], kinds=["colour", "pattern"], languages=["en", "zh"])
    found = judge(queries, GALLERY, LABELS, given)
    assert found.by["change"]["colour"].metrics["recall@1"] == 1.0
    assert found.by["change"]["pattern"].metrics["recall@1"] == 0.0
    assert set(found.by["language"]) == {"en", "zh"}
    assert found.as_json()["queries"] == 2


def test_the_spread_of_phrasings_is_that_of_their_means():
    right, wrong = towards(0, 9, 0, 0, 0), towards(0, 0, 0, 9, 1)
    given = asked([0, 0], [1, 1], phrasings=[0, 1], groups=["w", "w"])
    found = judge(np.stack([right, wrong]), GALLERY, ["a", "b", "c", "d", "e"], given)
    assert found.spread["recall@1"] == (0.0, 1.0)
    assert found.agreement == 1.0  # both are within the first ten
    alone = judge(right[None], GALLERY, LABELS, asked([0], [1]))
    assert (alone.spread, alone.agreement) == ({}, None)


def test_intervals_hold_the_mean():
    queries = np.stack([towards(0, 9, 0, 0, 0)] * 6)
    found = judge(queries, GALLERY, LABELS, asked([0] * 6, [1, 1, 1, 3, 3, 1]))
    low, high = found.all.intervals["recall@1"]
    assert found.all.metrics["recall@1"] == pytest.approx(4 / 6)
    assert low <= 4 / 6 <= high

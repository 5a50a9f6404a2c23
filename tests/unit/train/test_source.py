import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.errors import InvalidRequest
from crosslens.train.source import Asked, Phrase, Shelf, alike, chances, often, relate

pytestmark = pytest.mark.train

CATEGORY, COLOUR = 0, 1


def shelf(codes: list[list[int]], groups: list[int] | None = None) -> Shelf:
    rows = np.arange(len(codes))
    return Shelf(
        names=("category", "colour"),
        codes=np.array(codes),
        groups=np.array(groups or [-1] * len(codes)),
        kinds=np.zeros(len(codes), np.int64),
        training=rows,
        validation=rows[:0],
        heads=2,
    )


def relation(shelf: Shelf, row: int, phrase: Phrase) -> list[int]:
    return relate(shelf, Asked(np.array([row]), (phrase,)), np.arange(len(shelf.codes)))[0].tolist()


def test_a_phrase_fits_every_product_that_agrees_in_what_it_mentions():
    mugs = shelf([[0, 5], [0, 6], [1, 5]])  # red mug, blue mug, red shoe
    assert relation(mugs, 0, Phrase("mug", (CATEGORY,))) == [1, 1, -1]
    assert relation(mugs, 0, Phrase("red", (COLOUR,))) == [1, -1, 1]
    assert relation(mugs, 0, Phrase("red mug", (CATEGORY, COLOUR))) == [1, -1, -1]


def test_a_product_that_differs_in_what_may_be_meant_is_ignored():
    mugs = shelf([[0, 5], [0, 6], [1, 5]])
    assert relation(mugs, 0, Phrase("mug …", (CATEGORY,), doubtful=(COLOUR,))) == [1, 0, -1]


def test_products_of_one_group_are_never_held_against_each_other():
    mugs = shelf([[0, 5], [1, 6], [1, 5]], groups=[7, 7, -1])
    assert relation(mugs, 0, Phrase("red mug", (CATEGORY, COLOUR))) == [1, 0, -1]


def test_rarer_values_are_shown_more_often_than_chance_would_have_it():
    mugs = shelf([[0, 5], [0, 5], [0, 5], [0, 5], [1, 6]])
    assert chances(mugs, "") is None
    assert chances(mugs, "colour") == pytest.approx([1 / 6] * 4 + [1 / 3])
    with pytest.raises(InvalidRequest, match="balance is 'size', products have category, colour"):
        chances(mugs, "size")


def test_what_goes_wrong_is_shown_more_often():
    mugs = shelf([[0, 5], [0, 6], [1, 5], [-1, 5]])
    assert often(None, mugs, "category", ()) is None
    assert often(None, mugs, "category", (0.0, 0.0)) is None
    # Never wrong: half of what the mean has; always: one and a half; unknown: as the mean.
    assert often(None, mugs, "category", (0.0, 1.0)) == pytest.approx(np.array([1, 1, 3, 2]) / 7)
    before = np.array([0.5, 0.25, 0.25, 0.0])
    assert often(before, mugs, "category", (0.0, 1.0)) == pytest.approx([1 / 3, 1 / 6, 1 / 2, 0])


def test_phrases_mean_the_same_when_they_say_the_same_of_the_same_attributes():
    mugs = shelf([[0, 5], [0, 6], [1, 5]])
    mug, red_mug = Phrase("mug", (CATEGORY,)), Phrase("red mug", (CATEGORY, COLOUR))
    first = Asked(np.array([0, 0]), (mug, red_mug))
    second = Asked(np.array([0, 1, 1, 2]), (mug, mug, red_mug, red_mug))
    assert alike(mugs, first, second).tolist() == [[1, 1, 0, -1], [0, 0, -1, -1]]


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), min_size=1, max_size=8))
def test_a_phrase_always_belongs_to_its_own_product(codes: list[tuple[int, int]]):
    products = shelf([list(pair) for pair in codes])
    for row in range(len(codes)):
        assert relation(products, row, Phrase("x", (0, 1)))[row] == 1


def test_heads_have_as_many_outputs_as_there_are_values():
    assert shelf([[0, 5], [3, -1]]).head_sizes == {"category": 4, "colour": 6}

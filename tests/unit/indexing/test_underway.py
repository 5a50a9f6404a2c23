from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crosslens.catalog.changes import Change
from crosslens.indexing.underway import Underway

HERE, THERE = ("changes", 0), ("changes", 1)


def change(product: int, id: int | None = None) -> Change:
    return Change(product if id is None else id, product, 1)


def arrived(*products: int) -> Underway:
    underway = Underway()
    for offset, product in enumerate(products):
        underway.add(HERE, offset, change(product, offset + 1))
    return underway


def test_nothing_is_committed_before_what_stands_in_front_of_it():
    underway = arrived(1, 2, 3)
    assert underway.close([change(2)]) == {HERE: 0}
    assert underway.close([change(1)]) == {HERE: 2}
    assert underway.close([change(3)]) == {HERE: 3}
    assert underway.waiting == 0


def test_a_newer_change_settles_the_older_ones_of_its_product():
    underway = arrived(7, 7, 7)
    assert underway.close([change(7, 2)]) == {HERE: 2}
    assert underway.waiting == 1


@given(st.permutations(range(12)), st.integers(1, 4))
def test_once_everything_is_settled_everything_is_committed(order, at_once):
    underway = arrived(*range(12))
    ends: dict[tuple[str, int], int] = {}
    for start in range(0, 12, at_once):
        done = order[start : start + at_once]
        settled = [change(product, product + 1) for product in done]
        ends |= underway.close(settled)
        left = [product for product in range(12) if product not in order[: start + at_once]]
        assert ends[HERE] == min(left, default=12)


def test_what_was_lent_is_due_again_unless_it_was_settled():
    underway = arrived(1, 2)
    for product in (1, 2):
        underway.lend(change(product), until=10.0)
    assert list(underway.due(9.9)) == []
    underway.close([change(1)])
    assert list(underway.due(10.0)) == [change(2)]


def test_settling_an_older_change_leaves_the_newer_one_lent():
    underway = arrived(7)
    underway.lend(change(7, 9), until=0.0)
    underway.close([change(7, 1)])
    assert list(underway.due(0.0)) == [change(7, 9)]


def test_what_another_consumer_has_now_is_forgotten():
    underway = arrived(1)
    underway.add(THERE, 0, change(2))
    for product in (1, 2):
        underway.lend(change(product), until=0.0)
    underway.drop({HERE})
    assert list(underway.due(0.0)) == [change(2)]
    assert underway.waiting == 1


def test_a_log_that_begins_anew_is_committed_from_its_own_start():
    underway = arrived(1, 2, 3)
    underway.close([change(1), change(2)])
    underway.add(HERE, 0, change(3, 8))
    assert underway.close([change(3, 8)]) == {HERE: 1}

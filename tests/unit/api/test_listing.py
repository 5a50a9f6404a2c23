import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import crosslens.api.listing as listing
from crosslens.api.listing import Wanted, from_cursor, leaf, to_cursor
from crosslens.catalog.listing import Mark, Order, title_key
from crosslens.errors import InvalidRequest
from crosslens.vectors import filters
from house import ATTRIBUTES, House

TITLES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.sampled_from(Order), st.booleans(), st.integers(1, 2**62), TITLES)
def test_cursors_survive_the_journey(order: Order, down: bool, id: int, title: str) -> None:
    titled = order is Order.TITLE
    at = title_key(title)
    cursor = to_cursor(Wanted(order, down), Mark(at if titled else id, id))
    assert len(cursor) <= 1_200
    assert from_cursor(cursor) == (order, down, Mark(at if titled else id, id))


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_cursors(text: str) -> None:
    try:
        from_cursor(text)
    except InvalidRequest:
        return


def test_a_filtered_page_looks_at_a_bounded_number_and_says_so(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(listing, "SCANNED", 10)
    house = House()
    for n in range(35):
        house.add(f"shoe {n}", price=n)
    where = filters.parse("price >= 25")
    found, after, looks = [], None, 0
    while True:
        wanted = Wanted(Order.ID, False, page_size=3, after=after, where=where)
        page = leaf(house.catalog, ATTRIBUTES, wanted)
        found += [product.id for product in page.products]
        looks += 1
        if page.next is None:
            break
        assert not page.exact
        after = page.next
    assert found == list(range(26, 36))
    assert looks == 6


@pytest.mark.parametrize("value", ["\ud800", "a\0b", "x" * 101, 7, None, ["a"]])
def test_a_cursor_with_a_title_that_no_database_holds_is_none_of_ours(value: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(["title", True, value, 1]).encode()).decode()
    with pytest.raises(InvalidRequest, match="cursor"):
        from_cursor(cursor.rstrip("="))


def test_pages_by_title_go_on_where_they_stopped_also_when_that_title_was_edited() -> None:
    house = House()
    for title in ("b", "D", "a", "c"):
        house.add(title)
    first = leaf(house.catalog, {}, Wanted(Order.TITLE, False, page_size=2))
    house.editor.edit(1, title="z")
    rest = leaf(house.catalog, {}, Wanted(Order.TITLE, False, page_size=9, after=first.next))
    assert [p.fields.title for p in first.products] == ["a", "b"]
    assert [p.fields.title for p in rest.products] == ["c", "D", "z"]

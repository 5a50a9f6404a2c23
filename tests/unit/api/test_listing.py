from hypothesis import given
from hypothesis import strategies as st

import crosslens.api.listing as listing
from crosslens.api.listing import Place, Wanted, from_cursor, leaf, to_cursor
from crosslens.catalog.listing import Mark, Order
from crosslens.errors import InvalidRequest
from crosslens.vectors import filters
from house import ATTRIBUTES, House


@given(st.sampled_from(Order), st.booleans(), st.integers(1, 2**62), st.text())
def test_cursors_survive_the_journey(order: Order, down: bool, id: int, title: str) -> None:
    titled = order is Order.TITLE
    cursor = to_cursor(Wanted(order, down), Mark(title if titled else id, id))
    assert len(cursor) < 200
    assert from_cursor(cursor) == (order, down, Place(None if titled else id, id))


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
        after = Place(page.next.value, page.next.id)
    assert found == list(range(26, 36))
    assert looks == 6

"""What the sample catalogue is made of; nothing is drawn here."""

from __future__ import annotations

import pytest

from crosslens.errors import InvalidRequest
from crosslens.sample.catalogue import MOST, SHOPS, Listing, facts, invent
from crosslens.sample.design import CATEGORIES, COLOURS
from crosslens.sample.golden import MOST_RELEVANT, changes, questions
from crosslens.sample.offer import row
from crosslens.sample.words import attributes

PRODUCTS, SEED = 640, 3


@pytest.fixture(scope="module")
def listings() -> list[Listing]:
    return invent(PRODUCTS, SEED)


def test_the_same_seed_invents_the_same_catalogue(listings: list[Listing]) -> None:
    assert invent(PRODUCTS, SEED) == listings
    assert invent(PRODUCTS, SEED + 1) != listings


@pytest.mark.parametrize("products", [1, 2, 26, 27, 300])
def test_as_many_products_as_asked_for(products: int) -> None:
    assert len({listing.id for listing in invent(products, 0)}) == products


@pytest.mark.parametrize("products", [0, -1, MOST + 1])
def test_numbers_of_products_out_of_range_are_refused(products: int) -> None:
    with pytest.raises(InvalidRequest, match="products is"):
        invent(products, 0)


def test_every_category_is_sold_in_several_colours(listings: list[Listing]) -> None:
    sold: dict[str, set[str]] = {category: set() for category in CATEGORIES}
    for listing in listings:
        sold[listing.design.category].add(listing.design.colour)
    assert min(map(len, sold.values())) >= 2
    assert {colour for colours in sold.values() for colour in colours} == set(COLOURS)


def test_only_copies_sell_what_another_shop_sells(listings: list[Listing]) -> None:
    known = {listing.id: listing for listing in listings}
    originals = [listing for listing in listings if not listing.copy_of]
    assert len({listing.design for listing in originals}) == len(originals)
    copies = [listing for listing in listings if listing.copy_of]
    assert len(copies) == PRODUCTS // 27
    for copy in copies:
        own = known[copy.copy_of]
        assert (copy.design, copy.look) == (own.design, own.look)
        assert copy.shop != own.shop
        assert row(copy, ["a"])["attributes"]["brand"] == row(own, ["a"])["attributes"]["brand"]


def test_titles_are_in_the_language_of_the_shop(listings: list[Listing]) -> None:
    for listing in listings[:100]:
        told = row(listing, ["a"])
        other = {"en": "zh", "zh": "en"}[SHOPS[listing.shop]]
        assert told[f"title_{other}"]
        assert f"title_{listing.language}" not in told
        assert ("description" in told) == (f"description_{other}" in told)
        assert told["attributes"]["brand"] == attributes(listing.design, seed=listing.look)["brand"]


def test_right_answers_have_every_attribute_that_a_question_names(
    listings: list[Listing],
) -> None:
    told = {listing.id: facts(listing.design) for listing in listings}
    found = questions(listings, 60, SEED)
    assert len(found) == 60
    for question in found:
        right = {id for id, known in told.items() if question.attributes.items() <= known.items()}
        assert right == set(question.relevant)
        assert 1 <= len(right) <= MOST_RELEVANT


def test_targets_differ_from_their_start_in_one_thing(listings: list[Listing]) -> None:
    told = {listing.id: facts(listing.design) for listing in listings}
    found = changes(listings, 80, SEED)
    assert {change.kind for change in found} == {"colour", "pattern", "plain", "variant"}
    for change in found:
        for target in change.targets:
            differing = {
                name
                for name in told[target].keys() | told[change.ref].keys()
                if told[target].get(name) != told[change.ref].get(name)
            }
            assert _is(change.kind, differing), (change, differing)


def _is(kind: str, differing: set[str]) -> bool:
    if kind == "variant":
        return len(differing) == 1 and not differing & {"colour", "pattern", "accent", "material"}
    if kind == "colour":
        return differing == {"colour"}
    return "pattern" in differing <= {"pattern", "accent"}

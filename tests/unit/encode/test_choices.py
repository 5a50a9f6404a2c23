"""Which exchange of a bundle turns one index into another."""

from __future__ import annotations

from itertools import product

import pytest

from crosslens.encode.choices import PURPOSES, exchange, spaces_of
from crosslens.values import Space

NAMES = ("mini", "large", "words")


def space(name: str) -> Space:
    return Space(f"{name}@1/fp32", 8)


def choices() -> list[dict[str, str]]:
    rest = ("", *NAMES)
    return [dict(zip(PURPOSES, names, strict=True)) for names in product(NAMES, rest, rest)]


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("name", NAMES)
def test_an_exchange_of_one_bundle_is_found_from_the_spaces_alone(purpose: str, name: str) -> None:
    for chosen in choices():
        wanted = spaces_of({**chosen, purpose: name}, space)
        found = exchange(chosen, wanted, NAMES, space)
        assert found is not None
        assert spaces_of({**chosen, **found}, space) == wanted
        assert len(found) <= 1


def test_what_no_one_exchange_brings_about_is_not_guessed() -> None:
    chosen = {"cross_modal": "mini", "text": "", "looks": ""}
    two = spaces_of({"cross_modal": "large", "text": "words", "looks": ""}, space)
    assert exchange(chosen, two, NAMES, space) is None
    stranger = ((space("stranger"),), (space("stranger"),))
    assert exchange(chosen, stranger, NAMES, space) is None

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.api.etags import is_known, of_product, wanted_revisions
from crosslens.errors import InvalidRequest


@given(st.integers(1, 10**15), st.sampled_from(["current", "waiting", "parked"]))
def test_a_tag_permits_the_revision_it_was_made_of(revision: int, state: str) -> None:
    assert wanted_revisions(of_product(revision, state)) == {revision}


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("*", None),
        ('"3"', {3}),
        ('"3", "4.waiting"', {3, 4}),
        ('W/"3"', set()),  # a weak tag never matches strongly
        ('"abc"', set()),
        ('""', set()),
    ],
)
def test_conditions_are_read(header: str | None, wanted: set[int] | None) -> None:
    assert wanted_revisions(header) == wanted


@pytest.mark.parametrize("header", ["3", '"3', '"3" "4"', "w/x"])
def test_what_is_no_tag_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest):
        wanted_revisions(header)


@pytest.mark.parametrize(
    ("header", "known"),
    [(None, False), ("*", True), ('"1"', False), ('W/"2", "x"', True), ('"2"', True), ("2", False)],
)
def test_a_caller_may_have_it_already(header: str | None, known: bool) -> None:
    assert is_known(header, '"2"') is known

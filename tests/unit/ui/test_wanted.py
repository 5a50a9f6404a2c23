from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st

from crosslens.ui.wanted import MOST, MOST_STEPS, SEEDS, Wanted, read, write

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40)
seeds = st.one_of(st.none(), st.integers(0, SEEDS - 1))
wishes = st.builds(
    Wanted,
    prompt=words.map(str.strip),
    negative=words.map(str.strip),
    n=st.integers(0, MOST),
    size=st.integers(0, 8_192),
    steps=st.integers(0, MOST_STEPS),
    guidance=st.one_of(st.none(), st.integers(0, 60).map(lambda n: n / 2)),
    seed=seeds,
    generator=words,
    task=st.sampled_from(["", "0123456789abcdef"]),
    first=seeds,
)


@given(wishes)
def test_what_is_written_into_an_address_is_read_again(wanted: Wanted) -> None:
    assert read(dict(parse_qsl(urlencode(write(wanted)), keep_blank_values=True))) == wanted


def test_an_empty_wish_leaves_the_address_empty() -> None:
    assert write(Wanted()) == {}
    assert read({}) == Wanted()


@given(
    st.dictionaries(
        st.sampled_from(["q", "not", "n", "size", "steps", "guidance", "seed", "task", "first"]),
        st.text(max_size=40),
    )
)
def test_whatever_stands_in_an_address_makes_a_wish(params: Mapping[str, str]) -> None:
    wanted = read(params)
    assert 0 <= wanted.n <= MOST
    assert wanted.seed is None or 0 <= wanted.seed < SEEDS
    assert wanted.guidance is None or 0 <= wanted.guidance <= 30
    assert read(write(wanted)) == wanted


def test_a_seed_of_zero_is_a_seed() -> None:
    assert read({"seed": "0", "guidance": "0"}) == Wanted(seed=0, guidance=0.0)
    assert write(Wanted(seed=0, guidance=0.0)) == {"seed": "0", "guidance": "0"}

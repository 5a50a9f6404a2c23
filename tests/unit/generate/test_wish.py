import pytest

from crosslens.errors import InvalidRequest
from crosslens.generate.wish import Wish


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": "x" * 10_000}, "prompt is 10,000 characters long, allowed: at most 2,000"),
        ({"negative": "x" * 2_001}, "negative is 2,001 characters long"),
        ({"n": 0}, "n is 0, allowed: a whole number from 1 to 10"),
        ({"n": 11}, "n is 11, allowed"),
        ({"n": True}, "n is True, allowed"),
        ({"steps": 151}, "steps is 151, allowed: a whole number from 0 to 150"),
        ({"size": -1}, "size is -1, allowed"),
        ({"guidance": float("nan")}, "guidance is nan, allowed: 0 to 30"),
        ({"seed": 2**32}, "seed is 4294967296, allowed"),
    ],
)
def test_a_wish_is_valid_from_birth(given: dict[str, object], said: str):
    with pytest.raises(InvalidRequest) as refused:
        Wish(**{"prompt": "red shoe", **given})  # type: ignore[arg-type]
    assert said in refused.value.message


def test_seeds_of_pictures_count_up_and_come_round():
    wish = Wish("red shoe", n=3, seed=2**32 - 1)
    assert [wish.seed_of(number) for number in range(3)] == [2**32 - 1, 0, 1]

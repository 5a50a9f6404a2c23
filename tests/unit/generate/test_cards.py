import pytest

from crosslens.errors import BrokenBundle
from crosslens.generate.cards import format_generator_card, parse_generator_card
from drawing import generator_card


def test_a_card_comes_back_as_it_was_written():
    card = generator_card(note="flat")
    assert parse_generator_card(format_generator_card(card)) == card


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("px = 8", "px = 0", "px is 0"),
        ("px = 8\n", "", "px is missing"),
        ("px = 8", "px = 8\nwide = 9", "wide is not a key"),
        ('kind = "generator"', 'kind = "encoder"', "kind is 'encoder'"),
        ("guidance = 2.0", "guidance = 31.0", "guidance is 31.0"),
        ("guided = 1.0", "guided = 1.1", "guided is 1.1"),
        ('languages = ["zh", "en"]', "languages = 3", "languages is 3"),
        ("poses = 0", "poses = -1", "poses is -1"),
        ("[digests]", '[digests]\n"a.onnx" = 3', "digests: a.onnx is 3"),
        ("format = 1", "format = [", "is not TOML"),
    ],
)
def test_a_card_that_is_not_good_is_refused_by_key(before: str, after: str, said: str):
    text = format_generator_card(generator_card())
    assert before in text
    with pytest.raises(BrokenBundle, match=r"card\.toml") as refused:
        parse_generator_card(text.replace(before, after, 1))
    assert said in refused.value.message


def test_seeds_go_through_the_poses_by_turns():
    assert [generator_card(poses=3).pose_of(seed) for seed in (0, 1, 2, 3)] == [0, 1, 2, 0]
    assert generator_card().pose_of(7) == 0

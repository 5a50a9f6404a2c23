import numpy as np
import pytest
import torch

from crosslens.train.augment import augment, normalise

pytestmark = pytest.mark.train


def pictures(count: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8)


def test_the_same_seed_disturbs_in_the_same_way():
    first, second = (augment(pictures(), np.random.default_rng(5), px=64) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(pictures(), np.random.default_rng(6), px=64))


def test_disturbed_pictures_have_the_range_of_normalised_ones():
    for seed in range(5):
        found = augment(pictures(), np.random.default_rng(seed), px=64)
        assert found.shape == (6, 3, 64, 64)
        assert -2.0 <= float(found.min()) <= float(found.max()) <= 2.0


def test_the_pictures_that_are_passed_in_stay_as_they_are():
    given = pictures()
    augment(given, np.random.default_rng(0), px=64)
    assert np.array_equal(given, pictures())


def test_pictures_come_at_the_side_that_is_asked_for():
    assert augment(pictures(), np.random.default_rng(0), px=96).shape == (6, 3, 96, 96)


def test_normalising_is_what_the_card_says():
    white = normalise(np.full((1, 64, 64, 3), 255, np.uint8))
    assert float(white.max()) == float(white.min()) == 2.0


@pytest.mark.parametrize("colour", [(206, 40, 48), (54, 144, 74), (44, 96, 206), (124, 78, 46)])
def test_a_colour_stays_nearer_to_itself_than_to_the_others(colour: tuple[int, int, int]):
    others = np.array([(206, 40, 48), (54, 144, 74), (44, 96, 206), (124, 78, 46)]) / 255
    plain = np.broadcast_to(np.array(colour, np.uint8), (32, 64, 64, 3)).copy()
    found = augment(plain, np.random.default_rng(1), px=64) * 0.25 + 0.5
    middles = found.flatten(2).median(dim=2).values.numpy()  # [32, 3]
    nearest = np.linalg.norm(middles[:, None] - others, axis=2).argmin(1)
    own = [tuple(round(c * 255) for c in other) for other in others].index(colour)
    assert (nearest == own).mean() > 0.95

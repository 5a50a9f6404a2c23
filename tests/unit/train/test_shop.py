import numpy as np
import pytest

from crosslens.train.shop import SampleShop
from crosslens.train.source import Style

pytestmark = pytest.mark.train


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("language", SampleShop.languages)
def test_phrases_speak_of_attributes_that_the_product_has(language: str, style: Style):
    shop, rng = SampleShop(), np.random.default_rng(0)
    for _ in range(100):
        design = shop.design(rng)
        said = shop.phrase(design, rng, language, style=style)
        assert said.text
        assert said.mentions | said.doubtful <= set(shop.attributes(design))
        assert not said.mentions & said.doubtful


def test_full_phrases_mention_everything():
    shop, rng = SampleShop(), np.random.default_rng(0)
    design = shop.design(rng)
    said = shop.phrase(design, rng, "en", style=Style.FULL)
    assert said.mentions == set(shop.attributes(design))


def test_some_combinations_are_held_out_and_most_are_not():
    shop, rng = SampleShop(), np.random.default_rng(0)
    share = np.mean([shop.held_out(shop.design(rng)) for _ in range(500)])
    assert 0.05 < share < 0.3

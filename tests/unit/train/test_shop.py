import numpy as np
import pytest

from crosslens.sample.words import new_words
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
        if said is None:
            assert style is Style.MAIN_NEW
            continue
        assert said.text
        assert said.mentions | said.doubtful <= set(shop.attributes(design))
        assert not said.mentions & said.doubtful


def test_full_phrases_mention_everything():
    shop, rng = SampleShop(), np.random.default_rng(0)
    design = shop.design(rng)
    said = shop.phrase(design, rng, "en", style=Style.FULL)
    assert said.mentions == set(shop.attributes(design))


def test_a_paraphrase_names_the_same_attributes_and_no_word_that_is_kept_for_testing():
    shop, rng = SampleShop(), np.random.default_rng(1)
    for _ in range(200):
        design = shop.design(rng)
        said = shop.phrase(design, rng, "en", style=Style.ANY)
        again = shop.paraphrase(design, rng, said.mentions)
        assert again.mentions == said.mentions
        new = {*new_words(design, "en"), *new_words(design, "zh")}
        assert not [word for word in new if word in again.text.lower()]


def test_main_phrases_name_the_category_the_colour_and_the_pattern_alone():
    shop, rng = SampleShop(), np.random.default_rng(2)
    for style in (Style.MAIN, Style.MAIN_UNSEEN):
        said = shop.phrase(shop.design(rng), rng, "zh", style=style)
        assert said.mentions == {"category", "colour", "pattern"}


def test_some_combinations_are_held_out_and_most_are_not():
    shop, rng = SampleShop(), np.random.default_rng(0)
    share = np.mean([shop.held_out(shop.design(rng)) for _ in range(500)])
    assert 0.05 < share < 0.3

from __future__ import annotations

import re

import numpy as np
import pytest

from crosslens.sample.combos import held_out
from crosslens.sample.design import CATEGORIES, COLOURS, PATTERNS, Design, random_design
from crosslens.sample.words import (
    Language,
    Style,
    Wording,
    attributes,
    description,
    full,
    held_out_words,
    loose,
    new_words,
    query,
    search,
    title,
)  # fmt: skip

LANGUAGES: tuple[Language, ...] = ("en", "zh")
STYLES: tuple[Style, ...] = ("query", "title", "full")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def designs(count: int, seed: int = 0) -> list[Design]:
    rng = np.random.default_rng(seed)
    return [random_design(rng) for _ in range(count)]


def says(text: str, word: str, language: Language) -> bool:
    if language == "zh":
        return word in text
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


def test_designs_are_sensible() -> None:
    for design in designs(400):
        kind = CATEGORIES[design.category]
        assert design.material in kind.materials
        assert (design.accent == "") == (design.pattern == "solid")
        assert design.accent != design.colour
        assert dict(design.variant).keys() == kind.genes.keys()


def test_what_is_given_is_kept() -> None:
    rng = np.random.default_rng(0)
    design = random_design(rng, category="mug", colour="teal", pattern="dotted", accent="white")
    assert (design.category, design.colour) == ("mug", "teal")
    assert (design.pattern, design.accent) == ("dotted", "white")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_training_titles_never_use_held_out_words(language: Language, style: Style) -> None:
    rng = np.random.default_rng(1)
    for design in designs(400):
        text = title(design, rng, language, style=style)
        assert not [w for w in held_out_words(design, language) if says(text, w, language)], text


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_titles_use_held_out_words(language: Language) -> None:
    rng = np.random.default_rng(1)
    texts = [(title(d, rng, language, style="full", held_out=True), d) for d in designs(200)]
    using = [any(says(t, w, language) for w in held_out_words(d, language)) for t, d in texts]
    assert np.mean(using) > 0.9


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_training_never_meets_are_a_few_and_only_used_when_asked_for(
    language: Language,
) -> None:
    rng = np.random.default_rng(1)
    drawn = designs(400)
    assert 0.1 < np.mean([bool(new_words(design, language)) for design in drawn]) < 0.6
    for design in drawn:
        read = full(design, rng, language, wording=Wording.READ, new_phrasing=True)
        wanted = frozenset({"category", "colour", "pattern"})
        new = search(design, rng, language, wanted=wanted, wording=Wording.NEW)
        words = new_words(design, language)
        assert not [word for word in words if says(read, word, language)], read
        assert all(says(new, word, language) for word in words), new


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_texts_are_in_their_language_and_tidy(language: Language, style: Style) -> None:
    rng = np.random.default_rng(2)
    for number, design in enumerate(designs(300)):
        text = title(design, rng, language, style=style, held_out=number % 2 == 1)
        assert bool(CHINESE.search(text)) == (language == "zh")
        assert text == text.strip()
        assert not re.search(r"[{}]|  |【】", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("held", [False, True])
def test_a_query_mentions_what_it_says(language: Language, held: bool) -> None:
    rng = np.random.default_rng(3)
    for design in designs(400):
        text, mentioned = query(design, rng, language, held)
        spoken: dict[str, list[str]] = {
            "category": list(getattr(CATEGORIES[design.category], language)),
            "colour": [*getattr(COLOURS[design.colour], language), COLOURS[design.colour].short],
            "pattern": [
                *getattr(PATTERNS[design.pattern], language),
                PATTERNS[design.pattern].noun,
            ],
        }
        side = LANGUAGES.index(language)
        for gene in design.variant:
            spoken[gene[0]] = list(CATEGORIES[design.category].words[gene][side])
        for name, words in spoken.items():
            if name in mentioned:
                assert any(word and word in text for word in words), (text, name)
        assert 1 <= len(mentioned) <= 7


@pytest.mark.parametrize("language", LANGUAGES)
def test_loose_words_name_what_is_wanted_in_any_order(language: Language) -> None:
    rng = np.random.default_rng(5)
    wanted, orders = frozenset({"category", "colour"}), set()
    for design in designs(200, seed=6):
        text = loose(design, rng, language, wanted=wanted)
        kind, colour = (
            [word for word in getattr(table[key], language) if says(text, word, language)]
            for table, key in ((CATEGORIES, design.category), (COLOURS, design.colour))
        )
        assert kind, text
        assert colour, text
        orders.add(text.lower().find(kind[0].lower()) < text.lower().find(colour[0].lower()))
        for word in held_out_words(design, language):
            assert not says(text, word, language), text
    assert orders == {True, False}


def test_loose_words_keep_off_the_phrasings_that_test() -> None:
    rng = np.random.default_rng(7)
    for design in designs(300, seed=8):
        wanted = frozenset({"category", "colour", "pattern", "material", "accent"})
        english, chinese = (loose(design, rng, each, wanted=wanted) for each in LANGUAGES)
        assert not re.search(r"looking for|any |that is", english, re.IGNORECASE)
        assert not re.search(r"想买|有没有|想要", chinese)


@pytest.mark.parametrize("language", LANGUAGES)
def test_full_titles_tell_every_pair_of_designs_apart(language: Language) -> None:
    seen: dict[str, Design] = {}
    rng = np.random.default_rng(4)
    for design in designs(1500):
        text = title(design, rng, language, style="full")
        assert seen.setdefault(text, design) == design


def test_titles_agree_with_the_attributes_of_the_same_seed() -> None:
    design = designs(1)[0]
    rng = np.random.default_rng(5)
    brand = str(attributes(design, seed=9)["brand"])
    assert brand in title(design, rng, "en", style="title", seed=9)
    assert attributes(design, seed=9) == attributes(design, seed=9)


def test_attributes_are_words_and_prices() -> None:
    for design in designs(200):
        found = attributes(design)
        low, high = CATEGORIES[design.category].price
        assert low - 1 <= float(found["price"]) <= high
        assert found["category"] == design.category
        assert all(isinstance(value, str | float) for value in found.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_descriptions_are_sentences(language: Language) -> None:
    rng = np.random.default_rng(6)
    for design in designs(100):
        text = description(design, rng, language)
        assert 2 <= len(re.findall(r"[.。]", text)) <= 4
        assert bool(CHINESE.search(text)) == (language == "zh")


def test_categories_share_no_synonym() -> None:
    for language in LANGUAGES:
        words = [w for kind in CATEGORIES.values() for w in getattr(kind, language)]
        assert len(words) == len(set(words))


def test_about_fifteen_percent_of_the_combinations_are_held_out() -> None:
    chosen = [
        held_out(category, colour, pattern)
        for category in CATEGORIES
        for colour in COLOURS
        for pattern in PATTERNS
    ]
    assert 0.14 < np.mean(chosen) < 0.16
    assert held_out("mug", "red", "solid") == held_out("mug", "red", "solid")

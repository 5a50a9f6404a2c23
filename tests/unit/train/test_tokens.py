import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslens.errors import InvalidRequest
from crosslens.train.tokens import (
    START,
    common_characters,
    encode,
    load_tokenizer,
    train_tokenizer,
)  # fmt: skip

TEXTS = ["red striped t-shirt", "blue mug with white dots", "红色条纹T恤", "陶瓷马克杯"] * 5

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocabulary=7500, max_tokens=32)


def test_taught_words_are_one_token_and_chinese_is_cut_by_character(tokenizer):
    assert tokenizer.encode("Red STRIPED mug").tokens == [START, "red", "striped", "mug"]
    assert tokenizer.encode("红色T恤").tokens == [START, "红", "色", "t", "恤"]


@given(st.text(min_size=1, max_size=40))
@settings(deadline=None, max_examples=200)
def test_nothing_is_unknown_and_every_visible_text_has_tokens(tokenizer, text: str):
    found = tokenizer.encode(text)
    assert found.tokens[0] == START
    assert all(0 < token < tokenizer.get_vocab_size() for token in found.ids)
    if text.split():
        assert len(found.ids) > 1


def test_common_chinese_characters_are_single_tokens(tokenizer):
    characters = common_characters()
    assert len(characters) == 6763
    assert all(tokenizer.token_to_id(character) is not None for character in characters)


@pytest.mark.parametrize("text", ["😀", "ŵéird", "한국어", "𠮷野家", "🧥 coat"])
def test_rare_characters_fall_back_to_bytes(tokenizer, text: str):
    assert "<0x" in "".join(tokenizer.encode(text).tokens)


def test_full_width_and_capital_letters_are_the_same_words(tokenizer):
    assert tokenizer.encode("ＳＩＺＥ　４２").ids == tokenizer.encode("size 42").ids


def test_a_text_cannot_spell_special_tokens(tokenizer):
    ids = tokenizer.encode("[PAD] [CLS]").ids
    assert ids[0] not in ids[1:]
    assert tokenizer.token_to_id("[PAD]") not in ids


def test_texts_are_cut_and_padded(tokenizer):
    ids, mask = encode(tokenizer, ["red", "红" * 99])
    assert ids.shape == mask.shape == (2, 32)
    assert mask.sum(1).tolist() == [2, 32]
    assert ids[0, 2:].tolist() == [0] * 30


def test_a_saved_tokenizer_is_the_same(tokenizer):
    again = load_tokenizer(tokenizer.to_str())
    assert [again.encode(text).ids for text in TEXTS] == [
        tokenizer.encode(text).ids for text in TEXTS
    ]


def test_a_damaged_tokenizer_is_refused():
    with pytest.raises(InvalidRequest, match=r"tokenizer\.json"):
        load_tokenizer("{}")


def test_a_vocabulary_below_the_characters_is_refused():
    with pytest.raises(InvalidRequest, match="vocabulary is 100"):
        train_tokenizer(TEXTS, vocabulary=100, max_tokens=8)

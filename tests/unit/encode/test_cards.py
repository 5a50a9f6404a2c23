from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslens.encode.cards import PictureCard, Resize, TextCard, format_card, parse_card
from crosslens.encode.tables import Digest
from crosslens.encode.toml import dumps
from crosslens.errors import BrokenBundle
from crosslens.values import Space
from tiny_bundle import PICTURE, TEXT, card

PLAIN = st.text(st.characters(exclude_categories=["Cs"])) | st.booleans()
PLAIN |= st.integers(-(2**62), 2**62) | st.floats(allow_nan=False)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TREE = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # machines are shared
@given(st.dictionaries(KEYS, TREE, max_size=4))
def test_toml_that_is_written_reads_the_same(table: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(table)) == table


def test_toml_holds_no_none() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        dumps({"a": None})


@settings(deadline=None)  # machines are shared
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_card_that_is_written_reads_the_same(about: str) -> None:
    about = about.replace("\0", "x")
    one = card(about=about, digests={"text.onnx": Digest("a" * 64, 3)})
    assert parse_card(format_card(one)) == one


@pytest.mark.parametrize("part", ["text", "picture"])
def test_one_tower_is_enough(part: str) -> None:
    one = card(**{part: None})
    assert parse_card(format_card(one)) == one


def test_the_space_is_named_by_the_card() -> None:
    assert card().vector_space == Space("tiny@1/fp32", 16)
    assert card().files == ("text.onnx", "tokenizer.json", "picture.onnx")


def test_a_products_text_is_made_of_the_fields_the_tower_reads() -> None:
    assert TEXT.product_text(title="Shoe", description="Red.") == "Shoe\nRed."
    assert TEXT.product_text(title="Shoe", description=" ") == "Shoe"
    assert TextCard(max_tokens=8).product_text(title="Shoe", description="Red.") == "Shoe"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": " "}, "name"),
        ({"about": 3}, "about"),
        ({"space": "tiny@1"}, "space"),
        ({"space": "tiny@1/int8"}, "space"),
        ({"dim": 0}, "dim"),
        ({"dim": True}, "dim"),
        ({"languages": "zh"}, "languages"),
        ({"text": None, "picture": None}, "neither"),
        ({"digests": {"../x": Digest("a" * 64, 1)}}, "digests"),
    ],
)
def test_a_card_names_the_key_that_is_wrong(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(BrokenBundle, match=key):
        card(**changes)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"max_tokens": 0}, "text.max_tokens"),
        ({"file": "../text.onnx"}, "text.file"),
        ({"file": "a\n"}, "text.file"),
        ({"tokenizer": ""}, "text.tokenizer"),
        ({"query_prefix": 1}, "text.query_prefix"),
        ({"fields": ("title", "title")}, "text.fields"),
        ({"fields": ("price",)}, "text.fields"),
        ({"fields": ()}, "text.fields"),
    ],
)
def test_a_text_card_names_the_key_that_is_wrong(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(BrokenBundle, match=key):
        TextCard(**{"max_tokens": 8, **changes})


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"width": 0}, "picture.width"),
        ({"height": 5000}, "picture.height"),
        ({"mean": (0.5, 0.5)}, "picture.mean"),
        ({"mean": "abc"}, "picture.mean"),
        ({"std": (0.5, 0.0, 0.5)}, "picture.std"),
        ({"std": (0.5, float("nan"), 0.5)}, "picture.std"),
        ({"resize": "stretch"}, "picture.resize"),
        ({"resample": "nearest"}, "picture.resample"),
        ({"resize": "shortest"}, "picture.crop"),
        ({"crop": True}, "picture.crop"),
        ({"crop": 1}, "picture.crop"),
        ({"edge": 9}, "picture.edge"),
        ({"resize": "shortest", "crop": True, "edge": 4}, "picture.edge"),
        ({"fill": (0, 0, 256)}, "picture.fill"),
        ({"draft": -1}, "picture.draft"),
    ],
)
def test_a_picture_card_names_the_key_that_is_wrong(changes: dict[str, Any], key: str) -> None:
    sound = {"width": 8, "height": 8, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    with pytest.raises(BrokenBundle, match=key):
        PictureCard(**{**sound, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format = ", "not TOML"),
        ("format = 2", "format"),
        ("", "format"),
        ("format = 1", "name is missing"),
        ("format = 1\ntext = 3", "text"),
        ("format = 1\n[text]\nlength = 3", r"text\.length is not a key"),
        ("format = 1\n[picture]\nwidth = 3", r"picture\.height is missing"),
        ("format = 1\nflavour = 3", "flavour is not a key"),
        ("format = 1\n[digests]\na = 3", "digests"),
        ("format = 1\n[digests]\na = {sha256 = 'x', bytes = 3}", "sha256"),
    ],
)
def test_a_card_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(BrokenBundle, match=message):
        parse_card(text)


def test_the_defaults_are_what_the_docs_say() -> None:
    assert PICTURE.resize is Resize.SQUASH
    assert PICTURE.shortest_edge == 8
    assert (PICTURE.draft, PICTURE.edge, PICTURE.fill) == (0, 0, (255, 255, 255))

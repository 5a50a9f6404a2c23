from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

from crosslens.encode.folders import unpacked
from crosslens.encode.goldens import Goldens, check_goldens, dump_goldens, goldens_of
from crosslens.errors import BrokenBundle
from crosslens.values import Space
from fakes import FakePictureEncoder, FakeTextEncoder, jpeg

SPACE = Space("fake/fp32", 8)
TEXT, PICTURES = FakeTextEncoder(SPACE), FakePictureEncoder(SPACE)
WORDS = ("red shoe", "", "蓝色 裙子")
CONTENT = (jpeg((200, 0, 0)), jpeg((0, 0, 200)) + b"\0")


def goldens(**changes: Any) -> Goldens:
    fields = {
        "texts": WORDS,
        "text_roles": ("query", "item", "item"),
        "text_vectors": TEXT.encode_items(WORDS).array,
        "pictures": CONTENT,
        "picture_vectors": PICTURES.encode_pictures(CONTENT).array,
        "tolerance": 1e-4,
    }
    return Goldens(**{**fields, **changes})


def test_goldens_that_are_written_read_the_same() -> None:
    one, again = goldens(), unpacked(dump_goldens(goldens()), goldens_of)
    assert (again.texts, again.text_roles, again.pictures) == (WORDS, one.text_roles, CONTENT)
    np.testing.assert_array_equal(again.text_vectors, one.text_vectors)
    np.testing.assert_array_equal(again.picture_vectors, one.picture_vectors)
    assert again.tolerance == 1e-4
    assert unpacked(dump_goldens(Goldens()), goldens_of).texts == ()


def test_a_sound_encoder_passes() -> None:
    report = check_goldens(goldens(), text=TEXT, pictures=PICTURES)
    assert report.passed
    assert report.compared == 10  # one by one and together
    assert report.max_difference <= 1e-6
    assert report.worst_cosine == pytest.approx(1)
    report.require("fake")


def test_another_encoder_fails_and_says_by_how_much() -> None:
    other = -goldens().text_vectors
    report = check_goldens(goldens(text_vectors=other), text=TEXT, pictures=PICTURES)
    assert not report.passed
    assert report.worst_cosine == pytest.approx(-1)
    with pytest.raises(BrokenBundle, match="does not pass its goldens: max difference"):
        report.require("fake")


def test_not_a_number_fails() -> None:
    vectors = goldens().text_vectors.copy()
    vectors[1, 2] = np.nan
    assert not check_goldens(goldens(text_vectors=vectors), text=TEXT, pictures=None).passed


def test_a_missing_tower_is_left_out() -> None:
    assert check_goldens(goldens(), text=None, pictures=PICTURES).compared == 4


def test_no_goldens_prove_nothing() -> None:
    report = check_goldens(Goldens(), text=TEXT, pictures=PICTURES)
    assert (report.compared, report.worst_cosine, report.passed) == (0, 1.0, False)
    assert str(report) == "no goldens to compare with"
    with pytest.raises(BrokenBundle, match="bundle fake has no goldens"):
        report.require("fake")


def test_goldens_of_another_dimension_are_refused() -> None:
    with pytest.raises(BrokenBundle, match="goldens are"):
        check_goldens(goldens(text_vectors=np.ones((3, 4), "f4")), text=TEXT, pictures=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"texts": ("a",)},
        {"text_roles": ("query", "item", "thing")},
        {"pictures": ()},
        {"texts": ("a\0", "b", "c")},
        {"tolerance": 0.0},
        {"tolerance": float("nan")},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BrokenBundle, match="goldens"):
        goldens(**changes)


def _objects() -> bytes:
    out = io.BytesIO()
    np.savez(out, texts=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return out.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK", b"nonsense", pickle.dumps([1]), _objects()])
def test_what_is_no_goldens_is_refused_and_nothing_is_unpickled(content: bytes) -> None:
    with pytest.raises(BrokenBundle, match=r"goldens\.npz cannot be read"):
        unpacked(content, goldens_of)

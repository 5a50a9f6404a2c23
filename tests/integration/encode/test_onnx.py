from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crosslens.encode.bundles import write_bundle
from crosslens.encode.cards import TextCard
from crosslens.encode.goldens import Goldens
from crosslens.encode.onnx import load
from crosslens.encode.pixels import Pixels
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, MissingExtra, NotFound
from tiny_bundle import (
    DIM,
    PICTURE,
    SIDE,
    TEXT,
    VOCABULARY,
    card,
    files,
    picture_graph,
    png,
    text_graph,
    tokenizer,
    write_tiny,
)  # fmt: skip

pytest.importorskip("onnx")


def expected_text(words: list[str], prefix: str = "") -> np.ndarray:
    rng = np.random.default_rng(1)
    table = rng.standard_normal((len(VOCABULARY) + 3, DIM)).astype("f4")
    layer = rng.standard_normal((DIM, DIM)).astype("f4")
    rows = [
        np.tanh(table[ids]).sum(0) @ layer
        for ids in Words(TEXT, tokenizer()).rows(words, prefix=prefix)
    ]
    return np.array([row / np.linalg.norm(row) for row in rows])


def test_words_go_through_prefix_tokenizer_graph_and_length(tmp_path: Path) -> None:
    text = load(write_tiny(tmp_path / "t")).text
    assert text is not None
    words = ["red", "shoe 42", ""]
    np.testing.assert_allclose(
        text.encode_queries(words).array, expected_text(words, "q"), atol=1e-5
    )
    np.testing.assert_allclose(text.encode_items(words).array, expected_text(words), atol=1e-5)


def test_pictures_go_through_pixels_graph_and_length(tmp_path: Path) -> None:
    picture = load(write_tiny(tmp_path / "t")).picture
    assert picture is not None
    layer = np.random.default_rng(2).standard_normal((3 * SIDE * SIDE, DIM)).astype("f4")
    pixels = np.array(Pixels(PICTURE).rows([png(1), png(2)]))
    rows = pixels.reshape(2, -1) @ layer
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = picture.encode_pictures([png(1), png(2)]).array
    np.testing.assert_allclose(found, rows, atol=1e-5)


def test_a_bundle_that_is_checked_against_its_own_vectors_passes(tmp_path: Path) -> None:
    words, pictures = ("red", "shoe"), (png(1),)
    first = load(write_tiny(tmp_path / "first"))
    assert first.text is not None
    assert first.picture is not None
    goldens = Goldens(
        texts=words,
        text_roles=("query", "item"),
        text_vectors=np.concatenate([
            first.text.encode_queries(words[:1]).array, first.text.encode_items(words[1:]).array,
        ]),
        pictures=pictures,
        picture_vectors=first.picture.encode_pictures(pictures).array,
        tolerance=1e-5,
    )  # fmt: skip
    report = load(write_tiny(tmp_path / "second", goldens=goldens)).check()
    assert report.passed
    assert report.compared == 6


@pytest.mark.parametrize(
    "inputs",
    [
        ("input_ids",),
        ("input_ids", "attention_mask"),
        ("input_ids", "attention_mask", "token_type_ids"),
    ],
)
def test_the_graph_says_which_inputs_it_wants(tmp_path: Path, inputs: tuple[str, ...]) -> None:
    given = {**files(), "text.onnx": text_graph(inputs=inputs)}
    write_bundle(tmp_path / "t", card(), files=given, goldens=Goldens())
    text = load(tmp_path / "t").text
    assert text is not None
    assert text.encode_items(["ab", "ba"]).array.shape == (2, DIM)


def test_a_bundle_may_have_one_tower(tmp_path: Path) -> None:
    given = {"picture.onnx": picture_graph()}
    write_bundle(tmp_path / "t", card(text=None), files=given, goldens=Goldens())
    bundle = load(tmp_path / "t")
    assert bundle.text is None
    assert bundle.picture is not None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.onnx", b"nonsense", r"text\.onnx cannot be loaded"),
        ("tokenizer.json", b"{}", "is not a tokenizer"),
        ("tokenizer.json", b"\xff", "is not a tokenizer"),
    ],
)
def test_a_bundle_of_nonsense_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    write_bundle(tmp_path / "t", card(), files={**files(), name: content}, goldens=Goldens())
    with pytest.raises(BrokenBundle, match=message):
        load(tmp_path / "t")


def test_a_graph_with_other_ports_is_refused(tmp_path: Path) -> None:
    given = {**files(), "text.onnx": picture_graph()}
    write_bundle(tmp_path / "t", card(), files=given, goldens=Goldens())
    with pytest.raises(BrokenBundle, match=r"wants inputs \['pixel_values'\]"):
        load(tmp_path / "t")


def test_a_graph_of_another_dimension_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "t", card(dim=DIM + 1), files=files(), goldens=Goldens())
    with pytest.raises(BrokenBundle, match=r"expected \[N, 17\]"):
        load(tmp_path / "t")


def test_a_graph_for_pictures_of_another_size_is_refused(tmp_path: Path) -> None:
    small = PICTURE.__class__(width=4, height=4, mean=(0, 0, 0), std=(1, 1, 1))
    write_bundle(tmp_path / "t", card(picture=small), files=files(), goldens=Goldens())
    with pytest.raises(BrokenBundle, match=r"picture\.onnx wants pixel_values"):
        load(tmp_path / "t")


def test_token_ids_beyond_the_table_are_a_broken_bundle(tmp_path: Path) -> None:
    larger = tokenizer().replace('"a":3', '"a":3000')
    given = {**files(), "tokenizer.json": larger.encode()}
    write_bundle(tmp_path / "t", card(), files=given, goldens=Goldens())
    text = load(tmp_path / "t").text
    assert text is not None
    with pytest.raises(BrokenBundle, match=r"text\.onnx failed to run"):
        text.encode_items(["a"])


def test_an_altered_bundle_is_refused(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "t")
    content = bytearray((folder / "text.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "text.onnx").write_bytes(bytes(content))
    with pytest.raises(BrokenBundle, match="altered"):
        load(folder)


def test_no_bundle_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(tmp_path / "nothing")


def test_a_device_that_is_not_there_is_explained(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "t")
    with pytest.raises(MissingExtra, match="allowed are cpu, cuda"):
        load(folder, device="quantum")
    with pytest.raises(MissingExtra, match="has no CoreMLExecutionProvider"):
        load(folder, device="coreml")


def test_a_card_without_prefixes_encodes_queries_and_items_alike(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "t", text=TextCard(max_tokens=12))
    text = load(folder).text
    assert text is not None
    np.testing.assert_array_equal(
        text.encode_queries(["red"]).array, text.encode_items(["red"]).array
    )


def test_the_runtime_reports_to_nobody(tmp_path: Path) -> None:
    bundle, home = write_tiny(tmp_path / "bundle"), tmp_path / "home"
    home.mkdir()
    given = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}  # noqa: TID251
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    code = """
import sys, pathlib
from crosslens.encode.onnx import load
load(pathlib.Path(sys.argv[1])).text.encode_items(["a"])
"""
    subprocess.run([sys.executable, "-c", code, bundle], check=True, env=given | places)
    assert list(home.iterdir()) == []

"""What every encoder does, whatever computes the vectors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosslens.encode.batching import BatchedPictures, BatchedText, Batcher
from crosslens.encode.cache import CachedPictures, CachedText
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.encode.onnx import OnnxBundle, load
from crosslens.encode.remote import RemoteModel
from crosslens.errors import UnreadablePicture
from crosslens.values import Space
from encode_service import encoding
from fakes import FakePictureEncoder, FakeTextEncoder
from tiny_bundle import png, write_tiny

WORDS = [
    "red shoe",
    "a",
    "红鞋",
    "连衣裙 42",
    "",
    "z" * 40,
    "ＲＥＤ",
    "😀",
    "b c d e f g h i j k l m",
]
PICTURES = [png(seed, (10 + seed, 30 - seed)) for seed in range(9)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> OnnxBundle:
    return load(write_tiny(Path(tmp_path_factory.mktemp("bundle")) / "tiny"))


def _batched_text(bundle: OnnxBundle) -> BatchedText:
    assert bundle.text is not None
    return BatchedText(bundle.text, Batcher(bundle.text.run, slots=2, max_batch=4))


def _batched_pictures(bundle: OnnxBundle) -> BatchedPictures:
    assert bundle.picture is not None
    batcher = Batcher(bundle.picture.run, slots=2, max_batch=4)
    return BatchedPictures(bundle.picture, batcher, at_once=3)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteModel]:
    """The same bundle behind an encode service."""
    with encoding(tmp_path_factory.mktemp("service")) as house, closing(house.client()) as client:
        yield client.model("tiny")


TEXT: dict[str, Callable[[OnnxBundle, RemoteModel], Any]] = {
    "onnx": lambda bundle, _: bundle.text,
    "batched": lambda bundle, _: _batched_text(bundle),
    "remote": lambda _, remote: remote.words,
    "cached": lambda bundle, _: CachedText(_batched_text(bundle), entries=3),
    "fake": lambda *_: FakeTextEncoder(Space("fake/fp32", 8)),
}
PICTURE: dict[str, Callable[[OnnxBundle, RemoteModel], Any]] = {
    "onnx": lambda bundle, _: bundle.picture,
    "batched": lambda bundle, _: _batched_pictures(bundle),
    "remote": lambda _, remote: remote.pictures,
    "cached": lambda bundle, _: CachedPictures(_batched_pictures(bundle), entries=3),
    "fake": lambda *_: FakePictureEncoder(Space("fake/fp32", 8)),
}


@pytest.fixture(params=TEXT)
def text(request: pytest.FixtureRequest, bundle: OnnxBundle, remote: RemoteModel) -> TextEncoder:
    return TEXT[request.param](bundle, remote)


@pytest.fixture(params=PICTURE)
def pictures(
    request: pytest.FixtureRequest, bundle: OnnxBundle, remote: RemoteModel
) -> PictureEncoder:
    return PICTURE[request.param](bundle, remote)


@pytest.fixture(params=[*(f"text-{n}" for n in TEXT), *(f"picture-{n}" for n in PICTURE)])
def side(
    request: pytest.FixtureRequest, bundle: OnnxBundle, remote: RemoteModel
) -> tuple[Any, list[Any], Space]:
    kind, name = request.param.split("-")
    if kind == "text":
        encoder = TEXT[name](bundle, remote)
        return encoder.encode_queries, WORDS, encoder.space
    encoder = PICTURE[name](bundle, remote)
    return encoder.encode_pictures, PICTURES, encoder.space


def test_gives_a_unit_vector_of_its_space_per_input(side: Any) -> None:
    encode, inputs, space = side
    vectors = encode(inputs)
    assert vectors.space == space
    assert vectors.array.shape == (len(inputs), space.dim)
    assert vectors.array.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.array, axis=1), 1, atol=1e-5)


def test_gives_no_vectors_for_no_input(side: Any) -> None:
    encode, _, space = side
    assert encode([]).array.shape == (0, space.dim)


def test_gives_the_same_vector_alone_and_in_any_company(side: Any) -> None:
    encode, inputs, _ = side
    alone = np.concatenate([encode([one]).array for one in inputs])
    np.testing.assert_allclose(encode(inputs).array, alone, atol=1e-5)
    np.testing.assert_allclose(encode(inputs[::-1]).array[::-1], alone, atol=1e-5)


def test_keeps_the_order_of_many_and_of_repeated_inputs(side: Any) -> None:
    encode, inputs, _ = side
    order = np.random.default_rng(3).integers(0, len(inputs), 70)
    expected = encode(inputs).array[order]
    np.testing.assert_allclose(encode([inputs[n] for n in order]).array, expected, atol=1e-5)


def test_answers_many_threads_at_once(side: Any) -> None:
    encode, inputs, _ = side
    expected = encode(inputs).array
    start = threading.Barrier(8)

    def ask(thread: int) -> None:
        start.wait()
        for turn in range(10):
            n = (thread + turn) % len(inputs)
            np.testing.assert_allclose(encode([inputs[n]]).array[0], expected[n], atol=1e-5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


def test_encodes_items_like_queries_unless_the_card_prefixes_them(text: TextEncoder) -> None:
    items = text.encode_items(WORDS)
    assert len(items) == len(WORDS)
    assert items.space == text.space


def test_refuses_a_bad_picture_and_encodes_none(pictures: PictureEncoder) -> None:
    with pytest.raises(UnreadablePicture):
        pictures.encode_pictures([PICTURES[0], b"not a picture", PICTURES[1]])
    assert len(pictures.encode_pictures(PICTURES[:1])) == 1

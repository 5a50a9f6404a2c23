"""Vectors over HTTP, in the shape that clients of other services know."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crosslens.encode.model import Model
from encode_service import encoding
from fakes import jpeg
from service import Served, served

PICTURE = "data:image/jpeg;base64," + base64.b64encode(jpeg()).decode("ascii")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with encoding(tmp_path_factory.mktemp("home")) as house:
        yield house.app.bundle("tiny")


@pytest.fixture
def shop(tmp_path: Path, model: Model) -> Iterator[Served]:
    with served(tmp_path, bundles=lambda: {"tiny": model}) as door:
        yield door


def ask(shop: Served, **body: object) -> dict:
    answer = shop.http.post("/v1/embeddings", json=body)
    assert answer.status_code == 200, answer.text
    told: dict = answer.json()
    return told


def refused(shop: Served, **body: object) -> tuple[int, str]:
    answer = shop.http.post("/v1/embeddings", json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


def test_words_and_pictures_are_encoded_in_their_order(shop: Served, model: Model) -> None:
    told = ask(shop, input=["red shoe", PICTURE, "红鞋"], model="tiny")
    assert [entry["index"] for entry in told["data"]] == [0, 1, 2]
    assert (told["object"], told["model"], told["space"]) == ("list", "tiny", "tiny@1/fp32")
    found = np.array([entry["embedding"] for entry in told["data"]], np.float32)
    np.testing.assert_allclose(
        found[[0, 2]], model.words.encode_items(["red shoe", "红鞋"]).array, atol=1e-6
    )
    np.testing.assert_allclose(
        found[1], model.pictures.encode_pictures([jpeg()]).array[0], atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_tokens_of_words_are_counted(shop: Served, model: Model) -> None:
    usage = ask(shop, input=["ab", "c", PICTURE])["usage"]
    expected = sum(map(len, model.token_ids(["ab", "c"], queries=False)))
    assert usage == {"prompt_tokens": expected, "total_tokens": expected}


def test_one_input_needs_no_list_and_base64_is_float32(shop: Served, model: Model) -> None:
    [entry] = ask(shop, input="red", encoding_format="base64")["data"]
    found = np.frombuffer(base64.b64decode(entry["embedding"]), "<f4")
    assert np.array_equal(found, model.words.encode_items(["red"]).array[0])


def test_questions_are_encoded_as_questions_when_told(shop: Served, model: Model) -> None:
    [entry] = ask(shop, input="red", input_type="query")["data"]
    expected = model.words.encode_queries(["red"]).array[0]
    np.testing.assert_allclose(np.array(entry["embedding"], np.float32), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "input"),
        ({"input": []}, 422, "input"),
        ({"input": ""}, 422, "input"),
        ({"input": [1, 2, 3]}, 422, "input"),
        ({"input": ["x"] * 257}, 422, "input"),
        ({"input": "x", "model": "gpt"}, 404, "there are: tiny"),
        ({"input": "x", "dimensions": 8}, 422, "bundle tiny has 16"),
        ({"input": "x", "encoding_format": "text"}, 422, "encoding_format"),
        ({"input": "x" * 100_001}, 413, "100,001 characters"),
        ({"input": "data:image/png;base64,@@@"}, 422, "picture 1 is not base64"),
        ({"input": "data:image/png;base64,AAAA"}, 422, "picture"),
        ({"input": "x", "unknown": 1}, 422, "unknown"),
    ],
)
def test_what_cannot_be_encoded_is_refused_with_its_reason(
    shop: Served, body: dict, status: int, says: str
) -> None:
    found, detail = refused(shop, **body)
    assert found == status
    assert says in detail or any(says in str(part) for part in [detail])


def test_dimensions_may_be_said_if_they_are_the_bundles(shop: Served) -> None:
    assert len(ask(shop, input="x", dimensions=16)["data"][0]["embedding"]) == 16

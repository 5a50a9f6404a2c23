"""`POST /v1/embeddings`: vectors in the shape that clients of other services know."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.intake import decoded
from crosslens.api.keys import Role
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import Wire
from crosslens.encode.model import Model
from crosslens.errors import InvalidRequest, NotFound, TooLarge
from crosslens.values import Floats

router = APIRouter(tags=["embeddings"])

MOST = 256
MAX_TEXT = 100_000
_PICTURE = "data:image/"

Input = Annotated[str, Field(min_length=1)]


class EmbeddingsIn(Wire):
    """
    What to encode.

    A text that begins with `data:image/` is a picture; both may stand in one request.
    """

    input: Input | Annotated[list[Input], Field(min_length=1, max_length=MOST)]
    model: str = Field("", description="name of a bundle in use; empty: the cross-modal one")
    encoding_format: Literal["float", "base64"] = "float"
    input_type: Literal["query", "item"] = Field(
        "item", description="some bundles put other words before a question"
    )
    dimensions: int | None = Field(None, description="if given, the bundle must have as many")
    user: str | None = Field(None, description="not looked at")


class EmbeddingOut(Wire):
    """One vector of unit length; in base64 it is float32, little-endian."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class UsageOut(Wire):
    """How many tokens the words had; pictures have none."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(Wire):
    """Vectors, in the order of the inputs; those of different spaces are never compared."""

    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    space: str
    usage: UsageOut


@router.post(
    "/v1/embeddings",
    dependencies=[allow(Role.READ, lambda lanes: lanes.search)],
    response_model=EmbeddingsOut,
    responses=openapi.problems(404, 413, 415, 422),
    openapi_extra=openapi.json_body(EmbeddingsIn, {"input": ["red shoe", "红鞋"]}),
)
async def embed(request: Request) -> Response:
    """Encode words and pictures with one of the bundles in use."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    asked = await bodies.parsed(sent.content or b"", EmbeddingsIn, runtime.lanes.search)
    return json_response(await runtime.lanes.search.run(_answer, runtime, asked))


def _answer(runtime: Runtime, asked: EmbeddingsIn) -> bytes:
    model = _model(runtime.services.bundles(), asked)
    inputs = [asked.input] if isinstance(asked.input, str) else asked.input
    pictures = [n for n, text in enumerate(inputs) if text.startswith(_PICTURE)]
    texts = [n for n, text in enumerate(inputs) if not text.startswith(_PICTURE)]
    vectors = np.empty((len(inputs), model.space.dim), np.float32)
    if texts:
        vectors[texts] = _of_texts(model, [inputs[n] for n in texts], asked)
    if pictures:
        most = runtime.services.editor.limits.max_bytes
        vectors[pictures] = _of_pictures(model, [inputs[n] for n in pictures], most)
    tokens = _tokens(model, [inputs[n] for n in texts], asked)
    return _written(asked, model, vectors, tokens)


def _written(asked: EmbeddingsIn, model: Model, vectors: Floats, tokens: int) -> bytes:
    shown = _as_base64 if asked.encoding_format == "base64" else _as_numbers
    data = [
        {"object": "embedding", "index": n, "embedding": shown(row)}
        for n, row in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    told = {"model": model.card.name, "space": model.space.name, "usage": usage}
    return written({"object": "list", "data": data, **told})


def _model(bundles: Mapping[str, Model], asked: EmbeddingsIn) -> Model:
    name = asked.model or next(iter(bundles), "")
    model = bundles.get(name)
    if model is None:
        known = ", ".join(bundles) or "none"
        raise NotFound(f"no bundle {name[:100]!r} is in use; there are: {known}")
    if asked.dimensions not in (None, model.space.dim):
        raise InvalidRequest(
            f"dimensions is {asked.dimensions}, bundle {name} has {model.space.dim}",
            hint="leave it out: a part of a vector is not a vector of the space",
        )
    return model


def _of_texts(model: Model, texts: Sequence[str], asked: EmbeddingsIn) -> Floats:
    longest = max(map(len, texts))
    if longest > MAX_TEXT:
        raise TooLarge(f"an input has {longest:,} characters, allowed are {MAX_TEXT:,}")
    words = model.words
    encode = words.encode_queries if asked.input_type == "query" else words.encode_items
    return encode(texts).array


def _of_pictures(model: Model, inputs: Sequence[str], most: int) -> Floats:
    pictures = [decoded(text, number) for number, text in enumerate(inputs, 1)]
    largest = max(map(len, pictures))
    if largest > most:
        raise TooLarge(f"a picture has {largest:,} bytes, allowed are {most:,}")
    return model.pictures.encode_pictures(pictures).array


def _tokens(model: Model, texts: Sequence[str], asked: EmbeddingsIn) -> int:
    if not texts:
        return 0
    return sum(map(len, model.token_ids(texts, queries=asked.input_type == "query")))


def _as_numbers(row: Floats) -> list[float]:
    numbers: list[float] = row.tolist()
    return numbers


def _as_base64(row: Floats) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")

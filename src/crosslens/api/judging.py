"""Paths of golden queries: their judgements, and the products worth a judgement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.quality import folders, judged_products
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import ProductOut, Wire, product_object
from crosslens.catalog.product import MAX_SOURCE_KEY, Product
from crosslens.corpora.golden import MOST_GRADE, Golden, GoldenSet
from crosslens.errors import CrosslensError, NotFound
from crosslens.search.engine import Searcher
from crosslens.search.request import MAX_WORDS, SearchRequest
from crosslens.values import Kind

router = APIRouter(tags=["quality"])

SetName = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", examples=["shop"])]
Words = Annotated[str, Query(min_length=1, max_length=MAX_WORDS, examples=["red shoe"])]
Reads = allow(Role.READ, lambda lanes: lanes.read)
Writes = allow(Role.WRITE, lambda lanes: lanes.write)
Searches = allow(Role.READ, lambda lanes: lanes.search)
Key = Annotated[str, Field(min_length=1, max_length=MAX_SOURCE_KEY)]
Grade = Annotated[int, Field(ge=0, le=MOST_GRADE)]

# Several ways of searching, so that none judges itself alone: pooling, as TREC does.
POOL: Mapping[str, Mapping[str, Any]] = {
    "hybrid": {"kind": Kind.HYBRID},
    "keyword": {"kind": Kind.HYBRID, "alpha": 0.0},
    "text2text": {"kind": Kind.TEXT2TEXT},
    "text2image": {"kind": Kind.TEXT2IMAGE},
}


class QuestionOut(Wire):
    """A golden query: source key → grade; 1 and above is relevant, 0 was judged not to be."""

    id: str
    words: str
    grades: dict[str, int]


class JudgementsIn(Wire):
    """Grades of products for one question; null takes a judgement back."""

    words: str = Field(min_length=1, max_length=MAX_WORDS, examples=["red shoe"])
    grades: dict[Key, Grade | None] = Field(max_length=1_000, examples=[{"sku-1": 2, "sku-7": 0}])


class JudgedOut(Wire):
    """What is judged of a question now."""

    words: str
    grades: dict[str, int]


class CandidateOut(Wire):
    """A product worth a judgement; `found_by` says by which ways of searching, and where."""

    key: str
    grade: int | None
    found_by: dict[str, int]
    product: ProductOut


class CandidatesOut(Wire):
    """Candidates of a question, the best of each way of searching first."""

    words: str
    candidates: list[CandidateOut]
    missing: list[str] = Field(description="judged keys of products that there are not")


@router.get(
    "/judged/{set}",
    dependencies=[Reads],
    response_model=list[QuestionOut],
    responses=openapi.problems(404, 422),
)
async def list_questions(request: Request, set: SetName) -> Response:
    """List the golden queries of a set with their judgements."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.read.run(_questions, runtime, set))


@router.post(
    "/judged/{set}",
    dependencies=[Writes],
    response_model=JudgedOut,
    responses=openapi.problems(404, 413, 415, 422),
    openapi_extra=openapi.json_body(JudgementsIn, {"words": "red shoe", "grades": {"sku-1": 2}}),
)
async def judge(request: Request, set: SetName) -> Response:
    """Judge products for a question; set and question are made if they are new."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    body = await bodies.parsed(sent.content or b"", JudgementsIn, runtime.lanes.write)
    return json_response(await runtime.lanes.write.run(_judged, runtime, set, body))


@router.get(
    "/judged/{set}/candidates",
    dependencies=[Searches],
    response_model=CandidatesOut,
    responses=openapi.problems(404, 422),
)
async def list_candidates(
    request: Request,
    set: SetName,
    words: Words,
    limit: Annotated[int, Query(ge=1, le=200)] = 40,
) -> Response:
    """Find products worth a judgement by several ways of searching, and those judged already."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.search.run(_candidates, runtime, set, words, limit))


def pooled(
    engine: Searcher, words: str, *, limit: int
) -> dict[int, tuple[Product, dict[str, int]]]:
    """
    Ask several ways, and take the best of each in turn.

    Returns:
        Product id → product, and by which ways it was found at which rank, from 1.

    Raises:
        CrosslensError: no way could answer; the first failure.
    """
    requests = [SearchRequest(words, limit=limit, **ways) for ways in POOL.values()]
    outcomes = engine.search_many(requests)
    answers = {
        name: outcome.hits
        for name, outcome in zip(POOL, outcomes, strict=True)
        if not isinstance(outcome, CrosslensError)
    }
    failed = [outcome for outcome in outcomes if isinstance(outcome, CrosslensError)]
    if not answers:
        raise failed[0]
    pool: dict[int, tuple[Product, dict[str, int]]] = {}
    for place in range(limit):
        for name, hits in answers.items():
            if place < len(hits) and (len(pool) < limit or hits[place].product.id in pool):
                product = hits[place].product
                pool.setdefault(product.id, (product, {}))[1][name] = place + 1
    return pool


def _set(runtime: Runtime, name: str) -> GoldenSet:
    """Return a set of the home; those that come along are read, never written."""
    return GoldenSet(runtime.services.home / "judged" / name)


def _read(runtime: Runtime, name: str) -> dict[str, Golden]:
    found = folders(runtime)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise NotFound(f"there is no judged set {name!r}; there are: {known}")
    return GoldenSet(found[name]).read()


def _questions(runtime: Runtime, name: str) -> bytes:
    held = _read(runtime, name)
    return written(
        [{"id": n, "words": each.words, "grades": dict(each.right)} for n, each in held.items()]
    )


def _judged(runtime: Runtime, name: str, body: JudgementsIn) -> bytes:
    shipped = runtime.services.judged.get(name)
    own = _set(runtime, name)
    if shipped is not None and not own.folder.is_dir():
        raise NotFound(f"the set {name!r} comes along and stays as it is; judge in one of your own")
    now = own.judge(body.words, body.grades)
    return written({"words": now.words, "grades": dict(now.right)})


def _candidates(runtime: Runtime, name: str, words: str, limit: int) -> bytes:
    services = runtime.services
    held = _read(runtime, name) if name in folders(runtime) else {}
    words = " ".join(words.split())
    grades = next((dict(each.right) for each in held.values() if each.words == words), {})
    pool = pooled(services.engine, words, limit=limit)
    known = {key_of(product) for product, _ in pool.values()}
    judged = judged_products(services.catalog, [key for key in grades if key not in known])
    for product in judged.values():
        pool[product.id] = (product, {})
    unsettled = services.catalog.waiting(list(pool))
    rows = [
        {
            "key": key_of(product),
            "grade": grades.get(key_of(product)),
            "found_by": found_by,
            "product": product_object(product, unsettled),
        }
        for product, found_by in pool.values()
    ]
    missing = [key for key in grades if key not in known and key not in judged]
    return written({"words": words, "candidates": rows, "missing": missing})


def key_of(product: Product) -> str:
    """Return by what judgements know a product: its source key, or else its id."""
    return product.fields.source_key or str(product.id)

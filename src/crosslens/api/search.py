"""Paths of searches: one question, several, and products like one."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.routing import Route

from crosslens.api import asking, bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.asking import is_light
from crosslens.api.entrance import admitted, allow, runtime_of
from crosslens.api.generate import made_object, studio_of
from crosslens.api.keys import Role
from crosslens.api.lanes import Lane
from crosslens.api.problems import problem, request_id_of, status_of
from crosslens.api.products import ProductId
from crosslens.api.runtime import Lanes, Runtime
from crosslens.api.schemas import AnswerOut, KindName, SearchIn, SearchManyIn
from crosslens.errors import CrosslensError, InvalidRequest, TooLarge
from crosslens.generate.studio import Made
from crosslens.search.request import MAX_LIMIT, MAX_OFFSET, MAX_PICTURES
from crosslens.values import Kind

router = APIRouter(tags=["search"])


def _lane(lanes: Lanes) -> Lane:
    return lanes.search


Searches = allow(Role.READ, _lane)


@router.post(
    "/search",
    dependencies=[Searches],
    responses=openapi.problems(404, 413, 415, 422) | openapi.ANSWERS,
    openapi_extra=openapi.search_body(),
)
async def search(request: Request) -> Response:
    """Find products by words, by picture, by a product, or by several of these."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    if sent.form is not None:
        asked = bodies.from_form(sent.form, SearchIn, files="picture")
        pictures = await bodies.files_of(sent.form, "picture", most=MAX_PICTURES)
        return json_response(await _answer(runtime, asked, pictures))
    content = sent.content or b""
    lane = runtime.lanes.search
    if await bodies.asks_many(content, lane):
        many = await bodies.parsed(content, SearchManyIn, lane)
        return json_response(await _answers(request, runtime, many))
    asked = await bodies.parsed(content, SearchIn, lane)
    return json_response(await _answer(runtime, asked, await _pictures(runtime, asked)))


async def _direct(request: Request) -> Response:
    request.scope["route"] = route
    with admitted(request, Role.READ, _lane):
        try:
            return await search(request)
        finally:
            await request.close()


# What is asked most goes past FastAPI's routing and dependencies, which take as long as all the
# rest of the door; the path above is there for the document.
route = Route("/search", _direct, methods=["POST"])


@router.get(
    "/product/{product_id}/similar",
    dependencies=[Searches],
    response_model=AnswerOut,
    responses=openapi.problems(404, 422),
)
async def similar(
    request: Request,
    product_id: ProductId,
    kind: KindName = "auto",
    filter: Annotated[str | None, Query(min_length=1, max_length=2_000)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 10,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> Response:
    """Find products like one, by its pictures, or by its title if it has none."""
    fields = {"product_id": product_id, "kind": kind, "filter": filter}
    asked = SearchIn.model_validate(fields | {"limit": limit, "offset": offset})
    return json_response(await _answer(runtime_of(request), asked, ()))


async def _answer(runtime: Runtime, asked: SearchIn, pictures: tuple[bytes, ...]) -> bytes:
    imagined = None
    if asked.imagine:
        made = await _imagined(runtime, asked, pictures)
        pictures, imagined = (made.content,), made_object(made)
    if is_light(asked) and not pictures:
        return await runtime.searches.ask(asked)
    if asked.scene is not None:
        stage = runtime.services.scenes
        return await runtime.lanes.search.run(asking.staged, stage, asked, pictures, imagined)
    engine = runtime.services.engine
    return await runtime.lanes.search.run(asking.answer, engine, asked, pictures, imagined)


async def _imagined(runtime: Runtime, asked: SearchIn, pictures: tuple[bytes, ...]) -> Made:
    """
    Draw what a question means, in a lane of its own.

    Raises:
        InvalidRequest: it shows a picture or a product already, has no words, or is of a kind
            that compares one thing alone.
        CrosslensError: see Studio.imagine.
    """
    if pictures or asked.product_id is not None:
        raise InvalidRequest("imagine draws the picture, so none and no product_id may be given")
    if not asked.words.strip():
        raise InvalidRequest("words is empty, and imagine draws from words")
    if asked.kind not in (Kind.AUTO, Kind.HYBRID):
        raise InvalidRequest(f"imagine belongs to hybrid search, not to {asked.kind}")
    studio, lane = studio_of(runtime), runtime.lanes.draw
    with lane.admission():
        return await lane.run(studio.imagine, asked.words)


async def _pictures(runtime: Runtime, asked: SearchIn) -> tuple[bytes, ...]:
    return await runtime.intake.contents(asked.pictures)


async def _answers(request: Request, runtime: Runtime, many: SearchManyIn) -> bytes:
    most = runtime.bounds.max_queries
    if len(many.queries) > most:
        raise TooLarge(f"{len(many.queries)} queries in one request, allowed are {most}")
    request_id = request_id_of(request)

    async def one(asked: SearchIn) -> bytes:
        try:
            answer = await _answer(runtime, asked, await _pictures(runtime, asked))
        except CrosslensError as exc:
            return written({"status": status_of(exc), "problem": problem(exc, request_id)})
        return b'{"status":200,"answer":' + answer + b"}"

    answers = await asyncio.gather(*map(one, many.queries))
    return b'{"answers":[' + b",".join(answers) + b"]}"

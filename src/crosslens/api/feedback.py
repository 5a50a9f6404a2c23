"""Paths of scenes and of feedback to their answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import Id, Wire
from crosslens.catalog.exposures import Action, Feedback
from crosslens.errors import NotFound

router = APIRouter(tags=["scenes"])

Reads = allow(Role.READ, lambda lanes: lanes.read)


class ToldIn(Wire):
    """What someone did with a product of an answer."""

    product_id: Id
    action: Annotated[Action, Field(strict=False)]


class FeedbackIn(Wire):
    """What someone did with an answer; `answer` is as the search told it."""

    answer: str = Field(pattern="^[0-9a-f]{32}$", examples=["0" * 32])
    told: list[ToldIn] = Field(min_length=1, max_length=100)


class FeedbackOut(Wire):
    """How much of it was new; saying a thing twice counts once."""

    new: int


class LayerOut(Wire):
    """A layer: experiment → share of the users."""

    name: str
    bucket: str
    experiments: dict[str, float]


class SceneOut(Wire):
    """A scene and its layers."""

    name: str
    layers: list[LayerOut]


class ScenesOut(Wire):
    """All scenes; `error` says why the file is not in use as it stands."""

    scenes: list[SceneOut]
    error: str | None


@router.get("/scenes", dependencies=[Reads], response_model=ScenesOut)
async def list_scenes(request: Request) -> Response:
    """List scenes with their layers and experiments."""
    stage = runtime_of(request).services.scenes
    if stage is None:
        return json_response(written({"scenes": [], "error": None}))
    scenes = [
        {
            "name": scene.name,
            "layers": [
                {"name": layer.name, "bucket": layer.bucket, "experiments": layer.shares()}
                for layer in scene.layers
            ],
        }
        for scene in stage.scenes().scenes.values()
    ]
    return json_response(written({"scenes": scenes, "error": getattr(stage.scenes, "error", None)}))


@router.post(
    "/feedback",
    dependencies=[Reads],
    response_model=FeedbackOut,
    responses=openapi.problems(404, 413, 415, 422),
    openapi_extra=openapi.json_body(
        FeedbackIn, {"answer": "0" * 32, "told": [{"product_id": 1, "action": "click"}]}
    ),
)
async def tell(request: Request) -> Response:
    """Say what someone did with products of an answer: click, cart, buy, dismissed."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    body = await bodies.parsed(sent.content or b"", FeedbackIn, runtime.lanes.read)
    return json_response(await runtime.lanes.read.run(_told, runtime, body))


def _told(runtime: Runtime, body: FeedbackIn) -> bytes:
    log = runtime.services.exposures
    if log is None:
        raise NotFound("this service has no scenes")
    log.flush()
    exposure, now = log.store.exposure(body.answer), datetime.now(UTC)
    feedback = [
        Feedback(body.answer, each.product_id, each.action, exposure.rank(each.product_id), now)
        for each in body.told
    ]
    return written({"new": log.store.tell(feedback)})

"""Paths of experiments: what each did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from crosslens.api import openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import Wire
from crosslens.catalog.exposures import Action
from crosslens.errors import NotFound
from crosslens.evaluate.experiments import report
from crosslens.search.experiments import Layer

router = APIRouter(tags=["scenes"])

Reads = allow(Role.READ, lambda lanes: lanes.read)
Name = Annotated[str, Query(min_length=1, max_length=100)]
Moment = Annotated[datetime | None, Query(description="UTC where it names no zone")]


class ExperimentsOut(Wire):
    """
    The experiments of a layer beside its first one.

    Attributes `users` and `answers` count per experiment; `split_p` is how likely such a split of
    users is, and below 0.001 nothing else is to be believed (`trusted`). `effects` holds per
    experiment means, difference, the 95 % interval and p for an end that was set beforehand, and
    the same that hold whenever one looks (`…_at_any_time`). `duels` are of interleaved rankings.
    """

    scene: str
    layer: str
    action: Action
    users: dict[str, int]
    answers: dict[str, int]
    shares: dict[str, float]
    split_p: float
    trusted: bool
    effects: dict[str, dict[str, Any]]
    duels: dict[str, dict[str, Any]]


@router.get(
    "/experiments",
    dependencies=[Reads],
    response_model=ExperimentsOut,
    responses=openapi.problems(404, 422),
)
async def show_experiments(
    request: Request,
    scene: Name,
    layer: Name,
    action: Action = Action.CLICK,
    since: Moment = None,
    until: Moment = None,
) -> Response:
    """Compare the experiments of a layer by how often answers led to an action."""
    runtime = runtime_of(request)
    between = (_utc(since), _utc(until))
    return json_response(
        await runtime.lanes.read.run(_compared, runtime, scene, layer, action, between)
    )


def _compared(
    runtime: Runtime,
    scene: str,
    layer: str,
    action: Action,
    between: tuple[datetime | None, datetime | None],
) -> bytes:
    stage, log = runtime.services.scenes, runtime.services.exposures
    if stage is None or log is None:
        raise NotFound("this service has no scenes")
    chosen = _layer(stage.scenes().get(scene).layers, scene, layer)
    log.flush()
    told = log.store.read(scene, since=between[0], until=between[1])
    found = report(told, scene=scene, layer=chosen, action=action)
    return written(found.as_json() | {"shares": chosen.shares()})


def _layer(layers: tuple[Layer, ...], scene: str, name: str) -> Layer:
    for layer in layers:
        if layer.name == name:
            return layer
    there = ", ".join(layer.name for layer in layers) or "none"
    raise NotFound(f"scene {scene} has no layer {name!r}, there are: {there}")


def _utc(moment: datetime | None) -> datetime | None:
    """Read a moment without a zone as UTC."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

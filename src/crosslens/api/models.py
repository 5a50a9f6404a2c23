"""Paths of bundles: which there are, which answer, and switching to another."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import Wire
from crosslens.api.upkeep import TaskOut, in_phase, submitted
from crosslens.encode.cards import Card
from crosslens.encode.shelf import Shelf
from crosslens.errors import CrosslensError, Unavailable

router = APIRouter(tags=["models"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", examples=["my-model"])]


class UseIn(Wire):
    """What to use a bundle for."""

    purpose: Literal["cross-modal", "text", "looks"] = "cross-modal"


class ModelOut(Wire):
    """A bundle: what it says of itself, and what it is used for now."""

    name: str
    about: str
    space: str
    dim: int
    towers: list[Literal["text", "picture", "reranker"]]
    licence: str
    used_for: list[str]
    error: str | None = None


@router.get(
    "/model",
    dependencies=[allow(Role.READ, lambda lanes: lanes.read)],
    response_model=list[ModelOut],
)
async def list_models(request: Request) -> Response:
    """List bundles, those that are broken with the reason."""
    runtime = runtime_of(request)
    return json_response(written(await runtime.lanes.read.run(_models, runtime)))


@router.post(
    "/model/{name}/use",
    status_code=202,
    dependencies=[allow(Role.ADMIN, lambda lanes: lanes.write)],
    response_model=TaskOut,
    responses=openapi.problems(404, 409, 413, 415, 422),
    openapi_extra=openapi.json_body(UseIn, {"purpose": "cross-modal"}),
)
async def use_model(request: Request, name: Name) -> Response:
    """Check a bundle, index everything for it beside what answers, then switch without a pause."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    body = await bodies.parsed(sent.content or b"", UseIn, runtime.lanes.write)
    _shelf(runtime).card(name)
    use = runtime.services.use
    purpose = body.purpose.replace("-", "_")
    return await submitted(
        request, "use", lambda step: use(purpose, name, in_phase(step, "indexing")), about=name
    )


def _shelf(runtime: Runtime) -> Shelf:
    shelf = runtime.services.shelf
    if shelf is None:
        raise Unavailable("this service has no shelf of bundles")
    return shelf


def _models(runtime: Runtime) -> list[dict[str, Any]]:
    shelf, used = _shelf(runtime), runtime.services.models
    return [_model(shelf, name, used.get(name, [])) for name in shelf.names()]


def _model(shelf: Shelf, name: str, used_for: list[str]) -> dict[str, Any]:
    try:
        card = shelf.card(name)
    except CrosslensError as exc:
        nothing = {"about": "", "space": "", "dim": 0, "towers": [], "licence": ""}
        return {"name": name, **nothing, "used_for": used_for, "error": exc.message}
    return _told(card) | {"used_for": used_for, "error": None}


def _told(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "about": card.about,
        "space": card.space,
        "dim": card.dim,
        "towers": list(card.towers),
        "licence": card.licence,
    }

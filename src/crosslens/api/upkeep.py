"""Paths of upkeep: how the index is, audits, rebuilds, tasks, the last hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import Id, Wire
from crosslens.api.tasks import Kind, Progress, State, Task, Tasks, Work
from crosslens.indexing.audit import audit, repair

router = APIRouter(tags=["upkeep"])

TaskId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
Looks = allow(Role.READ, lambda lanes: lanes.read)
Cares = allow(Role.ADMIN, lambda lanes: lanes.write)
EXAMPLES = 100  # products that an audit names


class AuditIn(Wire):
    """Compare catalogue and index; with `repair` announce what differs."""

    repair: bool = False


class AgainIn(Wire):
    """Products to look at again, such as parked ones."""

    product_ids: list[Id] = Field(min_length=1, max_length=1_000, examples=[[1, 2]])


class TaskOut(Wire):
    """Long work of the service: how far it is, and in the end what came out or went wrong."""

    task: str
    kind: Kind
    about: str
    state: State
    phase: str
    done: int
    total: int
    created: str
    ended: str | None
    result: dict[str, Any]
    error: str | None
    hint: str | None
    code: str | None = Field(None, description="of the error, as in a problem document")


class ParkedOut(Wire):
    """A product that could not be indexed, and why."""

    product_id: int
    title: str
    tries: int
    error: str


class IndexOut(Wire):
    """How the index is beside the catalogue."""

    products: int
    pictures: int
    catalog_products: int
    catalog_pictures: int
    removed: int
    fits_settings: bool
    text_spaces: list[str]
    picture_spaces: list[str]
    attributes: dict[str, str]
    waiting: int
    leased: int
    parked: int
    oldest_s: float
    parked_products: list[ParkedOut]


class PathTrafficOut(Wire):
    """Answers of one path within one step of time."""

    path: str
    answers: int
    failed: int
    p50_ms: float
    p95_ms: float


class StepOut(Wire):
    """What happened within some seconds; `queue` is how many changes waited."""

    at: int
    seconds: int
    queue: int | None
    paths: list[PathTrafficOut]


@router.get("/index", dependencies=[Looks], response_model=IndexOut)
async def show_index(request: Request) -> Response:
    """Say what the index holds, what waits for it, and what is parked for which reason."""
    runtime = runtime_of(request)
    return json_response(written(await runtime.lanes.read.run(_index, runtime)))


@router.post(
    "/index/audit",
    status_code=202,
    dependencies=[Cares],
    response_model=TaskOut,
    responses=openapi.problems(413, 415, 422),
    openapi_extra=openapi.json_body(AuditIn, {"repair": True}),
)
async def start_audit(request: Request) -> Response:
    """Compare every revision of catalogue and index, and repair if asked to."""
    body = await _sent(request, AuditIn)
    runtime = runtime_of(request)
    return await submitted(request, "audit", lambda step: _audited(runtime, body.repair))


@router.post(
    "/index/rebuild",
    status_code=202,
    dependencies=[Cares],
    response_model=TaskOut,
    responses=openapi.problems(409),
)
async def start_rebuild(request: Request) -> Response:
    """Build the index anew beside the live one, and switch; searching goes on."""
    services = runtime_of(request).services
    return await submitted(
        request, "rebuild", lambda step: services.rebuild(in_phase(step, "indexing"))
    )


@router.post(
    "/index/again",
    dependencies=[allow(Role.WRITE, lambda lanes: lanes.write)],
    responses=openapi.problems(413, 415, 422),
    openapi_extra=openapi.json_body(AgainIn, {"product_ids": [1]}),
)
async def look_again(request: Request) -> Response:
    """Look at products again, parked ones included; says how many will be."""
    runtime = runtime_of(request)
    body = await _sent(request, AgainIn)
    count = await runtime.lanes.write.run(runtime.services.catalog.announce, body.product_ids)
    return json_response(written({"announced": count}))


@router.get("/task", dependencies=[Looks], response_model=list[TaskOut])
async def list_tasks(request: Request) -> Response:
    """List long work, newest first."""
    runtime = runtime_of(request)
    tasks = await runtime.lanes.read.run(runtime.tasks.all)
    return json_response(written(list(map(asdict, tasks))))


@router.get(
    "/task/{task}",
    dependencies=[Looks],
    response_model=TaskOut,
    responses=openapi.problems(404, 422),
)
async def show_task(request: Request, task: TaskId) -> Response:
    """Say how far long work is."""
    runtime = runtime_of(request)
    return await how_far(runtime, runtime.tasks, task)


@router.get("/traffic", dependencies=[Looks], response_model=list[StepOut])
async def show_traffic(request: Request) -> Response:
    """Tell the last hour in steps of ten seconds: answers, failures, latency, the queue."""
    return json_response(written(runtime_of(request).metrics.history.shown()))


async def submitted(request: Request, kind: Kind, work: Work, *, about: str = "") -> Response:
    """Queue work and say where to ask about it."""
    runtime = runtime_of(request)
    task: Task = await runtime.lanes.write.run(runtime.tasks.submit, kind, work, about=about)
    return json_response(written(asdict(task)), 202, {"location": f"/task/{task.task}"})


async def how_far(runtime: Runtime, tasks: Tasks, task_id: str) -> Response:
    """Say how far a task is; one of this process without waiting for a thread."""
    task = tasks.of_own(task_id)
    if task is None:
        task = await runtime.lanes.read.run(tasks.get, task_id)
    return json_response(written(asdict(task)))


def in_phase(step: Progress, phase: str) -> Any:
    """Give the steps of a phase its name."""
    return lambda done, total: step(phase, done, total)


async def _sent(request: Request, model: Any) -> Any:
    sent = await bodies.receive(request)
    content = (sent.content or b"").strip() or b"{}"
    return await bodies.parsed(content, model, runtime_of(request).lanes.write)


def _audited(runtime: Runtime, repairing: bool) -> Mapping[str, Any]:
    catalog, index = runtime.services.catalog, runtime.services.index_store.live()
    found = audit(catalog, index)
    differing = [*found.missing, *found.stale, *found.orphaned]
    return {
        "products": found.products,
        "missing": len(found.missing),
        "stale": len(found.stale),
        "orphaned": len(found.orphaned),
        "examples": differing[:EXAMPLES],
        "clean": found.clean,
        "announced": repair(catalog, found) if repairing else 0,
    }


def _index(runtime: Runtime) -> dict[str, Any]:
    services = runtime.services
    index, catalog = services.index_store.live(), services.catalog
    counts, summary, backlog, parked = (
        index.counts(),
        catalog.summary(),
        catalog.backlog(),
        catalog.parked(),
    )
    named = catalog.read([each.product_id for each in parked])
    return {
        "products": counts.products,
        "pictures": counts.pictures,
        "catalog_products": summary.products,
        "catalog_pictures": summary.pictures,
        "removed": summary.retired,
        "fits_settings": index.spec == services.index_store.wanted(),
        "text_spaces": list(map(str, index.spec.text)),
        "picture_spaces": list(map(str, index.spec.picture)),
        "attributes": {name: kind.value for name, kind in services.attributes.items()},
        **asdict(backlog),
        "parked_products": [
            asdict(each)
            | {"title": named[each.product_id].fields.title if each.product_id in named else ""}
            for each in parked
        ],
    }

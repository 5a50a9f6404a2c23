"""Paths of quality: judged sets, runs over the live catalogue, their worst queries, comparisons."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import KindName, Wire
from crosslens.api.tasks import Progress
from crosslens.api.upkeep import TaskOut, in_phase, submitted
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.corpora.golden import QUERIES
from crosslens.corpora.judged import JUDGES, JudgedSet, judges, open_judged
from crosslens.errors import InvalidRequest, NotFound
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.calibrating import Hearing
from crosslens.evaluate.calibrating import measured as calibration
from crosslens.evaluate.judge import ask, report
from crosslens.evaluate.kept import Asked, Kept, asked, beside
from crosslens.search.engine import Searcher
from crosslens.search.request import Fusion, SearchRequest
from crosslens.values import Kind

router = APIRouter(tags=["quality"])

THREADS = 2
ANY = "any"  # a request is never without words; each query brings its own
_KEYS_AT_ONCE = 500

RunId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
Reads = allow(Role.READ, lambda lanes: lanes.read)
Writes = allow(Role.WRITE, lambda lanes: lanes.write)


class EvaluationIn(Wire):
    """What to ask of the live catalogue, and how."""

    set: str = Field(min_length=1, max_length=100, examples=["sample"])
    name: str = Field("", max_length=100, description="for you to remember; else made up")
    kind: KindName = "auto"
    alpha: float | None = Field(None, ge=0, le=1)
    fusion: Literal["rrf", "score"] = "rrf"
    language: Literal["en", "zh"] | None = None
    queries: int | None = Field(None, ge=1, le=100_000, description="only the first so many")
    depth: int = Field(100, ge=1, le=999, description="results per query")
    scene: str | None = Field(
        None, min_length=1, max_length=100, description="ask within this scene"
    )


class JudgedOut(Wire):
    """A judged set, and the kinds of search that it can judge; `own`: it may be judged in."""

    name: str
    kinds: list[str]
    own: bool


class RunOut(Wire):
    """
    A run and its measures.

    `report` has means, 95 % intervals, parts by language, and as `calibration` how true scores are
    as probabilities (expected calibration errors; null where too little is judged).
    """

    id: str
    name: str
    created: str
    options: dict[str, Any]
    report: dict[str, Any]


class AskedOut(Wire):
    """One query: what was found, what would have been right, what each measure says."""

    id: str
    words: str | None
    language: str | None
    starts_from: str | None
    found: list[str]
    right: list[str]
    values: dict[str, float]
    products: dict[str, int] = Field(description="source key → id of products that there are")


class ComparedOut(Wire):
    """Two runs over the queries that both asked; `difference` is first less second."""

    first: str
    second: str
    queries: int
    measures: dict[str, dict[str, float]]


@router.get("/judged", dependencies=[Reads], response_model=list[JudgedOut])
async def list_judged(request: Request) -> Response:
    """List the judged sets of this service: the sample, and folders in `judged` of its home."""
    runtime = runtime_of(request)
    return json_response(written(await runtime.lanes.read.run(_judged, runtime)))


@router.post(
    "/evaluation",
    status_code=202,
    dependencies=[Writes],
    response_model=TaskOut,
    responses=openapi.problems(404, 413, 415, 422),
    openapi_extra=openapi.json_body(EvaluationIn, {"set": "sample", "kind": "hybrid"}),
)
async def start_evaluation(request: Request) -> Response:
    """Ask the queries of a judged set of the live catalogue, and measure the answers."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    body = await bodies.parsed(sent.content or b"", EvaluationIn, runtime.lanes.write)
    judged = await runtime.lanes.write.run(_opened, runtime, body)
    return await submitted(
        request, "evaluation", lambda step: _evaluated(runtime, body, judged, step), about=body.set
    )


@router.get("/evaluation", dependencies=[Reads], response_model=list[RunOut])
async def list_runs(request: Request) -> Response:
    """List runs, newest first."""
    runtime = runtime_of(request)
    runs = await runtime.lanes.read.run(runtime.runs.all)
    return json_response(written([_shown(run) for run in runs]))


@router.get(
    "/evaluation/{run}",
    dependencies=[Reads],
    response_model=RunOut,
    responses=openapi.problems(404, 422),
)
async def show_run(request: Request, run: RunId) -> Response:
    """Show a run."""
    runtime = runtime_of(request)
    return json_response(written(_shown(await runtime.lanes.read.run(runtime.runs.get, run))))


@router.delete(
    "/evaluation/{run}",
    status_code=204,
    dependencies=[Writes],
    responses=openapi.problems(404, 422),
)
async def remove_run(request: Request, run: RunId) -> Response:
    """Forget a run."""
    runtime = runtime_of(request)
    await runtime.lanes.write.run(runtime.runs.remove, run)
    return Response(None, 204)


@router.get(
    "/evaluation/{run}/worst",
    dependencies=[Reads],
    response_model=list[AskedOut],
    responses=openapi.problems(404, 422),
)
async def show_worst(
    request: Request,
    run: RunId,
    measure: Annotated[str, Query(max_length=40, examples=["ndcg@10"])] = "ndcg@10",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Response:
    """Show the queries that a measure is least pleased with, and what they found."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.read.run(_worst, runtime, run, measure, limit))


@router.get(
    "/evaluation/{run}/beside/{other}",
    dependencies=[Reads],
    response_model=ComparedOut,
    responses=openapi.problems(404, 422),
)
async def compare_runs(request: Request, run: RunId, other: RunId) -> Response:
    """Compare two runs query by query: differences with 95 % intervals and p-values."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.read.run(_compared, runtime, run, other))


def _judged(runtime: Runtime) -> list[dict[str, Any]]:
    found = []
    for name, folder in sorted(folders(runtime).items()):
        kinds = [kind.value for kind in JUDGES if judges(folder, kind)]
        if kinds:
            own = folder != runtime.services.judged.get(name)
            found.append({"name": name, "kinds": kinds, "own": own and (folder / QUERIES).exists()})
    return found


def folders(runtime: Runtime) -> dict[str, FilePath]:
    """Return the folders of judged sets by name; those of the home come first."""
    own = runtime.services.home / "judged"
    folders = {p.name: p for p in own.iterdir() if p.is_dir()} if own.is_dir() else {}
    return {**runtime.services.judged, **folders}


def _opened(runtime: Runtime, body: EvaluationIn) -> JudgedSet:
    there = folders(runtime)
    if body.set not in there:
        known = ", ".join(sorted(there)) or "none"
        raise NotFound(f"there is no judged set {body.set!r}; there are: {known}")
    judged = open_judged(
        there[body.set],
        Kind(body.kind),
        language=body.language,
        limit=body.queries,
        gallery=False,
    )
    _require_known(runtime, judged)
    _searcher(runtime, body.scene)
    return judged


def _require_known(runtime: Runtime, judged: JudgedSet) -> None:
    """Refuse to measure a catalogue that holds none of the right answers."""
    keys = list(dict.fromkeys(key for grades in judged.qrels.values() for key in grades))
    parts = (keys[at : at + _KEYS_AT_ONCE] for at in range(0, len(keys), _KEYS_AT_ONCE))
    if not any(judged_products(runtime.services.catalog, part) for part in parts):
        raise InvalidRequest(
            f"the catalogue holds none of the products that {judged.name} judges",
            hint="import them first; they are known by their source keys",
        )


def _evaluated(
    runtime: Runtime, body: EvaluationIn, judged: JudgedSet, step: Progress
) -> Mapping[str, Any]:
    services = runtime.services
    base = SearchRequest(
        ANY, kind=Kind(body.kind), alpha=body.alpha, fusion=Fusion(body.fusion), limit=body.depth
    )
    hearing = Hearing()
    engine = _searcher(runtime, body.scene)
    asker = Asker(engine, services.catalog, services.media, base, [hearing])
    run = ask(
        judged.queries, asker, judged.qrels, threads=THREADS, progress=in_phase(step, "asking")
    )
    truth = calibration(hearing, judged.qrels)
    measured = replace(
        report(judged.queries, run, judged.qrels),
        products=services.catalog.summary().products,
        details={"calibration": None if truth is None else truth.as_json()},
    )
    kept = Kept(
        id=secrets.token_hex(8),
        name=body.name or _name(body),
        created=datetime.now(UTC).isoformat(),
        options=body.model_dump() | {"bundles": dict(services.models)},
        report=measured.as_json(),
        queries=asked(judged.queries, run, judged.qrels, measured),
    )
    runtime.runs.put(kept)
    return {"run": kept.id}


def _searcher(runtime: Runtime, scene: str | None) -> Searcher:
    stage = runtime.services.scenes
    if scene is None:
        return runtime.services.engine
    if stage is None:
        raise NotFound("this service has no scenes")
    stage.scenes().get(scene)
    return stage.within(scene)


def _name(body: EvaluationIn) -> str:
    parts = [body.set, body.kind, body.language or "", body.scene or ""]
    return " · ".join(part for part in parts if part) + (
        "" if body.alpha is None else f" · α {body.alpha:g}"
    )


def _shown(run: Kept) -> dict[str, Any]:
    return {name: getattr(run, name) for name in ("id", "name", "created", "options", "report")}


def _worst(runtime: Runtime, run_id: str, measure: str, limit: int) -> bytes:
    worst = runtime.runs.get(run_id).worst(measure, limit)
    ids = _ids(runtime, worst)
    return written([_asked(each, ids) for each in worst])


def _asked(each: Asked, ids: Mapping[str, int]) -> dict[str, Any]:
    return asdict(each) | {"products": {key: ids[key] for key in _keys(each) if key in ids}}


def _keys(each: Asked) -> Iterator[str]:
    yield from each.found
    yield from each.right
    if each.starts_from is not None:
        yield each.starts_from


def _ids(runtime: Runtime, queries: Sequence[Asked]) -> dict[str, int]:
    keys = list(dict.fromkeys(key for each in queries for key in _keys(each)))
    found: dict[str, int] = {}
    for at in range(0, len(keys), _KEYS_AT_ONCE):
        part = judged_products(runtime.services.catalog, keys[at : at + _KEYS_AT_ONCE])
        found |= {key: product.id for key, product in part.items()}
    return found


def judged_products(catalog: CatalogStore, keys: Sequence[str]) -> dict[str, Product]:
    """Read products by what judgements call them: source key, or else id; without removed ones."""
    found = dict(catalog.by_source_keys(keys))
    ids = [int(key) for key in keys if key not in found and _is_id(key)]
    found |= {
        str(product.id): product
        for product in catalog.read(ids).values()
        if product.fields.source_key is None
    }
    return {key: product for key, product in found.items() if not product.retired}


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) < 19


def _compared(runtime: Runtime, first: str, second: str) -> bytes:
    return written(beside(runtime.runs.get(first), runtime.runs.get(second)))

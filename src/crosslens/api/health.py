"""Is it alive, is it ready, and what do its numbers say?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from crosslens import __version__
from crosslens.api import openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.metrics import CONTENT_TYPE
from crosslens.api.runtime import Runtime
from crosslens.errors import CrosslensError, Forbidden, Unauthenticated
from crosslens.indexing.mending import filling

router = APIRouter(tags=["health"])

_KEPT_S = 1.0  # strangers may ask too, as often as they like


@router.get("/", include_in_schema=False)
async def root() -> Response:
    """Show people who open the bare address what there is."""
    return RedirectResponse("/docs")


@router.get("/health", responses=openapi.HEALTH)
async def health() -> Response:
    """Say that the process is alive; asks nothing and nobody."""
    return json_response(written({"status": "alive", "version": __version__}))


@router.get("/ready", responses=openapi.READY)
async def ready(request: Request) -> Response:
    """Say whether every part answers; details are for those who show a key."""
    runtime = runtime_of(request)
    known = _is_known(request, runtime)
    checks = await _looked(runtime, kept_s=0.0 if known else _KEPT_S)
    ok = all(check["ok"] for check in checks.values())
    if not known:
        checks = {name: {"ok": check["ok"]} for name, check in checks.items()}
    status = {"status": "ready" if ok else "not ready", "checks": checks}
    return json_response(written(status), 200 if ok else 503)


@router.get(
    "/metrics",
    dependencies=[allow(Role.READ, lambda lanes: lanes.health)],
    response_class=Response,
    responses=openapi.METRICS,
)
async def metrics(request: Request) -> Response:
    """Numbers for Prometheus, which can show a key as a bearer token."""
    runtime = runtime_of(request)
    return Response(await runtime.lanes.health.run(runtime.metrics.page), media_type=CONTENT_TYPE)


def _is_known(request: Request, runtime: Runtime) -> bool:
    try:
        runtime.guard.identify(request.headers)
    except (Forbidden, Unauthenticated):
        return False
    return True


async def _looked(runtime: Runtime, *, kept_s: float) -> dict[str, dict[str, Any]]:
    kept = runtime.readiness
    if kept is None or monotonic() - kept[0] >= kept_s:
        checks = await runtime.lanes.health.run(_checks, runtime)
        kept = runtime.readiness = (monotonic(), checks)
    return kept[1]


def _checks(runtime: Runtime) -> dict[str, dict[str, Any]]:
    checks: dict[str, Callable[[Runtime], dict[str, Any]]] = {
        "catalog": _catalog,
        "models": _models,
        "index": _index,
        "changes": _changes,
        "worker": _worker,
    }
    further = runtime.services.probes.items()
    checks |= {name: partial(_probed, probe) for name, probe in further}
    return {name: _asked(check, runtime) for name, check in checks.items()}


def _probed(probe: Callable[[], Mapping[str, Any]], _runtime: Runtime) -> dict[str, Any]:
    return dict(probe())


def _asked(check: Callable[[Runtime], dict[str, Any]], runtime: Runtime) -> dict[str, Any]:
    try:
        return {"ok": True} | check(runtime)
    except CrosslensError as exc:
        return {"ok": False, "error": exc.message, "hint": exc.hint}


def _catalog(runtime: Runtime) -> dict[str, Any]:
    summary = runtime.services.catalog.summary()
    return {"products": summary.products, "pictures": summary.pictures}


def _models(runtime: Runtime) -> dict[str, Any]:
    return {"loaded": runtime.services.models}


def _index(runtime: Runtime) -> dict[str, Any]:
    store = runtime.services.index_store
    index = store.live()
    counts = index.counts()
    shown = {"products": counts.products, "pictures": counts.pictures}
    if index.spec != store.wanted():
        hint = "`crosslens index rebuild` while the service is stopped"
        return shown | {"ok": False, "error": "built for other settings", "hint": hint}
    if left := filling(runtime.services.catalog, store):
        of = {"share": round(left.share, 4), "indexed": left.indexed, "of": left.of}
        return shown | {"filling": of | {"reason": left.reason}}
    return shown


def _changes(runtime: Runtime) -> dict[str, Any]:
    backlog = runtime.services.catalog.backlog()
    return {
        "waiting": backlog.waiting,
        "leased": backlog.leased,
        "parked": backlog.parked,
        "oldest_s": round(backlog.oldest_s, 1),
    }


def _worker(runtime: Runtime) -> dict[str, Any]:
    if runtime.services.work is None:
        return {"elsewhere": True}
    return {"ok": runtime.worker_alive}

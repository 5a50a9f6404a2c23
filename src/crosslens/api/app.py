"""`create_app`: services → an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from crosslens import __version__
from crosslens.api import (
    batch,
    duplicates,
    embeddings,
    experiments,
    feedback,
    generate,
    health,
    imports,
    judging,
    models,
    openapi,
    problems,
    products,
    quality,
    search,
    shown,
    upkeep,
)
from crosslens.api.envelope import Envelope
from crosslens.api.runtime import Runtime
from crosslens.api.services import Bounds, Services

DESCRIPTION = "Find products by picture, by words, or by “like this, but red”."
# Searches first, since paths are tried in order; `products` has /product/list before its ids.
PARTS = (
    search,
    health,
    batch,
    products,
    shown,
    imports,
    upkeep,
    models,
    quality,
    judging,
    duplicates,
    embeddings,
    feedback,
    experiments,
    generate,
)
_TOLD = ["ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-Id"]


def create_app(
    services: Services, bounds: Bounds | None = None, *, only_health: bool = False
) -> FastAPI:
    """
    Make the HTTP application over the parts of a house.

    While it runs it settles changes and imports in threads of its own; at the end it finishes what
    was begun. `services` stay open: whoever opened them closes them.

    Args:
        only_health: open no paths but those that tell how it is, as for a process that only works.
    """
    bounds = bounds or Bounds()
    runtime = Runtime(services, bounds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runtime.running():
            yield

    app = FastAPI(
        title="crosslens",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    problems.install(app)
    openapi.install(app)
    if not only_health:
        app.router.routes.append(search.route)
    for part in (health,) if only_health else PARTS:
        app.include_router(part.router)
    app.add_middleware(Envelope, bounds=bounds, metrics=runtime.metrics)
    if bounds.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(bounds.cors_origins),
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "Idempotency-Key"],
            expose_headers=_TOLD,
        )
    return app

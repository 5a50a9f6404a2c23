"""Paths of duplicates: clusters with their evidence, scans, decisions, titles for the untitled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.listing import SCANNED
from crosslens.api.products import ProductId, live
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import MAX_ID, Id, ProductOut, Wire, product_object
from crosslens.api.tasks import Progress
from crosslens.api.upkeep import TaskOut, submitted
from crosslens.catalog.duplicates import Tier, Verdict
from crosslens.catalog.product import Product
from crosslens.errors import InvalidRequest
from crosslens.indexing.clusters import ALL_TIERS, Cluster, merge, open_clusters
from crosslens.search.titles import is_untitled, suggest

router = APIRouter(tags=["duplicates"])

Reads = allow(Role.READ, lambda lanes: lanes.read)
Writes = allow(Role.WRITE, lambda lanes: lanes.write)
Searches = allow(Role.READ, lambda lanes: lanes.search)


class PairOut(Wire):
    """Why two products are believed to be one."""

    left: int
    right: int
    tier: Tier
    evidence: dict[str, Any]


class ClusterOut(Wire):
    """Products that are believed to be one, by rising id."""

    tier: Tier
    products: list[ProductOut]
    pairs: list[PairOut]


class ClustersOut(Wire):
    """A page of clusters, surest first; `scanned` is when the catalogue was looked through."""

    clusters: list[ClusterOut]
    total: int
    scanned: str | None


class DecisionIn(Wire):
    """
    What is true of some products.

    `distinct`: they are different; `merged`: they are one, and `keep` stays; `open`: decide anew.
    """

    products: list[Id] = Field(min_length=2, max_length=100, examples=[[3, 17]])
    verdict: Literal["distinct", "merged", "open"]
    keep: Id | None = Field(None, description="which one stays when they are merged")


class DecidedOut(Wire):
    """What was remembered, and the product that stays."""

    verdict: str
    products: list[int]
    kept: ProductOut | None = None


class TitleOut(Wire):
    """A title that fits the pictures, and the products that have it."""

    title: str
    score: float
    products: list[int]


class TitlesOut(Wire):
    """Titles, best first."""

    titles: list[TitleOut]


class UntitledOut(Wire):
    """
    Products whose title tells nothing, by rising id; where `next` is set, there may be more.

    One request looks at 20,000 products at most, so a page may hold fewer than asked for.
    """

    products: list[ProductOut]
    next: int | None = Field(description="`after` of the next page")


@router.get("/duplicates", dependencies=[Reads], response_model=ClustersOut)
async def list_duplicates(
    request: Request,
    tier: Annotated[list[Tier] | None, Query(description="only these reasons")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Show clusters that nobody decided on, surest first."""
    runtime = runtime_of(request)
    page = slice(offset, offset + limit)
    return json_response(await runtime.lanes.read.run(_listed, runtime, tier or ALL_TIERS, page))


@router.post("/duplicates/scan", status_code=202, dependencies=[Writes], response_model=TaskOut)
async def scan(request: Request) -> Response:
    """Look through the whole catalogue, in the background."""
    runtime = runtime_of(request)
    return await submitted(request, "duplicates", lambda step: _scanned(runtime, step))


@router.post(
    "/duplicates/decision",
    dependencies=[Writes],
    response_model=DecidedOut,
    responses=openapi.problems(404, 413, 415, 422),
    openapi_extra=openapi.json_body(DecisionIn, {"products": [1, 2], "verdict": "distinct"}),
)
async def decide(request: Request) -> Response:
    """Remember what is true of some products; it outlives the next scan."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    body = await bodies.parsed(sent.content or b"", DecisionIn, runtime.lanes.write)
    return json_response(await runtime.lanes.write.run(_decided, runtime, body))


@router.get(
    "/product/{product_id}/titles",
    dependencies=[Searches],
    response_model=TitlesOut,
    responses=openapi.problems(404, 422),
)
async def suggest_titles(
    request: Request, product_id: ProductId, limit: Annotated[int, Query(ge=1, le=20)] = 5
) -> Response:
    """Suggest titles by the pictures of a product."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.search.run(_titles, runtime, product_id, limit))


@router.get("/untitled", dependencies=[Reads], response_model=UntitledOut)
async def list_untitled(
    request: Request,
    after: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """List products with pictures whose title is a number or the name of a file."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.read.run(_untitled, runtime, after, limit))


def _untitled(runtime: Runtime, after: int, limit: int) -> bytes:
    catalog = runtime.services.catalog
    stream = chain.from_iterable(catalog.stream(after=after))
    found: list[Product] = []
    reached = None
    for product in islice(stream, SCANNED):
        if product.pictures and is_untitled(product):
            found.append(product)
        reached = product.id
        if len(found) == limit:
            break
    more = next(stream, None) is not None
    unsettled = catalog.waiting([product.id for product in found])
    rows = [product_object(product, unsettled) for product in found]
    return written({"products": rows, "next": reached if more else None})


def _listed(runtime: Runtime, tiers: Sequence[Tier], page: slice) -> bytes:
    services = runtime.services
    found = open_clusters(services.catalog, services.duplicates, tiers=tiers)
    ids = [product_id for cluster in found[page] for product_id in cluster.product_ids]
    products = services.catalog.read(ids)
    unsettled = services.catalog.waiting(ids)
    shown = {id: product_object(product, unsettled) for id, product in products.items()}
    scanned = services.duplicates.scanned()
    return written(
        {
            "clusters": [_cluster(cluster, shown) for cluster in found[page]],
            "total": len(found),
            "scanned": None if scanned is None else scanned.isoformat(),
        }
    )


def _cluster(cluster: Cluster, shown: Mapping[int, Any]) -> dict[str, Any]:
    return {
        "tier": cluster.tier.value,
        "products": [shown[id] for id in cluster.product_ids if id in shown],
        "pairs": [asdict(pair) for pair in cluster.pairs],
    }


def _scanned(runtime: Runtime, step: Progress) -> Mapping[str, Any]:
    found = runtime.services.scan(step)
    runtime.services.duplicates.replace(found)
    return {tier.value: sum(pair.tier is tier for pair in found) for tier in Tier}


def _decided(runtime: Runtime, body: DecisionIn) -> bytes:
    services, kept = runtime.services, None
    for product_id in body.products:
        live(runtime, product_id)
    if (body.keep is not None) != (body.verdict == "merged"):
        raise InvalidRequest("keep names the product that stays when products are merged")
    if body.keep is not None:
        product = merge(
            services.editor,
            services.media,
            services.duplicates,
            keep=body.keep,
            others=body.products,
        )
        kept = product_object(product, services.catalog.waiting([product.id]))
    elif body.verdict == "open":
        services.duplicates.forget(body.products)
    else:
        services.duplicates.decide(body.products, Verdict.DISTINCT)
    return written({"verdict": body.verdict, "products": body.products, "kept": kept})


def _titles(runtime: Runtime, product_id: int, limit: int) -> bytes:
    found = suggest(runtime.services.engine, live(runtime, product_id), limit=limit)
    return written({"titles": [asdict(each) for each in found]})

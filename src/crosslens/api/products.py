"""Paths of products: add, show, edit, remove, list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from crosslens.api import bodies, etags, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, caller_id, runtime_of
from crosslens.api.keys import Role
from crosslens.api.listing import Wanted, from_cursor, leaf, to_cursor
from crosslens.api.replays import Claim, Reply
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import (
    MAX_ID,
    ListQuery,
    PictureIn,
    ProductIn,
    ProductOut,
    ProductPageOut,
    ProductPatch,
    product_object,
)
from crosslens.catalog.editing import Edits
from crosslens.catalog.product import MAX_PICTURES, Product, ProductFields
from crosslens.catalog.receipts import Receipting
from crosslens.errors import Conflict, NotFound, OutOfDate
from crosslens.vectors import filters

router = APIRouter(tags=["products"])

ProductId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
Writes = allow(Role.WRITE, lambda lanes: lanes.write)
Reads = allow(Role.READ, lambda lanes: lanes.read)


@router.post(
    "/product",
    status_code=201,
    dependencies=[Writes],
    response_model=ProductOut,
    responses=openapi.problems(409, 413, 415, 422, 507),
    openapi_extra=openapi.product_body(),
)
async def add_product(request: Request) -> Response:
    """Add a product; it is stored when this answers, and found moments later."""
    runtime = runtime_of(request)
    write = runtime.lanes.write
    body, given = await _product_sent(request, runtime)
    fields = body.fields()
    key = request.headers.get("idempotency-key")
    if key is None:
        pictures = await runtime.intake.contents(given)
        return _answer(await write.run(_added, runtime, fields, pictures))
    claim = await write.run(_claimed, caller_id(request), key, body, given)
    before = await write.run(runtime.replays.given, claim)
    if before is not None:  # its pictures need not be there any more
        return _answer(before, repeated=True)
    pictures = await runtime.intake.contents(given)
    once = partial(_added, runtime, fields, pictures, lambda product: claim.receipt(_new(product)))
    reply, repeated = await write.run(runtime.replays.once, claim, once)
    return _answer(reply, repeated=repeated)


@router.get(
    "/product/list",
    dependencies=[Reads],
    response_model=ProductPageOut,
    responses=openapi.problems(422),
)
async def list_products(request: Request, query: Annotated[ListQuery, Query()]) -> Response:
    """List products, newest first, also those that searches do not know yet."""
    runtime = runtime_of(request)
    return json_response(await runtime.lanes.read.run(_page, runtime, _wanted(query)))


@router.get(
    "/product/{product_id}",
    dependencies=[Reads],
    response_model=ProductOut,
    responses=openapi.problems(404, 422) | openapi.NOT_MODIFIED,
)
async def show_product(request: Request, product_id: ProductId) -> Response:
    """Show a product; `index_state` says whether searches know it as it is."""
    runtime = runtime_of(request)
    content, tag = await runtime.lanes.read.run(_shown, runtime, product_id)
    if etags.is_known(request.headers.get("if-none-match"), tag):
        return Response(None, 304, {"etag": tag})
    return json_response(content, 200, {"etag": tag, "cache-control": "no-cache"})


@router.patch(
    "/product/{product_id}",
    dependencies=[Writes],
    response_model=ProductOut,
    responses=openapi.problems(404, 412, 413, 415, 422, 507),
    openapi_extra=openapi.patch_body(),
)
async def edit_product(request: Request, product_id: ProductId) -> Response:
    """Change what is given and leave the rest; `If-Match` guards against edits of others."""
    runtime = runtime_of(request)
    edits = await _edits_sent(request, runtime)
    wanted = etags.wanted_revisions(request.headers.get("if-match"))
    reply = await runtime.lanes.write.run(_edited, runtime, product_id, edits, wanted)
    return json_response(reply.content, reply.status, reply.headers)


@router.delete(
    "/product/{product_id}",
    status_code=204,
    dependencies=[Writes],
    responses=openapi.problems(404, 412, 422),
)
async def remove_product(request: Request, product_id: ProductId) -> Response:
    """Remove a product; searches show it no more from this answer on."""
    runtime = runtime_of(request)
    wanted = etags.wanted_revisions(request.headers.get("if-match"))
    await runtime.lanes.write.run(_removed, runtime, product_id, wanted)
    return Response(None, 204)


@router.post(
    "/product/{product_id}/restore",
    dependencies=[Writes],
    response_model=ProductOut,
    responses=openapi.problems(404, 409, 422),
)
async def restore_product(request: Request, product_id: ProductId) -> Response:
    """Bring a removed product back as it was, as long as its pictures are still kept."""
    runtime = runtime_of(request)
    reply = await runtime.lanes.write.run(_restored, runtime, product_id)
    return json_response(reply.content, reply.status, reply.headers)


def live(runtime: Runtime, product_id: int) -> Product:
    """
    Read a product.

    Raises:
        NotFound: there is none, or it has been removed.
    """
    product = runtime.services.catalog.read([product_id]).get(product_id)
    if product is None or product.retired:
        raise NotFound(f"there is no product {product_id}")
    return product


async def _product_sent(
    request: Request, runtime: Runtime
) -> tuple[ProductIn, Sequence[PictureIn | bytes]]:
    sent = await bodies.receive(request)
    if sent.form is not None:
        body = bodies.from_form(sent.form, ProductIn, files="picture")
        return body, await bodies.files_of(sent.form, "picture", most=MAX_PICTURES)
    body = await bodies.parsed(sent.content or b"", ProductIn, runtime.lanes.write)
    return body, body.pictures


async def _edits_sent(request: Request, runtime: Runtime) -> Edits:
    sent = await bodies.receive(request)
    if sent.form is None:
        body = await bodies.parsed(sent.content or b"", ProductPatch, runtime.lanes.write)
        return body.edits(await runtime.intake.contents(body.pictures))
    edits = bodies.from_form(sent.form, ProductPatch, files="picture").edits(())
    if "picture" in sent.form:
        edits["pictures"] = await bodies.files_of(sent.form, "picture", most=MAX_PICTURES)
    return edits


def _added(
    runtime: Runtime,
    fields: ProductFields,
    pictures: tuple[bytes, ...],
    receipt: Receipting | None = None,
) -> Reply:
    return _new(runtime.services.editor.add(fields, pictures, receipt=receipt))


def _new(product: Product) -> Reply:
    """Show a product that was just added, so that searches cannot know it yet."""
    shown = written(product_object(product, {product.id: None}))
    tag = etags.of_product(product.revision, "waiting")
    return Reply(201, shown, {"etag": tag, "location": f"/product/{product.id}"})


def _edited(runtime: Runtime, product_id: int, edits: Edits, wanted: set[int] | None) -> Reply:
    revision = _permitted(runtime, product_id, wanted)
    try:
        product = runtime.services.editor.edit(product_id, revision=revision, **edits)
    except Conflict as exc:
        raise _out_of_date(exc, wanted) from exc
    return _reply(runtime, product, 200)


def _removed(runtime: Runtime, product_id: int, wanted: set[int] | None) -> None:
    revision = _permitted(runtime, product_id, wanted)
    try:
        runtime.services.editor.remove(product_id, revision=revision)
    except Conflict as exc:
        raise _out_of_date(exc, wanted) from exc


def _restored(runtime: Runtime, product_id: int) -> Reply:
    return _reply(runtime, runtime.services.editor.restore(product_id), 200)


def _permitted(runtime: Runtime, product_id: int, wanted: set[int] | None) -> int | None:
    """Return the one revision that may be written over; the store checks it while it writes."""
    if wanted is None:
        return None
    current = live(runtime, product_id).revision
    if current not in wanted:
        raise OutOfDate(
            f"product {product_id} is at revision {current}", hint="read it again, then edit"
        )
    return current


def _out_of_date(exc: Conflict, wanted: set[int] | None) -> Conflict:
    return exc if wanted is None else OutOfDate(exc.message, hint=exc.hint)


def _shown(runtime: Runtime, product_id: int) -> tuple[bytes, str]:
    reply = _reply(runtime, live(runtime, product_id), 200)
    return reply.content, reply.headers["etag"]


def _answer(reply: Reply, *, repeated: bool = False) -> Response:
    again = {"idempotency-replayed": "true"} if repeated else {}
    return json_response(reply.content, reply.status, reply.headers | again)


def _reply(runtime: Runtime, product: Product, status: int) -> Reply:
    shown = product_object(product, runtime.services.catalog.waiting([product.id]))
    tag = etags.of_product(product.revision, shown["index_state"])
    return Reply(status, written(shown), {"etag": tag})


def _wanted(query: ListQuery) -> Wanted:
    order, descending, after = query.sort, query.descending, None
    if query.cursor is not None:
        order, descending, after = from_cursor(query.cursor)
    where = None if query.filter is None else filters.parse(query.filter)
    return Wanted(order, descending, query.page, query.page_size, after, where, query.find)


def _page(runtime: Runtime, wanted: Wanted) -> bytes:
    services = runtime.services
    found = leaf(services.catalog, services.attributes, wanted)
    unsettled = services.catalog.waiting([product.id for product in found.products])
    return written(
        {
            "products": [product_object(product, unsettled) for product in found.products],
            "page": None if wanted.after else wanted.page,
            "page_size": wanted.page_size,
            "total": found.total,
            "total_exact": found.exact,
            "next_cursor": to_cursor(wanted, found.next) if found.next else None,
        }
    )


def _claimed(caller: str, key: str, body: ProductIn, given: Sequence[PictureIn | bytes]) -> Claim:
    """Tell requests apart by what they say, since two forms of it differ in their boundaries."""
    told = sha256(repr(body.model_dump(exclude={"pictures"})).encode("utf-8", "surrogatepass"))
    for picture in given:
        told.update(_digest(picture))
    return Claim(caller, key, told.hexdigest())


def _digest(picture: PictureIn | bytes) -> bytes:
    if isinstance(picture, bytes):
        return sha256(picture).digest()
    text = picture.url if picture.base64 is None else picture.base64
    return sha256(repr(text).encode()).digest()

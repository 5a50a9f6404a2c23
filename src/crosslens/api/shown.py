"""Paths of pictures: as they were given, or scaled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from crosslens.api import etags, openapi
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.products import ProductId, live
from crosslens.api.runtime import Runtime
from crosslens.api.variants import SIZES
from crosslens.catalog.product import MAX_PICTURES, Picture
from crosslens.errors import InvalidRequest, NotFound

router = APIRouter(tags=["pictures"])

Reads = allow(Role.READ, lambda lanes: lanes.read)
Position = Annotated[int, Path(ge=0, lt=MAX_PICTURES, description="0 is the first")]
Size = Annotated[
    int | None,
    Query(
        description=f"most pixels of the longer side: {', '.join(map(str, SIZES))}; "
        "without it the picture as it was given",
        json_schema_extra={"enum": [*SIZES]},
        examples=[256],
    ),
]
_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "ppm": "image/x-portable-anymap",
}
_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


@router.get(
    "/product/{product_id}/picture/{n}",
    dependencies=[Reads],
    response_class=Response,
    responses=openapi.problems(404, 422)
    | openapi.PICTURE
    | openapi.NOT_MODIFIED
    | {307: {"description": "It is under a signed link in a bucket, for a while"}},
)
async def show_picture(
    request: Request,
    product_id: ProductId,
    n: Position,
    size: Size = None,
    v: Annotated[
        str | None,
        Query(max_length=64, description="start of the SHA-256: then it may be kept for ever"),
    ] = None,
) -> Response:
    """Show a picture of a product, or a smaller one made of it."""
    if size is not None and size not in SIZES:
        raise InvalidRequest(f"size is {size}, allowed are {', '.join(map(str, SIZES))}")
    runtime = runtime_of(request)
    picture = await runtime.lanes.read.run(_picture, runtime, product_id, n)
    tag = f'"{picture.sha256[:32]}{"" if size is None else f"-{size}"}"'
    fixed = v is not None and len(v) >= 8 and picture.sha256.startswith(v)
    headers = {"etag": tag, "cache-control": _FOR_EVER if fixed else _ASK_AGAIN}
    if etags.is_known(request.headers.get("if-none-match"), tag):
        return Response(None, 304, headers)
    if size is None and (link := _link(runtime, picture)) is not None:
        return RedirectResponse(link, 307, {"cache-control": "private, no-store"})
    content, kind = await runtime.lanes.read.run(_content, runtime, picture, size)
    return Response(content, headers=headers, media_type=kind)


router.head("/product/{product_id}/picture/{n}", dependencies=[Reads], include_in_schema=False)(
    show_picture
)


def _picture(runtime: Runtime, product_id: int, n: int) -> Picture:
    pictures = live(runtime, product_id).pictures
    if n >= len(pictures):
        raise NotFound(f"product {product_id} has {len(pictures)} pictures, counted from 0")
    return pictures[n]


def _link(runtime: Runtime, picture: Picture) -> str | None:
    return runtime.services.media.link(picture.sha256, kind=_TYPES[picture.format])


def _content(runtime: Runtime, picture: Picture, size: int | None) -> tuple[bytes, str]:
    if size is None:
        return runtime.services.media.get(picture.sha256), _TYPES[picture.format]
    return runtime.variants.get(picture.sha256, size), "image/jpeg"

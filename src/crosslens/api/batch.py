"""Many products in one request, each with its own outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.problems import UnsupportedType, explained
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import BatchIn, BatchOut, ProductIn
from crosslens.catalog.editing import Entry, Outcome, Result
from crosslens.errors import InvalidRequest, TooLarge

router = APIRouter(tags=["products"])

Writes = allow(Role.WRITE, lambda lanes: lanes.write)
_STATUS = {Result.ADDED: 201, Result.FAILED: 422}


@dataclass(frozen=True, slots=True)
class _Refused:
    """A product of the batch that does not fit its schema."""

    key: str | None
    reason: str


@router.post(
    "/product/batch",
    dependencies=[Writes],
    response_model=BatchOut,
    responses=openapi.problems(413, 415, 422, 507) | openapi.MULTI_STATUS,
    openapi_extra=openapi.batch_body(),
)
async def put_products(request: Request) -> Response:
    """
    Add or change products by their source keys, in one transaction.

    What is stored unchanged costs nothing, so a batch may be sent again. A bad product is refused
    with its reason and does not spoil the others: then the status is 207.
    """
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    if sent.content is None:
        raise UnsupportedType("a batch is application/json")
    body = await bodies.parsed(sent.content, BatchIn, runtime.lanes.write)
    if len(body.products) > runtime.bounds.max_batch:
        raise TooLarge(
            f"{len(body.products):,} products, allowed are {runtime.bounds.max_batch:,} at once"
        )
    checked = await runtime.lanes.write.run(_checked, body.products)
    entries = [await _entry(runtime, each) for each in checked]
    content, failed = await runtime.lanes.write.run(_stored, runtime, entries)
    return json_response(content, 207 if failed else 200)


def _checked(products: Sequence[Any]) -> list[ProductIn | _Refused]:
    return [_check(product) for product in products]


def _check(product: Any) -> ProductIn | _Refused:
    key = product.get("source_key") if isinstance(product, Mapping) else None
    shown = key[:500] if isinstance(key, str) else None
    try:
        checked = ProductIn.model_validate(product, strict=True)
        checked.fields()
    except ValidationError as exc:
        return _Refused(shown, explained(exc).message)
    except InvalidRequest as exc:
        return _Refused(shown, exc.message)
    if checked.source_key is None:
        return _Refused(None, "source_key: a product of a batch needs one, to be known again")
    return checked


async def _entry(runtime: Runtime, product: ProductIn | _Refused) -> Entry | _Refused:
    if isinstance(product, _Refused):
        return product
    pictures = await runtime.intake.contents_or_reasons(product.pictures)
    return Entry(
        product.source_key or "",
        product.title,
        product.description,
        product.attributes,
        pictures,
    )


def _stored(runtime: Runtime, entries: Sequence[Entry | _Refused]) -> tuple[bytes, bool]:
    good = [entry for entry in entries if isinstance(entry, Entry)]
    outcomes = iter(runtime.services.editor.put_many(good) if good else ())
    results = [
        _refused(n, entry) if isinstance(entry, _Refused) else _result(n, next(outcomes))
        for n, entry in enumerate(entries)
    ]
    names = [result["result"] for result in results]
    failed = names.count("failed")
    stored = names.count("added") + names.count("changed")
    counts = {"stored": stored, "unchanged": len(names) - stored - failed, "failed": failed}
    return written({"results": results, **counts}), failed > 0


def _refused(index: int, entry: _Refused) -> dict[str, Any]:
    return {
        "index": index,
        "source_key": entry.key,
        "status": 422,
        "result": "failed",
        "reason": entry.reason,
    }


def _result(index: int, outcome: Outcome) -> dict[str, Any]:
    product = outcome.product
    return {
        "index": index,
        "source_key": outcome.key,
        "status": _STATUS.get(outcome.result, 200),
        "result": outcome.result.value,
        "product_id": product.id if product else None,
        "revision": product.revision if product else None,
        "reason": outcome.reason or None,
    }

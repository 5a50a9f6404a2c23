"""The OpenAPI document: bodies that come as JSON or as a form, problems, examples of every call."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from crosslens.api.problems import MEDIA_TYPE
from crosslens.api.schemas import (
    AnswerOut,
    AnswersOut,
    BatchIn,
    ImportPathIn,
    ProblemOut,
    ProductIn,
    ProductPatch,
    SearchIn,
    SearchManyIn,
)

Json = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

_REF = "#/components/schemas/{model}"
_BODIES: list[type[BaseModel]] = [
    ProductIn,
    ProductPatch,
    BatchIn,
    SearchIn,
    SearchManyIn,
    ImportPathIn,
]
_ANSWERS: tuple[type[BaseModel], ...] = (ProblemOut, AnswerOut, AnswersOut)
_FILE = {"type": "string", "format": "binary"}
_TINY = (  # a red picture of 8 × 8 pixels
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mM4ISeHFTEMLQkAkL9BAc9woTwAAAAASUVO"
    "RK5CYII="
)

SEARCHES: dict[str, tuple[str, Json]] = {
    "text2text": ("words → titles", {"words": "red shoe", "kind": "text2text"}),
    "text2image": ("words → pictures", {"words": "red shoe", "kind": "text2image"}),
    "image2image": (
        "picture → pictures",
        {"pictures": [{"base64": _TINY}], "kind": "image2image"},
    ),
    "image2text": ("picture → titles", {"pictures": [{"base64": _TINY}], "kind": "image2text"}),
    "hybrid": (
        "words, by meaning and by letter, filtered, with counts",
        {
            "words": "red shoe",
            "kind": "hybrid",
            "alpha": 0.6,
            "filter": "colour = red and price < 50",
            "facets": ["colour"],
            "explain": True,
        },
    ),
    "composed": (
        "like this, but …",
        {"pictures": [{"base64": _TINY}], "words": "but green", "kind": "composed"},
    ),
    "auto": (
        "picture and words together",
        {"pictures": [{"base64": _TINY}], "words": "shoe", "kind": "auto"},
    ),
    "like a product": ("more like this", {"product_id": 1, "limit": 5}),
    "several": (
        "several questions at once",
        {"queries": [{"words": "red shoe"}, {"words": "bag", "limit": 3}]},
    ),
}
HEALTH: Responses = {200: {"description": "The process is alive"}}
READY: Responses = {
    200: {"description": "Every part answers"},
    503: {"description": "Some part does not; `checks` says which"},
}
METRICS: Responses = {200: {"description": "Prometheus text", "content": {"text/plain": {}}}}
LINES: Responses = {
    200: {"description": "A JSON object per line", "content": {"application/x-ndjson": {}}}
}
NOT_MODIFIED: Responses = {304: {"description": "The caller has it already (If-None-Match)"}}
MULTI_STATUS: Responses = {
    207: {
        "description": "Some were refused; see each result",
        "content": {"application/json": {"schema": {"$ref": _REF.format(model="BatchOut")}}},
    }
}
PICTURE: Responses = {
    200: {"description": "The picture", "content": {"image/*": {"schema": _FILE}}}
}
ANSWERS: Responses = {
    200: {
        "description": "The answer; with `queries`, one for each",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": _REF.format(model="AnswerOut")},
                        {"$ref": _REF.format(model="AnswersOut")},
                    ]
                }
            }
        },
    }
}


def problems(*statuses: int) -> Responses:
    """Declare problem documents as answers."""
    return {status: _problem(status) for status in statuses}


def product_body() -> Json:
    """Declare the body of a new product."""
    example = {
        "title": "red running shoe",
        "attributes": {"colour": "red", "price": 49.5},
        "source_key": "sku-1001",
        "pictures": [{"base64": _TINY}],
    }
    form = _form(_text_fields("title", "description", "attributes", "source_key"), ["title"])
    return _body("ProductIn", {"shoe": ("with a picture", example)}, form) | _headers(
        "Idempotency-Key", "the same for every repetition of this write", "order-17"
    )


def patch_body() -> Json:
    """Declare the body of an edit."""
    examples: dict[str, tuple[str, Json]] = {
        "title": ("another title", {"title": "red trail shoe"}),
        "attributes": ("set one, take one off", {"merge_attributes": {"price": 39, "sale": None}}),
    }
    form = _form(_text_fields("title", "description", "attributes", "merge_attributes"), [])
    return _body("ProductPatch", examples, form) | _headers(
        "If-Match", "edit only what is still as the ETag says", '"3"'
    )


def batch_body() -> Json:
    """Declare the body of a batch."""
    example = {
        "products": [
            {"source_key": "sku-1", "title": "red shoe", "attributes": {"colour": "red"}},
            {"source_key": "sku-2", "title": "blue bag", "pictures": [{"base64": _TINY}]},
        ]
    }
    return _body("BatchIn", {"two": ("two products", example)})


def search_body() -> Json:
    """Declare the body of a search, with an example of every kind."""
    fields: Json = _text_fields("words", "filter")
    fields["kind"] = {"type": "string"}
    fields["limit"] = {"type": "integer"}
    body = _body("SearchIn", SEARCHES, _form(fields, []))
    schema = {"anyOf": [_ref("SearchIn"), _ref("SearchManyIn")]}
    body["requestBody"]["content"]["application/json"]["schema"] = schema
    return body


def import_body() -> Json:
    """Declare the body of an import."""
    form: Json = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": _FILE, "map": {"type": "array", "items": {"type": "string"}}},
    }
    return _body("ImportPathIn", {"path": ("of the server", {"path": "/srv/items.jsonl"})}, form)


def json_body(model: type[BaseModel], example: Json, *, required: bool = True) -> Json:
    """Declare a small body that is JSON and nothing else."""
    if model not in _BODIES:
        _BODIES.append(model)
    shape = {"schema": _ref(model.__name__), "example": example}
    return {"requestBody": {"required": required, "content": {"application/json": shape}}}


def install(app: FastAPI) -> None:
    """Let the application describe itself, bodies that we read ourselves included."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> Json:
    told = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    parts = told.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for mode, models in (("validation", _BODIES), ("serialization", _ANSWERS)):
        wanted = [(model, mode) for model in models]
        _, defs = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]
        schemas.update(defs["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key"}
    }
    for path, operations in told["paths"].items():
        for operation in operations.values():
            _complete(operation, guarded=path not in ("/health", "/ready"))
    return told


def _complete(operation: Json, *, guarded: bool) -> None:
    """Add what every guarded path may answer."""
    common = (401, 403, 429, 503) if guarded else ()
    if guarded:
        operation["security"] = [{"key": []}]
    for status in common:
        operation["responses"].setdefault(str(status), _problem(status))
    if "HTTPValidationError" in str(operation["responses"].get("422")):
        operation["responses"]["422"] = _problem(422)  # FastAPI's own shape is not ours
    if "requestBody" in operation:
        operation["responses"].setdefault("408", _problem(408))


def _problem(status: int) -> Json:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": _ref("ProblemOut")}},
    }


def _body(model: str, examples: dict[str, tuple[str, Json]], form: Json | None = None) -> Json:
    content: Json = {
        "application/json": {
            "schema": _ref(model),
            "examples": {
                name: {"summary": summary, "value": value}
                for name, (summary, value) in examples.items()
            },
        }
    }
    if form is not None:
        content["multipart/form-data"] = {"schema": form}
    return {"requestBody": {"required": True, "content": content}}


def _form(fields: Json, required: list[str]) -> Json:
    files = {"picture": {"type": "array", "items": _FILE}}
    shape: Json = {"type": "object", "properties": fields | files, "additionalProperties": False}
    return shape | ({"required": required} if required else {})


def _text_fields(*names: str) -> Json:
    hints = {"attributes": "a JSON object", "merge_attributes": "a JSON object"}
    return {
        name: {"type": "string"} | ({"description": hints[name]} if name in hints else {})
        for name in names
    }


def _headers(name: str, description: str, example: str) -> Json:
    header = {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }
    return {"parameters": [header]}


def _ref(model: str) -> Json:
    return {"$ref": _REF.format(model=model)}

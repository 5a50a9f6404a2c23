"""Bodies: JSON or a form with files, read into the same wire shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile

from crosslens.api.lanes import Lane
from crosslens.api.problems import InvalidBody, UnsupportedType, explained
from crosslens.errors import InvalidRequest, TooLarge

ModelT = TypeVar("ModelT", bound=BaseModel)

_LARGE = 50_000  # bytes that are parsed sooner than handed to a thread
_FILES = 100
_FIELDS = 500
_MAX_FIELD = 1_000_000
_AS_JSON = {"attributes", "merge_attributes"}  # fields of a form that hold JSON
_LISTS = {"facets", "map"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A body that was read: its media type, its bytes or its form."""

    content: bytes | None
    form: FormData | None


async def receive(request: Request) -> Sent:
    """
    Read a body.

    Raises:
        UnsupportedType: it is neither JSON nor a form.
        TooLarge, TooSlow: as the envelope says.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await request.form(max_files=_FILES, max_fields=_FIELDS, max_part_size=_MAX_FIELD)
        return Sent(None, form)
    if kind == "application/json" or kind.endswith("+json"):
        return Sent(await request.body(), None)
    raise UnsupportedType(
        f"the body is {kind or 'of no type'}, allowed are application/json and multipart/form-data"
    )


async def parsed(content: bytes, model: type[ModelT], lane: Lane) -> ModelT:
    """
    Read JSON.

    Raises:
        InvalidBody: it is not JSON, or does not fit; every field that does not is named.
    """
    if len(content) < _LARGE:
        return parse(content, model)
    return await lane.run(parse, content, model)


def parse(content: bytes, model: type[ModelT]) -> ModelT:
    """Read JSON here and now; see `parsed`."""
    try:
        return model.model_validate_json(content, strict=True)
    except ValidationError as exc:
        raise explained(exc) from exc


async def asks_many(content: bytes, lane: Lane) -> bool:
    """Whether a search asks several questions."""
    if len(content) < _LARGE:
        return _asks_many(content)
    return await lane.run(_asks_many, content)


def _asks_many(content: bytes) -> bool:
    if b'"queries"' not in content:
        return False
    try:
        asked = from_json(content)
    except ValueError:
        return False
    return isinstance(asked, dict) and "queries" in asked


def from_form(form: FormData, model: type[ModelT], *, files: str) -> ModelT:
    """
    Read the fields of a form into the shape that JSON has; files are read by `files_of`.

    Args:
        files: field of the files.

    Raises:
        InvalidBody: a field is unknown, or does not fit.
    """
    values: dict[str, Any] = {}
    for name in dict.fromkeys(form.keys()):
        if name != files:
            values[name] = _value(name, form.getlist(name))
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise explained(exc) from exc


async def files_of(form: FormData, name: str, *, most: int) -> tuple[bytes, ...]:
    """
    Read the files of a field, in order.

    Raises:
        TooLarge: there are too many.
        InvalidBody: the field holds text.
    """
    given = form.getlist(name)
    if len(given) > most:
        raise TooLarge(f"{len(given)} files, allowed are {most}")
    return tuple([await _content(name, file) for file in given])


async def _content(name: str, file: UploadFile | str) -> bytes:
    if isinstance(file, str):
        raise InvalidBody([{"field": name, "message": "it is text; send a file: -F picture=@FILE"}])
    return await file.read()


def _value(name: str, given: Sequence[UploadFile | str]) -> Any:
    texts = [value for value in given if isinstance(value, str)]
    if len(texts) != len(given):
        raise InvalidBody([{"field": name, "message": "this field is text, not a file"}])
    if name in _LISTS:
        return texts
    if len(texts) > 1:
        raise InvalidBody([{"field": name, "message": "it was sent more than once"}])
    return _json(name, texts[0]) if name in _AS_JSON else texts[0]


def _json(name: str, text: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as exc:
        raise InvalidRequest(f"{name} is not JSON: {exc}") from exc

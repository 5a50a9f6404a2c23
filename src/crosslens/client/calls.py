"""
Calls before they are made: what to send, and how to read what comes back. No network here.

Each function is a method of both clients, which take its parameters and its documentation.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar, Unpack

from crosslens.client.answers import (
    Answer,
    BatchResult,
    ImportJob,
    Product,
    ProductPage,
    Readiness,
)
from crosslens.client.replies import Reply, error_from
from crosslens.errors import InvalidRequest

T = TypeVar("T")

PictureSource: TypeAlias = bytes | Path | str
"""Bytes, a file, or the URL of a picture."""

_BATCH_BYTES = 20_000_000  # of JSON; far below what the service takes


class Details(TypedDict, total=False):
    """What a new product may have beside its title."""

    description: str
    attributes: Mapping[str, Any]
    source_key: str
    pictures: Sequence[PictureSource]


class NewProduct(Details, total=False):
    """A product of a batch, which needs `title` and `source_key`."""

    title: str


class ProductEdits(TypedDict, total=False):
    """What to change; `merge_attributes` sets some, and None takes one off."""

    title: str
    description: str
    attributes: Mapping[str, Any]
    merge_attributes: Mapping[str, Any]
    pictures: Sequence[PictureSource]


class Options(TypedDict, total=False):
    """How to search; what is left out has the service's default."""

    pictures: Sequence[PictureSource]
    product_id: int
    kind: str
    alpha: float
    fusion: str
    filter: str
    facets: Sequence[str]
    limit: int
    offset: int
    explain: bool
    imagine: bool
    weights: Sequence[float]
    without: str
    scene: str
    user: str
    experiments: Mapping[str, str]
    debug: bool


class Question(Options, total=False):
    """One of several questions."""

    words: str


class Paging(TypedDict, total=False):
    """Which page of the catalogue."""

    page: int
    page_size: int
    sort: str
    descending: bool
    filter: str
    find: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    One request.

    Attributes:
        read: makes the answer of a reply that is no error.
        repeatable: whether doing it twice does no more than doing it once.
        gone_is_done: whether 404 is success when a repetition meets it.
        file: sent as the form field `file`.
    """

    method: str
    path: str
    read: Callable[[Reply], T]
    body: bytes | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    gone_is_done: bool = False
    file: Path | None = None


def ready() -> Call[Readiness]:
    """Ask whether every part answers; a service that is not ready is an answer, no error."""

    def read(reply: Reply) -> Readiness:
        told = reply.json()
        return Readiness(told["status"] == "ready", told["checks"])

    return Call("GET", "/ready", read, repeatable=False)


def add_product(title: str, **details: Unpack[Details]) -> Call[Product]:
    """
    Add a product; a key of its own lets it be sent again.

    >>> client.add_product("hat", source_key="hat-1", pictures=[picture]).pictures[0].format
    'jpeg'

    Raises:
        Conflict: the source key is taken.
        InvalidRequest, UnreadablePicture: nothing was stored.
    """
    body = _product({"title": title, **details})
    key = {"idempotency-key": uuid.uuid4().hex}
    return Call("POST", "/product", _one(Product.read), body=_json(body), headers=key)


def product(product_id: int) -> Call[Product]:
    """
    Read a product.

    Raises:
        NotFound: there is none.
    """
    return Call("GET", f"/product/{product_id}", _one(Product.read))


def edit_product(
    product_id: int, *, revision: int | None = None, **edits: Unpack[ProductEdits]
) -> Call[Product]:
    """
    Change what is given and leave the rest.

    >>> hat = client.add_product("hat", attributes={"price": 20})
    >>> client.edit_product(hat.id, merge_attributes={"price": 15}).attributes
    {'price': 15.0}

    Raises:
        OutOfDate: the product is no longer at `revision`.
    """
    return Call(
        "PATCH",
        f"/product/{product_id}",
        _one(Product.read),
        body=_json(_product(edits)),
        headers=_if_match(revision),
        repeatable=revision is None,  # a repetition would be out of date
    )


def remove_product(product_id: int, *, revision: int | None = None) -> Call[None]:
    """
    Remove a product.

    >>> client.remove_product(client.add_product("old hat").id)

    Raises:
        NotFound: there is none.
        OutOfDate: the product is no longer at `revision`.
    """
    return Call(
        "DELETE",
        f"/product/{product_id}",
        lambda reply: None,
        headers=_if_match(revision),
        repeatable=revision is None,
        gone_is_done=True,
    )


def restore_product(product_id: int) -> Call[Product]:
    """Bring a removed product back."""
    return Call("POST", f"/product/{product_id}/restore", _one(Product.read))


def products(**paging: Unpack[Paging]) -> Call[ProductPage]:
    """
    Read a page of the catalogue, newest first.

    >>> page = client.products(page_size=2, sort="title", descending=False)
    >>> len(page.products)
    2
    """
    return Call("GET", "/product/list", _one(ProductPage.read), params=_params(paging))


def picture(product_id: int, n: int = 0, *, size: int | None = None) -> Call[bytes]:
    """
    Read a picture of a product, or a smaller JPEG of it.

    >>> hat = client.add_product("hat", pictures=[picture])
    >>> client.picture(hat.id) == picture
    True
    """
    path = f"/product/{product_id}/picture/{n}"
    return Call("GET", path, lambda reply: reply.content, params=_params({"size": size}))


def put_products(batch: bytes) -> Call[list[BatchResult]]:
    """Add or change products by their source keys."""

    def read(reply: Reply) -> list[BatchResult]:
        return [BatchResult.read(row) for row in reply.json()["results"]]

    return Call("POST", "/product/batch", read, body=batch)


def search(words: str = "", **options: Unpack[Options]) -> Call[Answer]:
    """
    Find products by words, by picture, by a product, or by several of these.

    >>> client.search(pictures=[picture], words="but green", kind="composed").kind
    'composed'
    """
    body = _question({"words": words, **options})
    return Call("POST", "/search", _one(Answer.read), body=_json(body))


def search_many(questions: Iterable[Question]) -> Call[list[Answer]]:
    """
    Ask several questions in one request; the first that cannot be answered raises.

    >>> [answer.kind for answer in client.search_many([{"words": "hat"}, {"words": "bag"}])]
    ['hybrid', 'hybrid']
    """

    def read(reply: Reply) -> list[Answer]:
        return [_answer(each) for each in reply.json()["answers"]]

    body = {"queries": [_question(question) for question in questions]}
    return Call("POST", "/search", read, body=_json(body))


def similar(product_id: int, **params: Any) -> Call[Answer]:
    """Find products like one; `kind`, `filter`, `limit` and `offset` as in a search."""
    path = f"/product/{product_id}/similar"
    return Call("GET", path, _one(Answer.read), params=_params(params))


def import_file(file: Path | str, *, columns: Sequence[str] = ()) -> Call[ImportJob]:
    """
    Hand in a CSV, TSV, JSONL or Parquet file; the service imports it in the background.

    Args:
        columns: `FIELD=COLUMN` pairs, where names do not tell.
    """
    return Call(
        "POST",
        "/import",
        _one(ImportJob.from_json),
        params={"map": list(columns)} if columns else {},
        file=Path(file),
        repeatable=False,
    )


def import_path(path: str, *, columns: Sequence[str] = ()) -> Call[ImportJob]:
    """Import a file or folder of the server; needs the role admin."""
    body = _json({"path": path, "map": list(columns)})
    return Call("POST", "/import", _one(ImportJob.from_json), body=body, repeatable=False)


def import_job(job_id: str) -> Call[ImportJob]:
    """Ask how far an import is."""
    return Call("GET", f"/import/{job_id}", _one(ImportJob.from_json))


def left_out(job_id: str) -> Call[list[dict[str, Any]]]:
    """Read everything that an import left out so far: line, key and reason."""
    return Call(
        "GET",
        f"/import/{job_id}/left-out",
        lambda reply: [json.loads(line) for line in reply.content.splitlines()],
    )


def cancel_import(job_id: str) -> Call[ImportJob]:
    """Stop an import after the batch at hand."""
    return Call("DELETE", f"/import/{job_id}", _one(ImportJob.from_json), repeatable=False)


class Batches:
    """Collect products into batches of bounded number and size."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: list[bytes] = []
        self._size = 0

    def add(self, product: NewProduct) -> Iterator[bytes]:
        """Take one more; yield a batch that is full."""
        row = _json(_product(product))
        if self._held and self._size + len(row) > _BATCH_BYTES:
            yield self._cut()
        self._held.append(row)
        self._size += len(row)
        if len(self._held) >= self._most:
            yield self._cut()

    def rest(self) -> Iterator[bytes]:
        """Yield what is left."""
        if self._held:
            yield self._cut()

    def _cut(self) -> bytes:
        batch = b'{"products":[' + b",".join(self._held) + b"]}"
        self._held, self._size = [], 0
        return batch


def _answer(row: Mapping[str, Any]) -> Answer:
    if "problem" in row:
        raise error_from(row["status"], row["problem"])
    return Answer.read(row["answer"])


def _one(read: Callable[[Mapping[str, Any]], T]) -> Callable[[Reply], T]:
    return lambda reply: read(reply.json())


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"if-match": f'"{revision}"'}


def _product(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, **_pictures(fields)}


def _question(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None} | _pictures(
        options
    )


def _pictures(fields: Mapping[str, Any]) -> dict[str, Any]:
    given = fields.get("pictures")
    return {} if given is None else {"pictures": [_picture(source) for source in given]}


def _picture(source: PictureSource) -> dict[str, str]:
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return {"url": source}
    if not isinstance(source, bytes | Path):
        raise InvalidRequest(
            f"{source!r:.80} is no picture",
            hint="give bytes, a Path, or a URL that begins with http",
        )
    content = source if isinstance(source, bytes) else source.read_bytes()
    return {"base64": base64.b64encode(content).decode("ascii")}


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

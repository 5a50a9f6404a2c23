"""The wire shapes: what is promised to callers, apart from how we keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from crosslens.catalog.changes import Parked
from crosslens.catalog.editing import Edits
from crosslens.catalog.listing import Order
from crosslens.catalog.product import (
    MAX_DESCRIPTION,
    MAX_PICTURES,
    MAX_SOURCE_KEY,
    MAX_TITLE,
    Product,
    ProductFields,
)
from crosslens.search.present import Answer, Hit
from crosslens.search.request import (
    MAX_LIMIT,
    MAX_OFFSET,
    MAX_WORDS,
    Fusion,
    SearchRequest,
)
from crosslens.search.request import MAX_PICTURES as MAX_QUERY_PICTURES
from crosslens.search.stage import Staged
from crosslens.values import Kind
from crosslens.vectors import filters

MAX_ID = 2**63 - 1
MAX_URL = 4_096

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
AttributeIn = str | bool | float | list[str] | None
KindName = Literal[
    "auto", "text2text", "text2image", "image2image", "image2text", "hybrid", "composed"
]


class Wire(BaseModel):
    """A body: unknown names are refused, so that no typing error passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PictureIn(Wire):
    """A picture: its bytes in base64 (`data:` URIs too), or an http(s) URL to fetch it from."""

    base64: str | None = Field(None, examples=["iVBORw0KGgo…"])
    url: str | None = Field(None, max_length=MAX_URL, examples=["https://example.com/shoe.jpg"])

    @model_validator(mode="after")
    def _one(self) -> PictureIn:
        if (self.base64 is None) == (self.url is None):
            raise ValueError("a picture is either base64 or url")
        return self


class ProductIn(Wire):
    """A new product."""

    title: str = Field(min_length=1, max_length=MAX_TITLE, examples=["red running shoe"])
    description: str = Field("", max_length=MAX_DESCRIPTION, examples=["light and fast"])
    attributes: dict[str, AttributeIn] = Field(
        default_factory=dict, examples=[{"colour": "red", "price": 49.5}]
    )
    source_key: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_SOURCE_KEY,
        description="your own key; unique",
        examples=["sku-1001"],
    )
    pictures: list[PictureIn] = Field(default_factory=list, max_length=MAX_PICTURES)

    def fields(self) -> ProductFields:
        """Return the checked fields."""
        given: Any = self.attributes  # those without a value are dropped there
        return ProductFields(self.title, self.description, given, self.source_key)


class ProductPatch(Wire):
    """What to change; what is left out stays."""

    title: str = Field("", min_length=1, max_length=MAX_TITLE, validate_default=False)
    description: str = Field("", max_length=MAX_DESCRIPTION)
    attributes: dict[str, AttributeIn] = Field(
        default_factory=dict, description="replaces all of them"
    )
    merge_attributes: dict[str, AttributeIn] = Field(
        default_factory=dict,
        description="sets these and leaves the others; null takes one off",
        examples=[{"price": 39.5, "sale": True, "old": None}],
    )
    pictures: list[PictureIn] = Field(
        default_factory=list, max_length=MAX_PICTURES, description="replaces all of them"
    )

    def edits(self, pictures: Sequence[bytes]) -> Edits:
        """Return what was given."""
        given = self.model_fields_set
        edits = Edits()
        if "title" in given:
            edits["title"] = self.title
        if "description" in given:
            edits["description"] = self.description
        if "attributes" in given:
            edits["attributes"] = self.attributes
        if "merge_attributes" in given:
            edits["merge_attributes"] = self.merge_attributes
        if "pictures" in given:
            edits["pictures"] = pictures
        return edits


class BatchIn(Wire):
    """Products to add or change by their source keys; each is checked on its own."""

    products: list[JsonValue] = Field(min_length=1)


class SearchIn(Wire):
    """One question: words, pictures, a product to look like, or several of these."""

    words: str = Field("", max_length=MAX_WORDS, examples=["red shoe"])
    pictures: list[PictureIn] = Field(default_factory=list, max_length=MAX_QUERY_PICTURES)
    product_id: Id | None = Field(None, description="look like this product")
    kind: KindName = Field("auto", description="auto chooses by what is given")
    alpha: float | None = Field(
        None, ge=0, le=1, description="share of vectors against keywords: 0 keywords only"
    )
    fusion: Literal["rrf", "score"] = Field("rrf", description="how several rankings become one")
    filter: str | None = Field(
        None, max_length=10_000, examples=["colour = red and price < 50"], min_length=1
    )
    facets: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=20, description="attributes to count values of"
    )
    limit: int = Field(10, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    explain: bool = Field(False, description="show the score of each probe")
    weights: list[Annotated[float, Field(ge=-10, le=10)]] = Field(
        default_factory=list,
        max_length=MAX_QUERY_PICTURES + 1,
        description="composed: how much each picture counts, then the product",
    )
    without: str = Field(
        "", max_length=MAX_WORDS, description="composed: words for what is not wanted"
    )
    imagine: bool = Field(
        False, description="draw a picture from the words, and look for it beside them"
    )
    scene: str | None = Field(
        None, min_length=1, max_length=100, description="answer as this scene says"
    )
    user: str = Field(
        "", max_length=200, description="who asks, so that experiments treat them the same way"
    )
    experiments: dict[str, str] = Field(
        default_factory=dict, description="layer → experiment to force, for looking at one"
    )
    debug: bool = Field(False, description="say how the scene came to its answer")

    def to_request(self, pictures: tuple[bytes, ...]) -> SearchRequest:
        """
        Return the question as the engine wants it.

        Raises:
            InvalidRequest: it makes no sense.
        """
        return SearchRequest(
            words=self.words,
            pictures=pictures,
            product_id=self.product_id,
            kind=Kind(self.kind),
            alpha=self.alpha,
            fusion=Fusion(self.fusion),
            where=None if self.filter is None else filters.parse(self.filter),
            facets=tuple(self.facets),
            limit=self.limit,
            offset=self.offset,
            explain=self.explain,
            imagined=self.imagine,
            weights=tuple(self.weights),
            without=self.without,
        )


class SearchManyIn(Wire):
    """Several questions, answered in order, each on its own."""

    queries: list[SearchIn] = Field(min_length=1)


class ListQuery(Wire):
    """Which page of the catalogue."""

    page: int = Field(1, ge=1, le=10_001)
    page_size: int = Field(20, ge=1, le=100)
    sort: Order = Field(Order.CREATED, description="products with equal values stand by id")
    descending: bool = Field(True, description="last ones first")
    filter: str | None = Field(
        None,
        min_length=1,
        max_length=2_000,
        examples=["colour = red"],
        description="as in a search",
    )
    find: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        examples=["shoe"],
        description="only products whose title, source key or id holds this",
    )
    cursor: str | None = Field(
        None,
        max_length=1_200,
        pattern="^[A-Za-z0-9_-]+$",
        description="next_cursor of the page before; it keeps the order, however deep",
    )


class ImportPathIn(Wire):
    """Import from a file or folder of the server; needs the role admin."""

    path: str = Field(min_length=1, max_length=4_096, examples=["/srv/shop/items.jsonl"])
    map: list[Annotated[str, Field(max_length=500)]] = Field(
        default_factory=list, max_length=100, examples=[["title=name"]]
    )


class PictureOut(Wire):
    """A picture of a product; `url` changes when the bytes do, so it may be cached for ever."""

    sha256: str
    width: int
    height: int
    format: str
    size: int
    url: str


class ProductOut(Wire):
    """A product at a revision, and whether searches know it as it is."""

    product_id: int
    source_key: str | None
    title: str
    description: str
    attributes: dict[str, str | float | bool | list[str]]
    pictures: list[PictureOut]
    created: str
    updated: str
    revision: int
    index_state: Literal["current", "waiting", "parked"]
    index_error: str | None = None


class ProductPageOut(Wire):
    """A page of products."""

    products: list[ProductOut]
    page: int | None
    page_size: int
    total: int
    total_exact: bool
    next_cursor: str | None


class HitOut(Wire):
    """A product that was found; `picture` says which of its pictures matched best."""

    product_id: int
    source_key: str | None
    title: str
    description: str
    attributes: dict[str, str | float | bool | list[str]]
    pictures: list[PictureOut]
    created: str
    updated: str
    revision: int
    score: float
    picture: int | None
    scores: dict[str, float] = Field(default_factory=dict)
    relevance: float | None = Field(
        None, description="probability that it is what was looked for, where that was learned"
    )
    summary: dict[str, Any] | None = Field(None, description="what the scene tells of it")


class MadeOut(Wire):
    """A picture that was drawn; asked for alone with its seed, it is the same."""

    sha256: str
    url: str
    size: int
    seed: int | None


class AnswerOut(Wire):
    """A page of hits, best first."""

    hits: list[HitOut]
    kind: str
    found: int
    facets: dict[str, dict[str, int]]
    notes: list[str]
    missing: dict[str, str]
    took_ms: float
    no_good_match: bool | None = Field(
        None, description="whether nothing found is likely to be what was looked for"
    )
    imagined: MadeOut | None = Field(
        None, description="the picture that was drawn from the words and looked for"
    )
    scene: str | None = None
    answer: str | None = Field(None, description="what feedback refers to, within a scene")
    experiments: dict[str, str] | None = Field(None, description="layer → experiment")
    debug: dict[str, Any] | None = None


class ProblemOut(Wire):
    """What went wrong, RFC 9457; `code` is stable, the words are not."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None
    request_id: str
    errors: list[dict[str, str]] = Field(default_factory=list)


class OneAnswerOut(Wire):
    """The answer to one of several questions, or what was wrong with it."""

    status: int
    answer: AnswerOut | None = None
    problem: ProblemOut | None = None


class AnswersOut(Wire):
    """Answers in the order of the questions."""

    answers: list[OneAnswerOut]


class BatchResultOut(Wire):
    """What became of one product of a batch."""

    index: int
    source_key: str | None
    status: int
    result: Literal["added", "changed", "unchanged", "replaced", "failed"]
    product_id: int | None = None
    revision: int | None = None
    reason: str | None = None


class BatchOut(Wire):
    """What became of a batch, in order."""

    results: list[BatchResultOut]
    stored: int
    unchanged: int
    failed: int


class JobOut(Wire):
    """An import under way or done: read = stored + skipped + failed, at every moment."""

    job: str
    state: Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
    source: str
    created: str
    expected: int | None
    read: int
    stored: int
    skipped: int
    failed: int
    bad: list[dict[str, Any]]
    error: str | None


def product_object(product: Product, unsettled: Mapping[int, Parked | None]) -> dict[str, Any]:
    """Turn a product into wire values."""
    shown = _product(product)
    parked = unsettled.get(product.id)
    if product.id not in unsettled:
        shown["index_state"] = "current"
    else:
        shown["index_state"] = "waiting" if parked is None else "parked"
    shown["index_error"] = None if parked is None else parked.error
    return shown


def answer_object(answer: Answer) -> dict[str, Any]:
    """Turn an answer into wire values."""
    return {
        "hits": [_hit(hit) for hit in answer.hits],
        "kind": answer.kind.value,
        "found": answer.found,
        "facets": answer.facets,
        "notes": answer.notes,
        "missing": answer.missing,
        "took_ms": round(sum(answer.took_ms.values()), 2),
        **({} if answer.no_good_match is None else {"no_good_match": answer.no_good_match}),
    }


def staged_object(staged: Staged) -> dict[str, Any]:
    """Turn an answer within a scene into wire values."""
    told = answer_object(staged.answer)
    for hit, summary in zip(told["hits"], staged.summaries, strict=True):
        hit["summary"] = summary
    return told | {
        "scene": staged.scene,
        "answer": staged.answer_id,
        "experiments": staged.experiments,
        **({"debug": staged.debug} if staged.debug else {}),
    }


def _hit(hit: Hit) -> dict[str, Any]:
    shown = _product(hit.product) | {
        "score": hit.score,
        "picture": hit.position,
        "scores": hit.scores,
    }
    return shown if hit.relevance is None else shown | {"relevance": round(hit.relevance, 4)}


def _product(product: Product) -> dict[str, Any]:
    fields = product.fields
    return {
        "product_id": product.id,
        "source_key": fields.source_key,
        "title": fields.title,
        "description": fields.description,
        "attributes": fields.attributes,
        "pictures": [
            {
                "sha256": p.sha256,
                "width": p.width,
                "height": p.height,
                "format": p.format,
                "size": p.size,
                "url": f"/product/{product.id}/picture/{n}?v={p.sha256[:16]}",
            }
            for n, p in enumerate(product.pictures)
        ],
        "created": product.created.isoformat(),
        "updated": product.updated.isoformat(),
        "revision": product.revision,
    }

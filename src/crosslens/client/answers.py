"""What the service answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crosslens.values import AttributeValue


@dataclass(frozen=True, slots=True)
class Picture:
    """
    One picture of a product.

    Attributes:
        url: path of its bytes; it changes when they do.
    """

    sha256: str
    width: int
    height: int
    format: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class Product:
    """
    A product at a revision.

    Attributes:
        index_state: whether searches know it as it is: current, waiting or parked; empty in hits.
    """

    id: int
    title: str
    description: str
    attributes: Mapping[str, AttributeValue]
    source_key: str | None
    pictures: tuple[Picture, ...]
    created: datetime
    updated: datetime
    revision: int
    index_state: str = ""
    index_error: str | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Product:
        """Read it from JSON; what a newer service adds is left out."""
        return cls(
            id=row["product_id"],
            title=row["title"],
            description=row["description"],
            attributes=row["attributes"],
            source_key=row["source_key"],
            pictures=tuple(_picture(picture) for picture in row["pictures"]),
            created=datetime.fromisoformat(row["created"]),
            updated=datetime.fromisoformat(row["updated"]),
            revision=row["revision"],
            index_state=row.get("index_state", ""),
            index_error=row.get("index_error"),
        )


@dataclass(frozen=True, slots=True)
class ProductPage:
    """
    A page of the catalogue.

    Attributes:
        total: products that fit; not all were counted unless `total_exact`.
        next_cursor: where to go on; None at the end.
    """

    products: tuple[Product, ...]
    total: int
    total_exact: bool
    next_cursor: str | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> ProductPage:
        """Read it from JSON."""
        products = tuple(map(Product.read, row["products"]))
        return cls(products, row["total"], row["total_exact"], row["next_cursor"])


@dataclass(frozen=True, slots=True)
class Hit:
    """
    A product that was found.

    Attributes:
        picture: which of its pictures matched best, None if none was looked at.
        scores: score per probe, if explained.
        relevance: probability that it is what was looked for; None where nothing says so.
        summary: what the scene tells of it.
    """

    product: Product
    score: float
    picture: int | None
    scores: Mapping[str, float] = field(default_factory=dict)
    relevance: float | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Hit:
        """Read it from JSON."""
        return cls(
            Product.read(row),
            row["score"],
            row["picture"],
            row["scores"],
            row.get("relevance"),
            row.get("summary") or {},
        )


@dataclass(frozen=True, slots=True)
class GeneratedPicture:
    """A picture that was drawn; asked for alone with its seed, it is the same."""

    sha256: str
    url: str
    size: int
    seed: int | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> GeneratedPicture:
        """Read it from JSON."""
        return cls(row["sha256"], row["url"], row["size"], row["seed"])


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Hits, best first.

    Attributes:
        kind: the kind of search after `auto` was resolved.
        missing: probes that did not answer, with the reason.
        no_good_match: whether nothing found is likely to be what was looked for; None where
            nothing says so.
        imagined: the picture that was drawn from the words and looked for, if one was wanted.
        answer_id: what feedback refers to; empty outside of scenes.
        experiments: layer → experiment that the answer was made by.
        debug: how it came about, if asked for.
    """

    hits: tuple[Hit, ...]
    kind: str
    found: int
    facets: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    missing: Mapping[str, str]
    took_ms: float
    no_good_match: bool | None = None
    imagined: GeneratedPicture | None = None
    scene: str = ""
    answer_id: str = ""
    experiments: Mapping[str, str] = field(default_factory=dict)
    debug: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Answer:
        """Read it from JSON."""
        return cls(
            hits=tuple(map(Hit.read, row["hits"])),
            kind=row["kind"],
            found=row["found"],
            facets=row["facets"],
            notes=tuple(row["notes"]),
            missing=row["missing"],
            took_ms=row["took_ms"],
            no_good_match=row.get("no_good_match"),
            imagined=GeneratedPicture.read(row["imagined"]) if row.get("imagined") else None,
            scene=row.get("scene") or "",
            answer_id=row.get("answer") or "",
            experiments=row.get("experiments") or {},
            debug=row.get("debug") or {},
        )


@dataclass(frozen=True, slots=True)
class BatchResult:
    """
    What became of one product.

    Attributes:
        result: added, changed, unchanged, replaced (a later one has the same key) or failed.
    """

    source_key: str | None
    result: str
    product_id: int | None
    revision: int | None
    reason: str | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> BatchResult:
        """Read it from JSON."""
        names = ("source_key", "result", "product_id", "revision", "reason")
        return cls(*(row.get(name) for name in names))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ImportJob:
    """
    An import: read = stored + skipped + failed, at every moment.

    Attributes:
        state: waiting, running, done, failed, cancelled or interrupted.
        expected: entries, as far as that was known beforehand.
        bad: what was left out, with line, key and reason; at most 100.
    """

    id: str
    state: str
    source: str
    expected: int | None
    read: int
    stored: int
    skipped: int
    failed: int
    bad: tuple[Mapping[str, Any], ...]
    error: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ImportJob:
        """Read it from JSON."""
        counts = {name: row[name] for name in ("read", "stored", "skipped", "failed")}
        return cls(
            id=row["job"],
            state=row["state"],
            source=row["source"],
            expected=row["expected"],
            bad=tuple(row["bad"]),
            error=row["error"],
            **counts,
        )


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether every part answers, and what each said."""

    ready: bool
    checks: Mapping[str, Mapping[str, Any]]

    @property
    def unsettled(self) -> int:
        """Changes that searches do not know yet."""
        changes = self.checks.get("changes", {})
        return int(changes.get("waiting", 0)) + int(changes.get("leased", 0))


def _picture(row: Mapping[str, Any]) -> Picture:
    return Picture(
        row["sha256"], row["width"], row["height"], row["format"], row["size"], row["url"]
    )

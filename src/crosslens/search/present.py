"""From a ranking to an answer: the catalogue has the last word on what exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from crosslens.catalog.product import Product
from crosslens.search.rank import Ranked
from crosslens.search.relevance import Curve
from crosslens.values import Attributes, AttributeValue, Kind

LOOKED_AT = 10  # one of the best hits must be good, or there is no good match


@dataclass(frozen=True, slots=True)
class Hit:
    """
    A product in an answer.

    Attributes:
        position: which of its pictures matched best, None if none was looked at.
        scores: raw score per probe, empty unless asked for.
        relevance: probability that it is what was looked for; None where nothing says so.
    """

    product: Product
    score: float
    position: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    relevance: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A page of hits, best first.

    Attributes:
        kind: the kind of search after `auto` was resolved.
        facets: per attribute, how many of the products found hold each value, most first.
        found: how many products the probes found, up to the depth they were asked for.
        notes: what to know about how the answer came about.
        missing: probes that did not answer, with the reason.
        took_ms: milliseconds per step.
        no_good_match: whether nothing found is likely to be what was looked for; None where
            nothing says so.
    """

    hits: tuple[Hit, ...]
    kind: Kind
    found: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    took_ms: Mapping[str, float] = field(default_factory=dict)
    no_good_match: bool | None = None


def visible(
    ranking: Sequence[Ranked], products: Mapping[int, Product], *, exclude: int | None
) -> list[Ranked]:
    """Keep what the catalogue still shows, and not the product that was asked about."""
    return [
        ranked
        for ranked in ranking
        if ranked.product_id != exclude
        and (product := products.get(ranked.product_id)) is not None
        and not product.retired
    ]


def hits(
    ranking: Iterable[Ranked],
    products: Mapping[int, Product],
    *,
    explain: bool,
    curve: Curve | None = None,
) -> tuple[Hit, ...]:
    """Join a page of the ranking with its products, and with their chances by a curve."""
    return tuple(
        Hit(
            products[r.product_id],
            r.score,
            r.position,
            dict(r.scores) if explain else {},
            None if curve is None else curve(r.scores),
        )
        for r in ranking
    )


def has_no_good_match(ranking: Sequence[Ranked], curve: Curve | None) -> bool | None:
    """Whether even the likeliest of the first products is too unlikely; None without a curve."""
    if curve is None:
        return None
    return max((curve(ranked.scores) for ranked in ranking[:LOOKED_AT]), default=0.0) < curve.least


def count_facets(names: Sequence[str], found: Collection[Attributes]) -> dict[str, dict[str, int]]:
    """Count the values of attributes over products, most frequent first, then by name."""
    return {name: _counted(one[name] for one in found if name in one) for name in names}


def _counted(values: Iterable[AttributeValue]) -> dict[str, int]:
    counter = Counter(chain.from_iterable(map(_shown, values)))
    return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))


def _shown(value: AttributeValue) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return dict.fromkeys(value)
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [f"{value:g}"]

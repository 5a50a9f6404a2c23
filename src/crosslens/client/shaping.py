"""Duplicates, scenes, experiments and feedback: the calls, and what the service answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosslens.client.answers import Product
from crosslens.client.calls import Call
from crosslens.client.tending import Task


@dataclass(frozen=True, slots=True)
class DuplicateCluster:
    """
    Products that are believed to be one.

    Attributes:
        tier: exact, near or same_product: the surest of the reasons.
        pairs: left, right, tier and evidence of each reason.
    """

    tier: str
    products: tuple[Product, ...]
    pairs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """A page of clusters; `scanned` is when the catalogue was looked through, None if never."""

    clusters: tuple[DuplicateCluster, ...]
    total: int
    scanned: str | None


@dataclass(frozen=True, slots=True)
class SuggestedTitle:
    """A title that fits the pictures of a product, and the products that have it."""

    title: str
    score: float
    products: Sequence[int]


def duplicates(
    *, tiers: Sequence[str] = (), limit: int = 20, offset: int = 0
) -> Call[DuplicatePage]:
    """Read clusters of products that look like one; tiers: exact, near, same_product."""
    params: dict[str, Any] = {"limit": limit, "offset": offset}
    if tiers:
        params["tier"] = list(tiers)
    return Call("GET", "/duplicates", lambda reply: _page(reply.json()), params=params)


def scan_duplicates() -> Call[Task]:
    """Begin to look through the whole catalogue for duplicates."""
    return Call("POST", "/duplicates/scan", lambda r: Task.read(r.json()), repeatable=False)


def decide_duplicates(
    product_ids: Sequence[int], verdict: str, *, keep: int | None = None
) -> Call[Product | None]:
    """
    Remember what is true of some products: distinct, merged into `keep`, or open again.

    Returns:
        The product that stays, if they were merged.
    """
    body: dict[str, Any] = {"products": list(product_ids), "verdict": verdict}
    if keep is not None:
        body["keep"] = keep
    return Call(
        "POST",
        "/duplicates/decision",
        lambda reply: None if (kept := reply.json()["kept"]) is None else Product.read(kept),
        body=json.dumps(body).encode(),
        repeatable=keep is None,
    )


def suggest_titles(product_id: int, *, limit: int = 5) -> Call[list[SuggestedTitle]]:
    """Ask for titles that fit the pictures of a product."""
    return Call(
        "GET",
        f"/product/{product_id}/titles",
        lambda reply: [SuggestedTitle(**row) for row in reply.json()["titles"]],
        params={"limit": limit},
    )


def feedback(answer_id: str, *told: tuple[int, str]) -> Call[int]:
    """
    Say what someone did with products of an answer: (product id, action), where an action is
    click, cart, buy or dismissed.

    Returns:
        How much of it was new; saying a thing twice counts once.
    """
    rows = [{"product_id": product_id, "action": action} for product_id, action in told]
    body = json.dumps({"answer": answer_id, "told": rows}).encode()
    return Call("POST", "/feedback", lambda reply: int(reply.json()["new"]), body=body)


def _page(row: Mapping[str, Any]) -> DuplicatePage:
    clusters = tuple(
        DuplicateCluster(each["tier"], tuple(map(Product.read, each["products"])), each["pairs"])
        for each in row["clusters"]
    )
    return DuplicatePage(clusters, row["total"], row["scanned"])

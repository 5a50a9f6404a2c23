"""Duplicates, scenes, experiments and feedback: the calls, and what the service answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crosslens.client.answers import Product
from crosslens.client.calls import Call
from crosslens.client.tending import FromJson, Task


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


@dataclass(frozen=True, slots=True)
class UntitledPage:
    """Products whose title tells nothing; `next` is where to go on, None at the end."""

    products: tuple[Product, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class SceneLayer:
    """A layer: experiment → share of the users."""

    name: str
    bucket: str
    experiments: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SceneInfo:
    """A scene and its layers."""

    name: str
    layers: tuple[SceneLayer, ...]


@dataclass(frozen=True, slots=True)
class SceneList:
    """All scenes; `error` says why the file is not in use as it stands."""

    scenes: tuple[SceneInfo, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class ExperimentsReport(FromJson):
    """
    The experiments of a layer beside its first one.

    Attributes:
        users, answers, shares: per experiment; shares of the users as the file has them.
        split_p: how likely such a split is; below 0.001 `trusted` is false.
        effects: experiment → users, means, difference, low, high, p, and the same at any time.
        duels: experiment → rivals, wins, ties and p of interleaved rankings.
    """

    scene: str
    layer: str
    action: str
    users: Mapping[str, int]
    answers: Mapping[str, int]
    shares: Mapping[str, float]
    split_p: float
    trusted: bool
    effects: Mapping[str, Mapping[str, Any]]
    duels: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class GoldenQuery(FromJson):
    """A golden query: source key → grade; 1 and above is relevant, 0 was judged not to be."""

    id: str
    words: str
    grades: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JudgingCandidate:
    """A product worth a judgement; `found_by`: way of searching → rank, from 1."""

    key: str
    grade: int | None
    found_by: Mapping[str, int]
    product: Product


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


def untitled(*, after: int = 0, limit: int = 20) -> Call[UntitledPage]:
    """Read products with pictures whose title is a number or the name of a file."""
    return Call(
        "GET",
        "/untitled",
        lambda reply: UntitledPage(
            tuple(map(Product.read, reply.json()["products"])), reply.json()["next"]
        ),
        params={"after": after, "limit": limit},
    )


def scenes() -> Call[SceneList]:
    """List scenes with their layers and experiments."""
    return Call("GET", "/scenes", lambda reply: _scenes(reply.json()))


def experiments_report(
    scene: str,
    layer: str,
    *,
    action: str = "click",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Call[ExperimentsReport]:
    """Compare the experiments of a layer; action: click, cart, buy or dismissed."""
    params: dict[str, Any] = {"scene": scene, "layer": layer, "action": action}
    bounds = {"since": since, "until": until}
    params |= {name: at.isoformat() for name, at in bounds.items() if at is not None}
    return Call(
        "GET", "/experiments", lambda reply: ExperimentsReport.read(reply.json()), params=params
    )


def golden_queries(set: str) -> Call[list[GoldenQuery]]:
    """List the golden queries of a set with their judgements."""
    return Call(
        "GET", f"/judged/{set}", lambda reply: [GoldenQuery.read(row) for row in reply.json()]
    )


def judge(set: str, words: str, grades: Mapping[str, int | None]) -> Call[dict[str, int]]:
    """
    Judge products for a question; None takes a judgement back.

    Args:
        grades: source key (or the id of a product without one) → 0 to 10; from 1 on relevant.

    Returns:
        What is judged of the question now.
    """
    body = json.dumps({"words": words, "grades": dict(grades)}, ensure_ascii=False).encode()
    return Call("POST", f"/judged/{set}", lambda reply: dict(reply.json()["grades"]), body=body)


def judging_candidates(set: str, words: str, *, limit: int = 40) -> Call[list[JudgingCandidate]]:
    """Find products worth a judgement by several ways of searching, and those judged already."""
    return Call(
        "GET",
        f"/judged/{set}/candidates",
        lambda reply: [
            JudgingCandidate(
                row["key"], row["grade"], row["found_by"], Product.read(row["product"])
            )
            for row in reply.json()["candidates"]
        ],
        params={"words": words, "limit": limit},
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


def _scenes(row: Mapping[str, Any]) -> SceneList:
    scenes = tuple(
        SceneInfo(
            each["name"],
            tuple(SceneLayer(x["name"], x["bucket"], x["experiments"]) for x in each["layers"]),
        )
        for each in row["scenes"]
    )
    return SceneList(scenes, row["error"])


def _page(row: Mapping[str, Any]) -> DuplicatePage:
    clusters = tuple(
        DuplicateCluster(each["tier"], tuple(map(Product.read, each["products"])), each["pairs"])
        for each in row["clusters"]
    )
    return DuplicatePage(clusters, row["total"], row["scanned"])

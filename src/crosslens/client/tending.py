"""Looking after a service: what it answers about its index, bundles, tasks and quality."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypedDict, Unpack

from crosslens.client.calls import Call
from crosslens.client.replies import Reply


class FromJson:
    """A value read from JSON; what a newer service adds is left out."""

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Read it."""
        known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in row.items() if name in known})


@dataclass(frozen=True, slots=True)
class Task(FromJson):
    """
    Long work of the service.

    Attributes:
        kind: rebuild, use, audit or evaluation.
        state: waiting, running, done, failed or cancelled.
        done, total: of the phase at hand; total is 0 while it is not known.
        result: what came out, once it is done.
        error, hint, code: why it failed; the code is stable, the words are not.
    """

    task: str
    kind: str
    about: str
    state: str
    phase: str
    done: int
    total: int
    created: str
    ended: str | None
    result: Mapping[str, Any]
    error: str | None
    hint: str | None = None
    code: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class IndexState(FromJson):
    """
    How the index is beside the catalogue.

    Attributes:
        attributes: filterable ones and their types.
        waiting, leased, parked: changes in products.
        oldest_s: seconds since the oldest waiting change was announced.
        parked_products: product_id, title, tries and error of those that could not be indexed.
    """

    products: int
    pictures: int
    catalog_products: int
    catalog_pictures: int
    removed: int
    fits_settings: bool
    text_spaces: Sequence[str]
    picture_spaces: Sequence[str]
    attributes: Mapping[str, str]
    waiting: int
    leased: int
    parked: int
    oldest_s: float
    parked_products: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Model(FromJson):
    """A bundle: what it says of itself, and what it is used for now."""

    name: str
    about: str
    space: str
    dim: int
    towers: Sequence[str]
    licence: str
    used_for: Sequence[str]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TrafficStep(FromJson):
    """
    What happened within some seconds.

    Attributes:
        at: seconds since 1970 when the step began.
        queue: changes that waited; None when nobody looked.
        paths: path, answers, failed, p50_ms and p95_ms.
    """

    at: int
    seconds: int
    queue: int | None
    paths: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class JudgedSet(FromJson):
    """A judged set, and the kinds of search that it can judge; `own`: it may be judged in."""

    name: str
    kinds: Sequence[str]
    own: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationRun(FromJson):
    """
    A measured run.

    Attributes:
        report: metrics, 95 % intervals, queries, seconds, and parts by language or change.
    """

    id: str
    name: str
    created: str
    options: Mapping[str, Any]
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AskedQuery(FromJson):
    """
    One query of a run.

    Attributes:
        found, right: source keys, best first.
        values: measure → value of this query.
        products: source key → id of the products that there are.
    """

    id: str
    words: str | None
    language: str | None
    starts_from: str | None
    found: Sequence[str]
    right: Sequence[str]
    values: Mapping[str, float]
    products: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared(FromJson):
    """
    Two runs over the queries that both asked.

    Attributes:
        measures: measure → first, second, difference (first less second), low, high, p.
    """

    first: str
    second: str
    queries: int
    measures: Mapping[str, Mapping[str, float]]


class Evaluation(TypedDict, total=False):
    """How to evaluate; what is left out has the service's default."""

    name: str
    kind: str
    alpha: float | None
    fusion: str
    language: str | None
    queries: int | None
    depth: int
    scene: str | None


def index_state() -> Call[IndexState]:
    """Ask how the index is beside the catalogue, and what is parked for which reason."""
    return Call("GET", "/index", lambda reply: IndexState.read(reply.json()))


def start_audit(*, repair: bool = False) -> Call[Task]:
    """Compare catalogue and index, and index again what differs if asked to; role admin."""
    return _begin("/index/audit", {"repair": repair})


def start_rebuild() -> Call[Task]:
    """Build the index anew beside the live one, and switch; role admin."""
    return _begin("/index/rebuild", {})


def index_again(product_ids: Sequence[int]) -> Call[int]:
    """Let products be looked at again, parked ones included; return how many will be."""
    return Call(
        "POST",
        "/index/again",
        lambda reply: int(reply.json()["announced"]),
        body=_json({"product_ids": list(product_ids)}),
    )


def models() -> Call[list[Model]]:
    """List the bundles of the service, and what they are used for."""
    return Call("GET", "/model", lambda reply: [Model.read(row) for row in reply.json()])


def use_model(name: str, *, purpose: str = "cross-modal") -> Call[Task]:
    """Check a bundle, index everything for it, and switch; role admin."""
    return _begin(f"/model/{name}/use", {"purpose": purpose})


def tasks() -> Call[list[Task]]:
    """List long work of the service, newest first."""
    return Call("GET", "/task", lambda reply: [Task.read(row) for row in reply.json()])


def task(task_id: str) -> Call[Task]:
    """Ask how far long work is."""
    return Call("GET", f"/task/{task_id}", _task)


def traffic() -> Call[list[TrafficStep]]:
    """Ask what happened in the last hour, in steps of ten seconds."""
    return Call("GET", "/traffic", lambda reply: [TrafficStep.read(row) for row in reply.json()])


def judged_sets() -> Call[list[JudgedSet]]:
    """List the judged sets of the service."""
    return Call("GET", "/judged", lambda reply: [JudgedSet.read(row) for row in reply.json()])


def start_evaluation(set: str, **options: Unpack[Evaluation]) -> Call[Task]:
    """Ask the queries of a judged set of the live catalogue; the result names the run."""
    given = {name: value for name, value in options.items() if value is not None}
    return _begin("/evaluation", {"set": set, **given})


def runs() -> Call[list[EvaluationRun]]:
    """List measured runs, newest first."""
    return Call("GET", "/evaluation", lambda reply: [_run(row) for row in reply.json()])


def run(run_id: str) -> Call[EvaluationRun]:
    """Read a measured run."""
    return Call("GET", f"/evaluation/{run_id}", lambda reply: _run(reply.json()))


def remove_run(run_id: str) -> Call[None]:
    """Forget a measured run."""
    return Call("DELETE", f"/evaluation/{run_id}", lambda reply: None, gone_is_done=True)


def worst_queries(
    run_id: str, *, measure: str = "ndcg@10", limit: int = 20
) -> Call[list[AskedQuery]]:
    """Ask for the queries of a run that a measure is least pleased with."""
    return Call(
        "GET",
        f"/evaluation/{run_id}/worst",
        lambda reply: [AskedQuery.read(row) for row in reply.json()],
        params={"measure": measure, "limit": limit},
    )


def compare_runs(first: str, second: str) -> Call[Compared]:
    """Compare two runs query by query."""
    return Call(
        "GET", f"/evaluation/{first}/beside/{second}", lambda reply: Compared.read(reply.json())
    )


def _run(row: Mapping[str, Any]) -> EvaluationRun:
    return EvaluationRun.read(row)


def _begin(path: str, body: Mapping[str, Any]) -> Call[Task]:
    return Call("POST", path, _task, body=_json(body), repeatable=False)


def _task(reply: Reply) -> Task:
    return Task.read(reply.json())


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()

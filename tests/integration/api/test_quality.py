"""Evaluations over the live catalogue: run, keep, look at, compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosslens.client import Client
from crosslens.errors import InvalidRequest, NotFound
from house import House
from service import application, listening

SHOP = {"red": "red shoe", "blue": "blue bag", "green": "green hat"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    folder = tmp_path / "judged" / "shop"
    folder.mkdir(parents=True)
    rows = [{"id": key, "text": title} for key, title in SHOP.items()]
    rows.append({"id": "lost", "text": "green hat"})
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    lines = [f"{key}\t{key}\t1" for key in SHOP] + ["lost\tgone\t1"]
    (folder / "qrels.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n", "utf-8"
    )
    with listening(application(tmp_path, None, House())) as url, Client(url) as client:
        yield client


@pytest.fixture
def stocked(client: Client) -> Client:
    for key, title in SHOP.items():
        client.add_product(title, source_key=key)
    client.wait_until_indexed()
    return client


def test_a_run_is_measured_kept_and_shown(stocked: Client) -> None:
    assert [(s.name, "hybrid" in s.kinds) for s in stocked.judged_sets()] == [("shop", True)]
    task = stocked.wait_for_task(stocked.start_evaluation("shop", kind="hybrid", alpha=0.0).task)
    assert (task.state, task.error) == ("done", None)
    run = stocked.run(task.result["run"])
    assert (run.name, run.report["queries"], run.report["products"]) == (
        "shop · hybrid · α 0",
        4,
        3,
    )
    assert run.report["metrics"]["recall@1"] == 0.75
    low, high = run.report["intervals"]["recall@1"]
    assert low < 0.75 < high
    assert [kept.id for kept in stocked.runs()] == [run.id]


def test_the_worst_queries_come_first_with_what_was_found(stocked: Client) -> None:
    task = stocked.wait_for_task(stocked.start_evaluation("shop", kind="hybrid", alpha=0.0).task)
    first, *others = stocked.worst_queries(task.result["run"], measure="recall@1")
    assert (first.id, first.right, first.values["recall@1"]) == ("lost", ["gone"], 0.0)
    assert first.found == ["green"]
    assert list(first.products) == ["green"]
    assert {asked.values["recall@1"] for asked in others} == {1.0}
    with pytest.raises(InvalidRequest, match="allowed are recall@1"):
        stocked.worst_queries(task.result["run"], measure="luck")


def test_two_runs_are_compared_query_by_query(stocked: Client) -> None:
    ids = [
        stocked.wait_for_task(stocked.start_evaluation("shop", alpha=alpha).task).result["run"]
        for alpha in (0.0, 1.0)
    ]
    compared = stocked.compare_runs(*ids)
    row = compared.measures["ndcg@10"]
    assert compared.queries == 4
    assert row["difference"] == pytest.approx(row["first"] - row["second"])
    assert row["low"] <= row["difference"] <= row["high"]
    assert 0 < row["p"] <= 1
    stocked.remove_run(ids[0])
    with pytest.raises(NotFound):
        stocked.compare_runs(*ids)


def test_a_catalogue_without_the_judged_products_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="holds none of the products"):
        client.start_evaluation("shop")
    with pytest.raises(NotFound, match="there are: shop"):
        client.start_evaluation("nothing")
    with pytest.raises(InvalidRequest, match="cannot judge"):
        client.start_evaluation("shop", kind="image2image")

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


def test_a_run_tells_how_true_scores_are_as_probabilities(stocked: Client) -> None:
    task = stocked.wait_for_task(stocked.start_evaluation("shop", kind="hybrid").task)
    assert stocked.run(task.result["run"]).report["calibration"] is None, "too little is judged"
    for n in range(60):
        stocked.add_product(f"shoe of sort {n}", source_key=f"s{n}")
    stocked.wait_until_indexed()
    for n in range(60):
        stocked.judge("many", f"shoe of sort {n}", {f"s{n}": 1})
    task = stocked.wait_for_task(stocked.start_evaluation("many", kind="hybrid", alpha=0.0).task)
    truth = stocked.run(task.result["run"]).report["calibration"]
    assert truth["hits"] > 60
    assert 0 <= truth["error_after"] < truth["error_before"] <= 1
    assert truth["error_in_use"] is None


def test_candidates_come_from_several_ways_and_bring_their_grades(stocked: Client) -> None:
    found = stocked.judging_candidates("mine", "  red   shoe ")
    assert {c.key for c in found} == set(SHOP)
    assert found[0].key == "red"
    assert set(found[0].found_by) == {"hybrid", "keyword", "text2text", "text2image"} - (
        set() if found[0].product.pictures else {"text2image"}
    )
    assert stocked.judge("mine", "red shoe", {"red": 3, "blue": 0, "gone": 2}) == {
        "red": 3,
        "blue": 0,
        "gone": 2,
    }
    again = {c.key: c.grade for c in stocked.judging_candidates("mine", "red shoe", limit=1)}
    assert again == {"red": 3, "blue": 0}, "what is judged stays in sight, what is gone does not"
    assert stocked.judge("mine", "red shoe", {"blue": None}) == {"red": 3, "gone": 2}
    (kept,) = stocked.golden_queries("mine")
    assert (kept.words, dict(kept.grades)) == ("red shoe", {"red": 3, "gone": 2})
    assert {s.name: s.own for s in stocked.judged_sets()} == {"mine": True, "shop": True}


def test_a_product_without_a_key_is_judged_by_its_id(stocked: Client) -> None:
    bare = stocked.add_product("yellow scarf")
    stocked.wait_until_indexed()
    found = stocked.judging_candidates("mine", "yellow scarf")
    assert found[0].key == str(bare.id)
    stocked.judge("mine", "yellow scarf", {found[0].key: 2})
    stocked.judge("mine", "nothing of the sort", {found[0].key: 0})
    grades = {c.key: c.grade for c in stocked.judging_candidates("mine", "yellow scarf", limit=1)}
    assert grades[str(bare.id)] == 2


def test_what_cannot_be_judged_is_refused(stocked: Client) -> None:
    with pytest.raises(NotFound, match="there are: shop"):
        stocked.golden_queries("nothing")
    for words, grades in (("   ", {"red": 1}), ("red", {"red": 11}), ("red", {"a\tb": 1})):
        with pytest.raises(InvalidRequest):
            stocked.judge("mine", words, grades)
    with pytest.raises(InvalidRequest):
        stocked.judge("..", "red", {"red": 1})


def test_untitled_products_are_listed_in_pages(stocked: Client) -> None:
    from fakes import jpeg

    bare = [stocked.add_product(f"IMG_{n}", pictures=[jpeg((n, 9, 9))]).id for n in range(3)]
    stocked.add_product("IMG_9")  # nothing to look at
    page = stocked.untitled(limit=2)
    assert [product.id for product in page.products] == bare[:2]
    rest = stocked.untitled(after=page.next or 0, limit=2)
    assert [product.id for product in rest.products] == bare[2:]
    assert rest.next is None

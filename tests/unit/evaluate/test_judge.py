import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosslens.corpora.judged import JudgedSet, Judgements
from crosslens.corpora.judgements import Query
from crosslens.corpora.records import BadRecord, Record, Where
from crosslens.corpora.sources import Source
from crosslens.errors import InvalidRequest, UnreadablePicture
from crosslens.evaluate.judge import ask, evaluate, report
from crosslens.evaluate.runs import Run
from crosslens.values import Kind


def gallery(*keys: str) -> Source:
    def read() -> Iterator[Record | BadRecord]:
        for key in keys:
            yield Record(where=Where(Path("x")), key=key, title=key)
        yield BadRecord(Where(Path("x")), "broken")

    return Source(Path("x"), "test", read, lambda: len(keys) + 1)


def judged_set(queries: list[Query], qrels: dict[str, dict[str, int]]) -> JudgedSet:
    products = gallery("a", "b", "c")
    return JudgedSet("set", Kind.COMPOSED, Judgements.COMPOSED, products, tuple(queries), qrels)


def answers(*keys: str) -> list[tuple[str, float]]:
    return [(key, 1.0 - index / 100) for index, key in enumerate(keys)]


def test_the_source_of_a_composed_query_takes_no_rank():
    queries = [Query("q", words="red", product="a", excluded=True)]
    found = evaluate(judged_set(queries, {"q": {"b": 1}}), lambda _: answers("a", "b"), ks=(1,))
    assert found.metrics["hit@1"] == 1.0
    assert found.metrics["mrr"] == 1.0


def test_a_picture_of_the_gallery_may_be_its_own_answer():
    queries = [Query("q", picture=Path("a.jpg"), product="a")]
    found = evaluate(judged_set(queries, {"q": {"a": 1}}), lambda _: answers("a", "b"))
    assert found.metrics["recall@1"] == 1.0


def test_a_repeated_product_takes_one_rank_with_its_first_score():
    run = ask([Query("q")], lambda _: [("a", 0.9), ("a", 0.8), ("b", 0.7)], {"q": {"b": 1}})
    assert run.results["q"] == [("a", 0.9), ("b", 0.7)]


def test_the_report_has_the_promised_keys():
    queries = [Query("q1", language="en"), Query("q2", language="zh")]
    found = evaluate(
        judged_set(queries, {"q1": {"a": 1}, "q2": {"c": 1}}),
        lambda query: answers("a", "b") if query.id == "q1" else answers("b", "c"),
    )
    held = found.as_json()
    assert list(held["metrics"]) == [
        "recall@1", "recall@5", "recall@10", "hit@1", "hit@5", "hit@10",
        "mrr@10", "mrr", "map", "ndcg@10",
    ]  # fmt: skip
    assert held["metrics"].keys() == held["intervals"].keys()
    assert (held["queries"], held["products"], held["set"], held["kind"]) == (
        2,
        3,
        "set",
        "composed",
    )
    assert held["by"]["language"]["en"]["metrics"]["recall@1"] == 1.0
    assert held["by"]["language"]["zh"]["metrics"]["recall@1"] == 0.0
    assert found.metrics["mrr"] == 0.75
    assert found.rows()[0] == ("measure", "mean", "95 % interval", "en", "zh")
    assert found.rows()[1] == ("recall@1", "0.5000", "0.0000 to 1.0000", "1.0000", "0.0000")


def test_kinds_of_change_are_told_apart():
    queries = [
        Query("q1", change="colour"),
        Query("q2", change="article"),
        Query("q3", change="colour"),
    ]
    qrels = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}}
    parts = evaluate(judged_set(queries, qrels), lambda _: answers("a")).by["change"]
    assert {name: part.queries for name, part in parts.items()} == {"colour": 2, "article": 1}


def test_queries_that_nobody_judged_are_not_asked():
    asked = []
    ask([Query("q1"), Query("q2")], lambda q: asked.append(q.id) or answers("a"), {"q2": {"a": 1}})
    assert asked == ["q2"]


def test_a_query_that_fails_scores_0_and_is_named():
    def search(query: Query) -> list[tuple[str, float]]:
        if query.id == "bad":
            raise UnreadablePicture("truncated")
        return answers("a")

    queries = [Query("good"), Query("bad")]
    found = evaluate(judged_set(queries, {"good": {"a": 1}, "bad": {"a": 1}}), search)
    assert found.metrics["recall@1"] == 0.5
    assert found.failed == {"bad": "truncated"}


def test_a_search_that_always_fails_is_an_error():
    def search(query: Query) -> list[tuple[str, float]]:
        raise InvalidRequest(f"no {query.id}")

    with pytest.raises(InvalidRequest, match="no q1"):
        evaluate(judged_set([Query("q1"), Query("q2")], {"q1": {"a": 1}, "q2": {"a": 1}}), search)


def test_a_query_without_a_right_answer_counts_and_is_reported():
    queries = [Query("q1"), Query("q2")]
    found = evaluate(judged_set(queries, {"q1": {"a": 1}, "q2": {"a": 0}}), lambda _: answers("a"))
    assert (found.metrics["recall@1"], found.unanswerable) == (0.5, 1)


def test_progress_counts_every_judged_query():
    seen = []
    queries = [Query(f"q{number}") for number in range(20)]
    qrels = {query.id: {"a": 1} for query in queries}
    ask(
        queries,
        lambda _: answers("a"),
        qrels,
        progress=lambda done, all_: seen.append((done, all_)),
    )
    assert seen == [(number, 20) for number in range(1, 21)]


def test_searches_run_side_by_side():
    together = threading.Barrier(3, timeout=10)

    def search(query: Query) -> list[tuple[str, float]]:
        together.wait()
        return answers("a")

    queries = [Query(f"q{number}") for number in range(3)]
    run = ask(queries, search, {query.id: {"a": 1} for query in queries}, threads=3)
    assert list(run.results) == ["q0", "q1", "q2"]


@pytest.mark.parametrize("ks", [(), (0,), (5, -1)])
def test_impossible_cut_offs_are_refused(ks):
    with pytest.raises(InvalidRequest, match="cut-offs"):
        report([Query("q")], Run({}), {"q": {"a": 1}}, ks=ks)


def test_a_run_from_a_file_without_a_query_scores_0_for_it():
    found = report(
        [Query("q1"), Query("q2")], Run({"q1": [("a", 1.0)]}), {"q1": {"a": 1}, "q2": {"b": 1}}
    )
    assert found.metrics["hit@10"] == 0.5

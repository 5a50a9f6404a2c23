"""Gates: good enough, and not worse."""

from __future__ import annotations

import pytest

from crosslens.corpora.judgements import Query
from crosslens.errors import InvalidRequest
from crosslens.evaluate.gates import against, failures, floors
from crosslens.evaluate.judge import report
from crosslens.evaluate.runs import Run

QUERIES = [Query(f"q{n}", words="x") for n in range(40)]
QRELS = {query.id: {"right": 1} for query in QUERIES}


def run(right_first: int) -> Run:
    first, last = [("right", 2.0), ("wrong", 1.0)], [("wrong", 2.0), ("right", 1.0)]
    return Run({q.id: first if n < right_first else last for n, q in enumerate(QUERIES)})


def test_a_gate_holds_or_says_what_does_not() -> None:
    now, earlier = report(QUERIES, run(10), QRELS), run(35)
    beside = against(now, QUERIES, earlier, QRELS, name="before")
    assert failures(now, least={"hit@10": 1.0}) == []
    assert failures(now, least={"hit@1": 0.5}) == ["hit@1 is 0.2500, asked was 0.5"]
    (told,) = failures(now, not_worse=["mrr"], beside=beside)
    assert told.startswith("mrr fell by 0.3125 (p = ")


def test_a_fall_that_chance_explains_passes() -> None:
    now = report(QUERIES, run(20), QRELS)
    beside = against(now, QUERIES, run(22), QRELS, name="before")
    assert beside.measures["hit@1"].difference == pytest.approx(-0.05)
    assert failures(now, not_worse=["hit@1"], beside=beside) == []


def test_measures_and_bounds_must_be_there() -> None:
    now = report(QUERIES, run(20), QRELS)
    with pytest.raises(InvalidRequest, match="no measure 'f1'"):
        failures(now, least={"f1": 0.5})
    with pytest.raises(InvalidRequest, match="earlier run"):
        failures(now, not_worse=["mrr"])
    assert floors(["ndcg@10=0.4"]) == {"ndcg@10": 0.4}
    for wrong in ("ndcg@10", "ndcg@10=", "ndcg@10=nan"):
        with pytest.raises(InvalidRequest, match="MEASURE=VALUE"):
            floors([wrong])

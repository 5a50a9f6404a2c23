import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.errors import InvalidRequest
from crosslens.evaluate.runs import Run, read_run, read_trec, write_run, write_trec

ranked = st.lists(
    st.tuples(st.text(min_size=1), st.floats(-1, 1, width=32)), unique_by=lambda p: p[0]
)


@given(st.dictionaries(st.text(min_size=1), ranked.filter(bool)))
def test_a_trec_run_keeps_every_rank_whatever_the_ids(tmp_path_factory, results):
    path = tmp_path_factory.mktemp("run") / "run.trec"
    results = {query: sorted(found, key=lambda pair: -pair[1]) for query, found in results.items()}
    results = {
        query: found for query, found in results.items()
        if not any("\ud800" <= c <= "\udfff" for c in query + "".join(k for k, _ in found))
    }  # fmt: skip
    run = Run(results)
    write_trec(path, run)
    again = read_trec(path)
    assert {query: again.keys(query) for query in again.results} == {
        query: run.keys(query) for query in results
    }


def test_tied_scores_keep_their_order_in_other_tools(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ir_measures
    keys = ["b", "a", "d", "c"]
    write_trec(tmp_path / "run", Run({"q": [(key, 0.5) for key in keys]}))
    found = list(ir_measures.read_trec_run(str(tmp_path / "run")))
    measures = [ir_measures.RR]
    for rank, key in enumerate(keys, start=1):
        qrels = [ir_measures.Qrel("q", key, 1)]
        assert ir_measures.calc_aggregate(measures, qrels, found)[ir_measures.RR] == 1 / rank


def test_a_run_of_another_tool_is_ordered_by_score(tmp_path):
    (tmp_path / "run").write_text("q Q0 low 1 0.1 x\nq Q0 high 2 0.9 x\nq\tQ0\tsame\t3\t0.9\tx\n")
    assert read_trec(tmp_path / "run").keys("q") == ["high", "same", "low"]


@pytest.mark.parametrize("line", ["q Q0 a 1 0.5", "q Q0 a first 0.5 x", "q Q0 a 1 nan x"])
def test_a_broken_line_is_named(tmp_path, line):
    (tmp_path / "run").write_text(f"q Q0 a 1 1.0 x\n{line}\n")
    with pytest.raises(InvalidRequest, match=r"run:2: expected query"):
        read_trec(tmp_path / "run")


def test_a_run_is_kept_whole_as_json(tmp_path):
    run = Run(
        {"q 1": [("红 鞋.jpg", 0.5)], "none": []}, "hybrid", "tiny@1", "abc", 7, 1.5, {"none": "x"}
    )
    write_run(tmp_path / "run.json", run)
    assert read_run(tmp_path / "run.json") == run


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"results": {"q": [["a"]]}}', '{"results": {}, "x": 1}']
)
def test_what_is_no_run_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InvalidRequest, match="is no run"):
        read_run(tmp_path / "run.json")

import math
import random
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.evaluate import metrics
from crosslens.evaluate.metrics import judge_ranks
from crosslens.evaluate.report import measures, per_query

KEYS = [f"p{number}" for number in range(12)]
rankings = st.lists(st.sampled_from(KEYS), unique=True, max_size=12)
grades = st.dictionaries(st.sampled_from(KEYS), st.integers(-1, 3), max_size=12)
questions = st.lists(st.tuples(rankings, grades), min_size=1, max_size=6)
OF_K = {
    "recall": metrics.recall,
    "hit": metrics.hit,
    "precision": metrics.precision,
    "rr": metrics.reciprocal_rank,
    "ap": metrics.average_precision,
    "ndcg": metrics.ndcg,
}


def slow(name: str, found: list[str], judged: dict[str, int], k: int) -> float:
    """The definitions, word for word."""
    relevant = {key for key, grade in judged.items() if grade > 0}
    top = found[:k]
    hits = [rank for rank, key in enumerate(top, start=1) if key in relevant]
    gains = sorted((judged[key] for key in relevant), reverse=True)[:k]
    if not relevant:
        return 0.0
    if name == "recall":
        return len(hits) / len(relevant)
    if name == "hit":
        return float(bool(hits))
    if name == "precision":
        return len(hits) / k
    if name == "rr":
        return 1 / hits[0] if hits else 0.0
    if name == "ap":
        return sum((i + 1) / rank for i, rank in enumerate(hits)) / len(relevant)
    best = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
    return sum(judged[top[rank - 1]] / math.log2(rank + 1) for rank in hits) / best


@pytest.mark.parametrize("name", sorted(OF_K))
@given(asked=questions, k=st.integers(1, 15))
def test_a_measure_equals_its_definition(name, asked, k):
    judged = judge_ranks([found for found, _ in asked], [judged for _, judged in asked])
    wanted = [slow(name, found, judged, k) for found, judged in asked]
    assert OF_K[name](judged, k) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", sorted(OF_K))
@given(asked=questions, k=st.integers(1, 15))
def test_a_measure_lies_between_0_and_1(name, asked, k):
    judged = judge_ranks([found for found, _ in asked], [judged for _, judged in asked])
    values = OF_K[name](judged, k)
    assert values.shape == (len(asked),)
    assert np.all((values >= 0) & (values <= 1 + 1e-12))


@pytest.mark.parametrize("name", ["recall", "hit", "rr", "ap"])
@given(asked=questions, k=st.integers(1, 12))
def test_looking_deeper_never_lowers_a_measure(name, asked, k):
    judged = judge_ranks([found for found, _ in asked], [judged for _, judged in asked])
    assert np.all(OF_K[name](judged, k + 1) >= OF_K[name](judged, k))


def test_ranks_without_a_hit_do_not_change_precision_by_a_bit():
    found, relevant = [f"p{i}" for i in range(10)], {f"p{i}": 1 for i in range(1, 6)}
    judged = judge_ranks([found], [relevant])
    by_depth = [OF_K["ap"](judged, k)[0] for k in range(6, 11)]
    assert by_depth == [by_depth[0]] * 5


@given(asked=questions, seed=st.integers(0, 99))
def test_the_order_of_the_queries_does_not_matter(asked, seed):
    order = random.Random(seed).sample(range(len(asked)), len(asked))
    forth = per_query([f for f, _ in asked], [j for _, j in asked])
    back = per_query([asked[i][0] for i in order], [asked[i][1] for i in order])
    for name, values in forth.items():
        assert values[order] == pytest.approx(back[name])


@given(asked=questions, seed=st.integers(0, 99))
def test_the_order_within_the_first_k_does_not_change_recall_and_hit(asked, seed):
    mixed = [
        random.Random(seed).sample(found[:5], len(found[:5])) + found[5:] for found, _ in asked
    ]
    judgements = [judged for _, judged in asked]
    before = judge_ranks([found for found, _ in asked], judgements)
    after = judge_ranks(mixed, judgements)
    for of in (metrics.recall, metrics.hit, metrics.precision):
        assert np.array_equal(of(before, 5), of(after, 5))


def test_the_best_order_scores_1():
    judged = judge_ranks([["a", "b", "c"]], [{"a": 2, "b": 1, "x": 0}])
    for name, values in measures(judged, ks=(5,)).items():
        assert values == pytest.approx([1.0]), name


def test_no_result_scores_0():
    for name, values in per_query([[]], [{"a": 1}]).items():
        assert values == pytest.approx([0.0]), name


def test_recall_and_hit_differ_when_several_products_are_right():
    judged = judge_ranks([["a", "x"]], [{"a": 1, "b": 1, "c": 1, "d": 1}])
    assert metrics.recall(judged, 2) == pytest.approx([0.25])
    assert metrics.hit(judged, 2) == pytest.approx([1.0])


def random_run(seed: int) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    chance = random.Random(seed)
    keys = [f"d{number}" for number in range(60)]
    run, qrels = {}, {}
    for number in range(40):
        query = f"q{number}"
        run[query] = chance.sample(keys, chance.randint(0, 50))
        levels = [0, 0, 1, 2, 3] if number % 5 else [0]  # every fifth has nothing relevant
        qrels[query] = {key: chance.choice(levels) for key in chance.sample(keys, 25)}
    return run, qrels


@pytest.mark.parametrize("seed", range(3))
def test_measures_equal_those_of_ir_measures(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ir_measures
        from ir_measures import AP, RR, P, R, Success, nDCG
    run, qrels = random_run(seed)
    scored = {q: {key: -float(i) for i, key in enumerate(found)} for q, found in run.items()}
    judged = judge_ranks(list(run.values()), list(qrels.values()))
    ours = {
        nDCG @ 10: metrics.ndcg(judged, 10), nDCG @ 3: metrics.ndcg(judged, 3),
        nDCG: metrics.ndcg(judged), R @ 5: metrics.recall(judged, 5),
        R @ 10: metrics.recall(judged, 10), RR @ 10: metrics.reciprocal_rank(judged, 10),
        RR: metrics.reciprocal_rank(judged), AP @ 5: metrics.average_precision(judged, 5),
        AP: metrics.average_precision(judged), Success @ 5: metrics.hit(judged, 5),
        Success @ 1: metrics.hit(judged, 1), P @ 5: metrics.precision(judged, 5),
    }  # fmt: skip
    position = {query: index for index, query in enumerate(run)}
    checked = 0
    for found in ir_measures.iter_calc(list(ours), qrels, scored):
        assert ours[found.measure][position[found.query_id]] == pytest.approx(found.value, abs=1e-9)
        checked += 1
    assert checked >= len(ours) * 30
    means = ir_measures.calc_aggregate(list(ours), qrels, scored)
    for measure, mean in means.items():
        assert ours[measure].mean() == pytest.approx(mean, abs=1e-9), measure

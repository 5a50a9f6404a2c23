from hypothesis import given
from hypothesis import strategies as st

from crosslens.search.plan import Plan, Probe, Purpose
from crosslens.search.rank import RRF_K, rank, scaled
from crosslens.search.request import Fusion
from crosslens.values import Candidate, Kind, Modality

DENSE = Probe("text2image", Purpose.WORDS, Modality.PICTURE, 0.5)
WORDS = Probe("keyword", None, Modality.TEXT, 0.5)


def planned(fusion: Fusion, *probes: Probe) -> Plan:
    return Plan(Kind.HYBRID, probes or (DENSE, WORDS), fusion, 10)


@st.composite
def rankings(draw: st.DrawFn, low: float = -1.0, high: float = 1.0) -> list[Candidate]:
    ids = draw(st.lists(st.integers(1, 30), unique=True, max_size=12))
    scores = sorted(
        draw(st.lists(st.floats(low, high), min_size=len(ids), max_size=len(ids))), reverse=True
    )
    return [Candidate(i, s) for i, s in zip(ids, scores, strict=True)]


def ids(ranked: list) -> list[int]:
    return [r.product_id for r in ranked]


def test_reciprocal_ranks_add_up() -> None:
    found = {"text2image": [Candidate(7, 0.9), Candidate(8, 0.8)], "keyword": [Candidate(8, 12.0)]}
    best, second = rank(planned(Fusion.RRF), found)
    assert (best.product_id, best.score) == (8, 0.5 / (RRF_K + 2) + 0.5 / (RRF_K + 1))
    assert (second.product_id, second.score) == (7, 0.5 / (RRF_K + 1))
    assert best.scores == {"text2image": 0.8, "keyword": 12.0}


def test_one_probe_alone_keeps_its_own_scores() -> None:
    found = {"text2image": [Candidate(3, 0.7, 1), Candidate(4, 0.6, 0)]}
    ranked = rank(planned(Fusion.RRF, DENSE), found)
    assert [(r.product_id, r.score, r.position) for r in ranked] == [(3, 0.7, 1), (4, 0.6, 0)]


@given(rankings(), rankings(0.0, 30.0))
def test_the_order_of_probes_does_not_matter(dense: list, words: list) -> None:
    for fusion in Fusion:
        one = rank(planned(fusion, DENSE, WORDS), {"text2image": dense, "keyword": words})
        two = rank(planned(fusion, WORDS, DENSE), {"text2image": dense, "keyword": words})
        assert ids(one) == ids(two)


@given(rankings(), rankings(0.0, 30.0))
def test_everything_found_is_ranked_once_and_repeatably(dense: list, words: list) -> None:
    found = {"text2image": dense, "keyword": words}
    ranked = rank(planned(Fusion.RRF), found)
    assert sorted(ids(ranked)) == sorted({c.product_id for c in (*dense, *words)})
    assert ids(ranked) == ids(rank(planned(Fusion.RRF), found))


@given(rankings(-1.0, 0.0))
def test_scaling_keeps_the_order_when_every_score_is_negative(dense: list) -> None:
    """The reference divided by the best score, which turned such lists round (M7)."""
    parts = scaled(dense, -1.0)
    assert parts == sorted(parts, reverse=True)
    assert all(0.0 <= part <= 1.0 for part in parts)


def test_fewer_candidates_than_asked_for_are_simply_all_there_are() -> None:
    """The reference took the first N without looking and failed (M3)."""
    assert ids(rank(planned(Fusion.RRF), {"text2image": [], "keyword": [Candidate(1, 2.0)]})) == [1]
    assert rank(planned(Fusion.RRF), {"text2image": [], "keyword": []}) == []

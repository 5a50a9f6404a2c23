"""Answers within scenes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from crosslens.errors import InvalidRequest, NotFound
from crosslens.search.interleaving import team_draft
from crosslens.search.present import Hit
from crosslens.search.queries import QueryRules
from crosslens.search.request import SearchRequest
from crosslens.search.reranking import Candidate, Question, diverse
from crosslens.search.stage import Asking, plain_text
from crosslens.values import Kind
from fakes import jpeg
from house import House
from scening import Staging

TEXT = """
scenes:
  plain: {}
  words: {match: {probes: {text2text: 1}}}
  letters: {match: {probes: {keyword: 1}}, query: {synonyms: [[sneaker, trainer]]}}
  cheap: {match: {filter: price < 20}}
  boosted: {match: {probes: {keyword: 1}}, rank: {boosts: [{where: colour = blue, times: 9}]}}
  grouped: {rank: {group: colour, most: 1}}
  backwards: {match: {probes: {keyword: 1}}, rank: {reranker: backwards}}
  diverse: {match: {kind: image2image}, rank: {diversity: 0.9}}
  told: {summary: {fields: {name: title, hue: attributes.colour, text: description}, plain: true}}
  tested:
    match: {probes: {keyword: 1}}
    layers:
      - name: ranking
        experiments:
          - {name: base, ratio: 1}
          - {name: other, ratio: 1, rank: {reranker: backwards}}
          - {name: mixed, ratio: 1, interleave: [base, other]}
"""


class Backwards:
    def scores(self, question: Question, candidates: Sequence[Candidate]) -> list[float]:
        return [float(n) for n, _ in enumerate(candidates)]


@pytest.fixture
def staging() -> Iterator[Staging]:
    house = House()
    house.add("red sneaker", jpeg((200, 20, 20)), colour="Red", price=30)
    house.add("blue trainer sneaker", jpeg((20, 20, 200)), colour="Blue", price=80)
    house.add("red trainer", jpeg((201, 20, 20)), colour="Red", price=10)
    house.worker().drain()
    yield Staging(house, TEXT, {"backwards": Backwards()})
    house.pool.shutdown()


def titles(staging: Staging, scene: str, words: str = "sneaker", **asked: object) -> list[str]:
    staged = staging.stage().search(SearchRequest(words, **asked), Asking(scene))
    return [hit.product.title for hit in staged.answer.hits]


def test_a_scene_without_settings_answers_as_a_search_does(staging: Staging) -> None:
    request = SearchRequest("red sneaker", explain=True)
    staged = staging.stage().search(request, Asking("plain"))
    bare = staging.house.engine().search(request)
    assert [(h.product.id, h.score, h.scores) for h in staged.answer.hits] == [
        (h.product.id, h.score, h.scores) for h in bare.hits
    ]


def test_probes_synonyms_filters_boosts_groups_and_rerankers_do_what_they_say(
    staging: Staging,
) -> None:
    assert len(titles(staging, "words")) == 3
    assert set(titles(staging, "letters", "sneaker")) == {
        "red sneaker",
        "blue trainer sneaker",
        "red trainer",
    }
    assert titles(staging, "cheap") == ["red trainer"]
    assert titles(staging, "boosted", "red sneaker")[0] == "blue trainer sneaker"
    assert len(titles(staging, "grouped")) == 2
    fused = titles(staging, "letters", "red sneaker")
    assert titles(staging, "backwards", "red sneaker")[0] != fused[0]


def test_diversity_puts_the_other_picture_before_the_near_copy(staging: Staging) -> None:
    pictures = (jpeg((200, 20, 20)),)
    staged = staging.stage().search(SearchRequest(pictures=pictures), Asking("diverse"))
    assert [hit.product.id for hit in staged.answer.hits] == [1, 2, 3]


def test_what_the_question_says_wins_over_the_scene(staging: Staging) -> None:
    request = SearchRequest("sneaker", kind=Kind.TEXT2TEXT)
    assert staging.stage().search(request, Asking("letters")).answer.kind is Kind.TEXT2TEXT


def test_fewer_products_than_the_depth_are_ranked_without_complaint(staging: Staging) -> None:
    """M3: the reference cut the first N of a list that might be shorter, and failed."""
    for scene in ("backwards", "diverse", "grouped"):
        request = SearchRequest("trainer", pictures=(jpeg(),), limit=50)
        assert len(staging.stage().search(request, Asking(scene)).answer.hits) <= 3
    nothing = SearchRequest("zzz", kind=Kind.HYBRID, alpha=0.0)
    assert staging.stage().search(nothing, Asking("backwards")).answer.hits == ()


def test_concurrent_scenes_never_search_each_others_collection(staging: Staging) -> None:
    """M4: collection and field were set on a shared object, then read."""
    stage, wrong = staging.stage(), []

    def found(scene: str) -> list[int]:
        answer = stage.search(SearchRequest("red sneaker"), Asking(scene)).answer
        return [hit.product.id for hit in answer.hits]

    alone = {scene: found(scene) for scene in ("words", "letters", "cheap", "grouped")}

    def ask(scene: str) -> None:
        wrong.extend(scene for _ in range(25) if found(scene) != alone[scene])

    threads = [threading.Thread(target=ask, args=(scene,)) for scene in [*alone, *alone]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_page_of_a_scene_is_a_stretch_of_its_ranking(staging: Staging) -> None:
    whole = titles(staging, "backwards", "red sneaker trainer")
    pages = [
        titles(staging, "backwards", "red sneaker trainer", limit=1, offset=n) for n in (0, 1, 2)
    ]
    assert [title for page in pages for title in page] == whole


def test_every_answer_is_logged_with_what_was_shown_to_whom(staging: Staging) -> None:
    staged = staging.stage().search(SearchRequest("sneaker", limit=1), Asking("tested", "ann"))
    (exposure,) = staging.logged
    assert exposure.answer == staged.answer_id
    assert exposure.experiments == staged.experiments
    assert [each.product_id for each in exposure.shown] == [staged.answer.hits[0].product.id]
    assert exposure.shown[0].scores["keyword"] > 0
    assert exposure.user
    assert "ann" not in exposure.user


def test_mixed_rankings_name_the_team_of_every_product(staging: Staging) -> None:
    asking = Asking("tested", "ann", {"ranking": "mixed"})
    staging.stage().search(SearchRequest("red sneaker trainer"), asking)
    shown = staging.logged[0].shown
    assert {each.team for each in shown} == {"base", "other"}
    assert len({each.product_id for each in shown}) == len(shown) == 3


def test_debugging_tells_words_times_and_every_stage(staging: Staging) -> None:
    asking = Asking("tested", "ann", {"ranking": "other"}, debug=True)
    debug = staging.stage().search(SearchRequest("Red  ｓneaker"), asking).debug
    assert debug["words"] == "Red sneaker"
    assert set(debug["took_ms"]) == {"query", "match", "reranker", "rank"}
    assert {"fused", "reranker"} <= set(debug["hits"][0]["stages"])


def test_summaries_hold_what_the_scene_names_and_no_markup(staging: Staging) -> None:
    staged = staging.stage().search(SearchRequest("sneaker"), Asking("told"))
    assert staged.summaries[0].keys() <= {"name", "hue", "text"}
    html = "<p>Go to <b>A &amp; B</b></p><script>alert(1)</script><br>then <img src=x onerror=y>"
    assert plain_text(html) == "Go to A & B\nthen"
    assert plain_text("1 < 2") == "1 < 2"


def test_an_unknown_scene_layer_or_experiment_is_refused_by_name(staging: Staging) -> None:
    for asking, error in (
        (Asking("other"), NotFound),
        (Asking("tested", forced={"x": "base"}), InvalidRequest),
        (Asking("tested", forced={"ranking": "x"}), InvalidRequest),
        (Asking("plain", forced={"ranking": "base"}), InvalidRequest),
    ):
        with pytest.raises(error):
            staging.stage().search(SearchRequest("sneaker"), asking)


def hits(*ids: int) -> list[Hit]:
    house = House()
    product = house.add("x")
    return [Hit(replace(product, id=id), 1.0) for id in ids]


def test_team_draft_is_fair_and_shows_everything_once() -> None:
    tails = iter([False, True, False, True])
    mixed = team_draft(hits(1, 2, 3), hits(3, 2, 4), coin=lambda: next(tails))
    assert [(hit.product.id, team) for hit, team in mixed] == [(1, 0), (3, 1), (2, 1), (4, 1)]
    same = team_draft(hits(1, 2, 3, 4), hits(1, 2, 3, 4))
    assert [hit.product.id for hit, _ in same] == [1, 2, 3, 4]
    assert sum(team for _, team in same) == 2


def test_diversity_of_nothing_or_little_changes_nothing() -> None:
    few = [Candidate(hit, 1.0) for hit in hits(1, 2)]
    for candidates in ([], few):
        picked = diverse(candidates, lambda c: np.eye(len(c)), diversity=0.5, depth=9)
        assert picked == candidates


@pytest.mark.parametrize(
    ("words", "keywords"),
    [
        ("42 码 跑鞋", "42码 跑鞋"),
        ("iphone １２８ GB", "iphone 128GB"),
        ("Sneakers red", "Sneakers red trainers"),
        ("sneakersx", "sneakersx"),
        ("红色T恤", "红色T恤 短袖"),
    ],
)
def test_words_are_normalised_and_find_their_synonyms(words: str, keywords: str) -> None:
    rules = QueryRules(synonyms=(("sneakers", "trainers"), ("t恤", "短袖")), prefix={"en": "q: "})
    processed = rules(words)
    assert processed.keywords == keywords
    assert processed.words.startswith("q: ") == (processed.language == "en")

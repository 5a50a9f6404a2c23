"""Side by side: one question, answered by two scenes, with what differs between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from crosslens.client import Answer, Client, SceneInfo
from crosslens.client.calls import Options
from crosslens.errors import InvalidRequest, NotFound
from crosslens.ui import parts, shown
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

SHOWN = 12
MOST_WORDS = 2_000
Way = tuple[str, ...]
"""A scene, or a scene, a layer of it and one of its experiments; empty: no scene."""

TEXTS: Texts = {
    "title": ("Side by side", "对比"),
    "about": (
        "One question, answered in two ways. What only one of them shows, and what moved, is "
        "marked.",
        "同一个问题，两种方式回答；标出独有的和名次有变的商品。",
    ),
    "ask": ("What are you looking for?", "想找什么？"),
    "go": ("Compare", "对比"),
    "left": ("On the left", "左侧"),
    "right": ("On the right", "右侧"),
    "plain": ("without a scene", "不用场景"),
    "swap": ("Swap the sides", "左右互换"),
    "only_here": ("only here", "仅此侧"),
    "same": ("same place", "名次相同"),
    "higher": ("{n} higher here", "高 {n} 名"),
    "lower": ("{n} lower here", "低 {n} 名"),
    "both": (
        "{both} of {n} products stand on both sides, {same} at the same place.",
        "前 {n} 件中有 {both} 件两侧都有，{same} 件名次相同。",
    ),
    "alike": ("Both sides show the same, in the same order.", "两侧结果完全相同。"),
    "nothing": ("nothing found", "没有结果"),
    "no_good_match": ("probably nothing that fits", "可能没有合适的商品"),
    "took": ("{ms} ms", "{ms} 毫秒"),
    "stages": (
        "words {query} · search {match} · ranking {rank} ms",
        "处理 {query} · 检索 {match} · 排序 {rank} 毫秒",
    ),
    "stages_again": (
        "words {query} · search {match} · reranker {reranker} · ranking {rank} ms",
        "处理 {query} · 检索 {match} · 重排 {reranker} · 排序 {rank} 毫秒",
    ),
    "start": (
        "Type a question to see both answers.",
        "输入问题即可查看两侧结果。",
    ),
    "chance": ("fits with {n} %", "相关概率 {n}%"),
    "place": ("Place {n}", "第 {n} 名"),
}


def show(visit: Visit) -> None:
    """Draw the page."""
    client, params = visit.client, st.query_params
    ways = _ways(client.scenes().scenes)
    words = " ".join(params.get("q", "").split())[:MOST_WORDS]
    chosen = [_way(params.get("a", ""), ways, 0), _way(params.get("b", ""), ways, 1)]
    sides, error = _sides(visit, client, words, chosen)
    told = parts.show(
        "beside",
        {
            "texts": visit.say.all(),
            "language": visit.say.language,
            "ways": [list(way) for way in ways],
            "chosen": [list(way) for way in chosen],
            "words": words,
            "sides": sides,
            "error": error,
        },
        triggers=("go",),
    )
    if told.go:
        parts.turn_to(told.go)
        st.rerun()


def _ways(scenes: Sequence[SceneInfo]) -> list[Way]:
    """List what can be compared: no scene, each scene, and each experiment of its layers."""
    ways: list[Way] = [()]
    for scene in scenes:
        ways.append((scene.name,))
        ways += [
            (scene.name, layer.name, experiment)
            for layer in scene.layers
            for experiment in layer.experiments
        ]
    return ways


def _way(asked: str, ways: Sequence[Way], usual: int) -> Way:
    try:
        found: Way | None = tuple(map(str, json.loads(asked)))
    except (ValueError, TypeError):
        found = None
    return found if found is not None and found in ways else ways[min(usual, len(ways) - 1)]


def _sides(
    visit: Visit, client: Client, words: str, ways: Sequence[Way]
) -> tuple[list[dict[str, Any]], str]:
    if not words:
        return [], ""
    try:
        answers = [_answer(client, words, way) for way in ways]
    except (InvalidRequest, NotFound) as exc:
        return [], exc.message
    places = [{hit.product.id: n for n, hit in enumerate(each.hits)} for each in answers]
    return [_side(visit, answer, places[1 - n], places[n]) for n, answer in enumerate(answers)], ""


def _answer(client: Client, words: str, way: Way) -> Answer:
    options: Options = {"limit": SHOWN, "explain": True}
    if way:
        options |= {"scene": way[0], "debug": True}
    if len(way) == 3:
        options["experiments"] = {way[1]: way[2]}
    return client.search(words, **options)


def _side(
    visit: Visit, answer: Answer, theirs: Mapping[int, int], ours: Mapping[int, int]
) -> dict[str, Any]:
    return {
        "took_ms": answer.took_ms,
        "stages": answer.debug.get("took_ms", {}),
        "no_good_match": bool(answer.no_good_match),
        "hits": [
            shown.product(hit.product, visit.say.language)
            | {
                "picture": hit.picture or 0,
                "chance": hit.relevance,
                "moved": moved(ours[hit.product.id], theirs.get(hit.product.id)),
            }
            for hit in answer.hits
        ],
    }


def moved(here: int, there: int | None) -> int | None:
    """Return how many places higher a product stands here than there; None: it is only here."""
    return None if there is None else there - here


PAGE = Page("beside", 46, TEXTS, show)

"""Judging: questions with their right answers, told by looking at pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from crosslens.client import Client, GoldenQuery, JudgingCandidate
from crosslens.errors import InvalidRequest, NotFound
from crosslens.ui import parts, shown
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

CANDIDATES = 32
MOST_WORDS = 2_000
USUAL_SET = "golden"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

TEXTS: Texts = {
    "title": ("Judging", "标注"),
    "about": (
        "Say which products answer a question. Judgements measure searches, set the gate before "
        "a switch, and teach rankers.",
        "标注哪些商品符合查询。标注结果用于评测、切换前的门槛和训练排序。",
    ),
    "set": ("Set", "标注集"),
    "new_set": ("A new set", "新建标注集"),
    "new_set_name": ("Name of the new set", "新标注集名称"),
    "make": ("Make it", "创建"),
    "bad_name": (
        "A name has letters, digits, dots, - and _, and begins with a letter or digit.",
        "名称只能包含字母、数字、点、- 和 _，并以字母或数字开头。",
    ),
    "ask": ("A question, as people ask it", "输入用户会搜的问题"),
    "look": ("Find candidates", "查找候选"),
    "questions": ("Questions", "问题"),
    "no_questions": (
        "No question yet. Type one above, such as what people searched for without success.",
        "还没有问题。请在上方输入，例如用户搜不到的词。",
    ),
    "judged_n": ("{n} judged", "已标注 {n}"),
    "candidates": ("Candidates", "候选商品"),
    "how": (
        "Keys: 0 to 3 grade, Backspace takes back, arrows or J and K move.",
        "按键：0–3 打分，退格撤销，方向键或 J、K 移动。",
    ),
    "grade_0": ("Wrong", "不相关"),
    "grade_1": ("Fits somewhat", "部分相关"),
    "grade_2": ("Fits", "相关"),
    "grade_3": ("Exactly this", "完全符合"),
    "grade_of": ("{grade}: {title}", "{grade}：{title}"),
    "take_back": ("Take back", "撤销"),
    "not_judged": ("Not judged", "未标注"),
    "other_grade": ("Grade {n}", "{n} 分"),
    "found_by": ("Found by {ways}", "来源：{ways}"),
    "judged_before": ("Judged before", "此前已标注"),
    "way_hybrid": ("all together", "综合"),
    "way_keyword": ("exact words", "关键词"),
    "way_text2text": ("meaning", "语义"),
    "way_text2image": ("pictures", "图片"),
    "saved": ("Saved. {n} of {of} judged.", "已保存，{of} 件中已标注 {n} 件。"),
    "unsaved": ("Not saved: {why}", "未能保存：{why}"),
    "nothing": ("Nothing was found to judge.", "没有找到可标注的商品。"),
    "gone": ("There is no such set any more.", "该标注集已不存在。"),
    "shipped": (
        "This set comes along and stays as it is. Judge in one of your own.",
        "此标注集为内置，不能修改。请在自己的标注集中标注。",
    ),
    "measure": ("Measure with it", "用它评测"),
    "sets_hint": (
        "It lies in “judged” of the service’s home, as `crosslens judge` reads and writes it.",
        "保存在服务目录的 judged 中，与命令 crosslens judge 共用。",
    ),
}


def show(visit: Visit) -> None:
    """Draw the page."""
    client = visit.client
    own = _own_sets(client)
    name = _chosen(own)
    words = " ".join(st.query_params.get("q", "").split())[:MOST_WORDS]
    questions = _questions(client, name)
    error, candidates = "", list[JudgingCandidate]()
    if words:
        try:
            candidates = client.judging_candidates(name, words, limit=CANDIDATES)
        except InvalidRequest as exc:
            error = exc.message
    told = parts.show(
        "judging",
        {
            "texts": visit.say.all(),
            "language": visit.say.language,
            "sets": own if name in own else [*own, name],
            "set": name,
            "words": words,
            "error": error,
            "questions": [_question(each) for each in questions],
            "candidates": [_candidate(visit, each) for each in candidates],
        },
        triggers=("go",),
    )
    if told.go:
        parts.turn_to(told.go)
        st.rerun()


def _own_sets(client: Client) -> list[str]:
    """List the sets that may be judged in: those that have words, the shipped one left out."""
    return [each.name for each in client.judged_sets() if each.own]


def _chosen(own: Sequence[str]) -> str:
    asked = st.query_params.get("set", "")
    if _NAME.fullmatch(asked):
        return asked
    return own[0] if own else USUAL_SET


def _questions(client: Client, name: str) -> list[GoldenQuery]:
    try:
        return client.golden_queries(name)
    except NotFound:  # it is made with its first judgement
        return []


def _question(query: GoldenQuery) -> dict[str, Any]:
    return {
        "words": query.words,
        "lang": "zh-CN" if shown.is_chinese(query.words) else "en",
        "judged": len(query.grades),
    }


def _candidate(visit: Visit, each: JudgingCandidate) -> dict[str, Any]:
    told = {"key": each.key, "grade": each.grade, "found_by": list(each.found_by)}
    return shown.product(each.product, visit.say.language) | told


PAGE = Page("judging", 42, TEXTS, show)

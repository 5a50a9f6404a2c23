"""Search: one box for words and pictures, results as pictures, filters beside them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, TypedDict
from urllib.parse import urlencode

import streamlit as st

from crosslens.client import Answer, Client, IndexState, Product
from crosslens.client.calls import Options
from crosslens.errors import CannotDraw, CrosslensError, InvalidRequest, NotFound, Overloaded
from crosslens.ui import address, parts, shown
from crosslens.ui.address import KINDS, Question
from crosslens.ui.house import house
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

PAGE_SIZE = 24
FRESH = 12
KNOWN_S = 10.0  # what attributes there are is asked again after so long
USUAL_ALPHA = 0.5
_SPOKEN_FACETS = 12

TEXTS: Texts = {
    "title": ("Search", "搜索"),
    "words": ("What are you looking for?", "想找什么？"),
    "words_label": ("Words to search for", "搜索文字"),
    "and_words": ("and words, if you like", "可再加上文字"),
    "attach": ("Search with a picture: choose, drop or paste one", "用图片搜索：选择、拖入或粘贴"),
    "go": ("Search", "搜索"),
    "drop": ("Drop the picture to search with it", "松开即可用图片搜索"),
    "your_picture": ("Your picture", "您的图片"),
    "take_off": ("Take off: {name}", "移除：{name}"),
    "kind": ("Compare", "匹配方式"),
    "kind_auto": ("Whatever fits best", "自动选择"),
    "kind_text2text": ("Words with titles", "文字 → 标题"),
    "kind_text2image": ("Words with pictures", "文字 → 图片"),
    "kind_image2image": ("Picture with pictures", "图片 → 图片"),
    "kind_image2text": ("Picture with titles", "图片 → 标题"),
    "kind_hybrid": ("Everything together", "综合匹配"),
    "kind_composed": ("Like the picture, but …", "与图片相似，但……"),
    "alpha": ("Weigh", "权重"),
    "alpha_auto": ("auto", "自动"),
    "imagine": ("Imagine it", "先想象再找"),
    "imagine_hint": (
        "Draw a picture from the words, and look for that too",
        "先按文字画一张图，再连同这张图一起找",
    ),
    "imagined": ("Drawn from your words, and looked for too", "按您的文字画出，并一起查找"),
    "unimagined": (
        "It could not be imagined, so the words alone were looked for: {reason}",
        "未能画出图片，仅按文字查找：{reason}",
    ),
    "more_drawn": ("Draw more like it", "再画几张"),
    "by_letter": ("exact words", "关键词"),
    "by_meaning": ("look and meaning", "外观与语义"),
    "try_these": ("Try", "试试"),
    "fresh": ("New in the catalogue", "最近上架"),
    "results": ("Results", "搜索结果"),
    "ranked": (
        "{n} products in order of fit, in {ms} ms",
        "按匹配度排列 {n} 件商品，用时 {ms} 毫秒",
    ),
    "filters": ("Filters", "筛选"),
    "clear_filters": ("Clear filters", "清除筛选"),
    "show": ("Show", "显示"),
    "show_label": ("What to show of each product", "每件商品显示哪些属性"),
    "more_values": ("{n} more", "另外 {n} 个"),
    "least": ("min", "最小"),
    "most": ("max", "最大"),
    "score": ("score", "得分"),
    "more_like": ("More like this", "找相似"),
    "but": ("Like this, but …", "就要这样，但……"),
    "but_hint": ("in red, with stripes …", "换成红色、要条纹……"),
    "but_label": ("How it should differ from {title}", "与“{title}”有何不同"),
    "why": ("Why", "原因"),
    "look_at": ("Look at {title}", "查看 {title}"),
    "picture_of": ("Picture {n} of {of}", "第 {n} 张，共 {of} 张"),
    "number": ("Number", "编号"),
    "source_key": ("Your key", "商品编码"),
    "edit_it": ("Open in the catalogue", "在商品库中打开"),
    "paging": ("Pages of results", "结果分页"),
    "nothing": ("Nothing fits", "没有找到合适的商品"),
    "nothing_filtered": (
        "No product passes all filters. Clear them, or loosen one.",
        "没有商品满足全部筛选条件，请放宽或清除筛选。",
    ),
    "nothing_hint": (
        "Try fewer or other words, another way to compare, or a picture.",
        "试试更少或不同的文字、其他匹配方式，或用一张图片。",
    ),
    "any_kind": ("Compare whatever fits best", "自动选择匹配方式"),
    "no_such_picture": (
        "The picture of this link is no longer kept. Drop it again.",
        "该链接中的图片已不再保留，请重新拖入。",
    ),
    "no_such_product": ("The product of this link is gone.", "该链接中的商品已不存在。"),
    "partly": ("Without {name}: {reason}", "缺少 {name}：{reason}"),
    "empty_catalogue": (
        "The catalogue is empty. Add or import products first.",
        "商品库还是空的，请先添加或导入商品。",
    ),
    "probe_text2text": ("title, by meaning", "标题语义"),
    "probe_text2image": ("words ↔ picture", "文字 ↔ 图片"),
    "probe_image2image": ("picture ↔ picture", "图片 ↔ 图片"),
    "probe_image2text": ("picture ↔ title", "图片 ↔ 标题"),
    "probe_composed": ("picture with the change", "图片加修改"),
    "probe_keyword": ("exact words", "关键词"),
}


class Asked(TypedDict):
    """A question as the parts of this page hold it."""

    words: str
    picture: str
    url: str
    like: int
    kind: str
    alpha: float | None
    chosen: dict[str, list[str]]
    ranges: dict[str, list[float | None]]
    page: int
    show: list[str]
    imagine: bool


def show(visit: Visit) -> None:
    """Draw the page for the question in the address."""
    question = address.read(_params())
    found, error = _found(visit, question)
    parts.show("searchbox", _box(visit, question, found, error), before={"ask": _ask})
    parts.show("results", _results(visit, question, found), before={"ask": _ask})


class Found(TypedDict, total=False):
    """What the service answered."""

    answer: Answer
    fresh: tuple[Product, ...]
    like: Product
    state: IndexState


def _found(visit: Visit, question: Question) -> tuple[Found, str]:
    """Ask the service; a mistake of the visitor's is told beside the box."""
    client, found = visit.client, Found()
    try:
        found["state"] = _state(client)
        if question.like:
            found["like"] = client.product(question.like)
        if question.empty:
            found["fresh"] = client.products(page_size=FRESH).products
        else:
            found["answer"], told = _imagined(visit, client, question, found["state"])
            return found, told
    except LookupError:
        return found, visit.say("no_such_picture")
    except NotFound:
        return found, visit.say("no_such_product")
    except InvalidRequest as exc:
        return found, exc.message
    return found, ""


def _imagined(
    visit: Visit, client: Client, question: Question, state: IndexState
) -> tuple[Answer, str]:
    """Ask, by words alone if they cannot be imagined; then say why."""
    if not question.imagines:
        return _answer(client, question, state), ""
    try:
        return _answer(client, question, state), ""
    except (CannotDraw, NotFound, Overloaded) as exc:
        reason: CrosslensError = exc
    answer = _answer(client, replace(question, imagine=False), state)
    return answer, visit.say("unimagined", reason=reason.message)


def _answer(client: Client, question: Question, state: IndexState) -> Answer:
    facets = [name for name, kind in state.attributes.items() if kind in ("keyword", "keywords")]
    options: Options = {
        "pictures": _pictures(question),
        "kind": question.kind,
        "facets": facets[:_SPOKEN_FACETS],
        "limit": PAGE_SIZE,
        "offset": (question.page - 1) * PAGE_SIZE,
        "explain": True,
    }
    if question.like:
        options["product_id"] = question.like
    if question.alpha is not None and _mixes(question):
        options["alpha"] = question.alpha
    if question.imagines:
        options["imagine"] = True
    if (where := address.expression(question)) is not None:
        options["filter"] = where
    return client.search(question.words, **options)


def _mixes(question: Question) -> bool:
    return question.kind in ("auto", "hybrid") and bool(question.words)


def _pictures(question: Question) -> list[bytes | str]:
    if question.url:
        return [question.url]
    if not question.picture:
        return []
    content = house.pictures.get(question.picture)
    if content is None:
        raise LookupError(question.picture)
    return [content]


def _state(client: Client) -> IndexState:
    """Return what attributes there are; asked again now and then, for every question needs it."""
    known: dict[int, tuple[float, IndexState]] = st.session_state.setdefault("known", {})
    kept = known.get(id(client))
    if kept is None or time.monotonic() - kept[0] > KNOWN_S:
        kept = known[id(client)] = (time.monotonic(), client.index_state())
    return kept[1]


def _ask(asked: Asked) -> None:
    """Put a question into the address, from which the page is drawn."""
    question = Question(
        words=asked["words"],
        picture=asked["picture"],
        url=asked["url"],
        like=asked["like"],
        kind=asked["kind"],
        alpha=asked["alpha"],
        chosen={name: tuple(values) for name, values in asked["chosen"].items()},
        ranges={name: (ends[0], ends[1]) for name, ends in asked["ranges"].items()},
        page=asked["page"],
        show=tuple(asked["show"]),
        imagine=asked["imagine"],
    )
    language = st.query_params.get("lang", "en")
    st.query_params.from_dict(address.write(question) | {"lang": language})


def _asked(question: Question) -> Asked:
    return Asked(
        words=question.words,
        picture=question.picture,
        url=question.url,
        like=question.like,
        kind=question.kind,
        alpha=question.alpha,
        chosen={name: list(values) for name, values in question.chosen.items()},
        ranges={name: list(ends) for name, ends in question.ranges.items()},
        page=question.page,
        show=list(question.show),
        imagine=question.imagine,
    )


def _box(visit: Visit, question: Question, found: Found, error: str) -> dict[str, Any]:
    like = found.get("like")
    return {
        "texts": visit.say.all(),
        "asked": _asked(question),
        "kinds": KINDS,
        "like": None if like is None else shown.product(like, visit.say.language),
        "empty": question.empty,
        "alpha": USUAL_ALPHA,
        "error": error,
    }


def _results(visit: Visit, question: Question, found: Found) -> dict[str, Any]:
    language = visit.say.language
    answer, state = found.get("answer"), found.get("state")
    fresh = found.get("fresh", ())
    attributes = {} if state is None or question.empty else state.attributes
    numbers = [name for name, kind in attributes.items() if kind == "number"]
    notes = [] if answer is None else [*answer.notes, *_missing(visit, answer)]
    if question.empty and not fresh:
        notes.append(visit.say("empty_catalogue"))
    names = [] if state is None else list(state.attributes)
    needs_ideas = question.empty or (answer is not None and not answer.hits)
    ideas = shown.ideas(fresh or _some(visit), language) if needs_ideas else []
    return {
        "texts": visit.say.all(),
        "language": language,
        "asked": _asked(question),
        "asked_something": answer is not None,
        "hits": shown.plain(fresh, language) if answer is None else shown.hits(answer, language),
        "found": 0 if answer is None else answer.found,
        "took_ms": 0 if answer is None else answer.took_ms,
        "kind": question.kind if answer is None else answer.kind,
        "facets": [] if answer is None else shown.facets(answer),
        "numbers": [] if answer is None else numbers,
        "notes": notes,
        "imagined": _drawn(question, answer, language),
        "names": names,
        "show": list(
            question.show or shown.usual(names, {} if state is None else state.attributes)
        ),
        "suggestions": ideas if question.empty else [],
        "ideas": [] if question.empty else ideas[:3],
        "pages": 1 if answer is None else max(question.page, -(-answer.found // PAGE_SIZE)),
        "more": answer is not None
        and len(answer.hits) == PAGE_SIZE
        and answer.found > question.page * PAGE_SIZE,
        "stamp": urlencode(address.write(question), doseq=True),
    }


def _drawn(question: Question, answer: Answer | None, language: str) -> dict[str, str] | None:
    """Return the picture that was looked for beside the words, and where to draw more."""
    if answer is None or answer.imagined is None:
        return None
    more = urlencode({"lang": language, "q": question.words})
    return {"sha256": answer.imagined.sha256, "href": f"/draw?{more}"}


def _missing(visit: Visit, answer: Answer) -> list[str]:
    return [
        visit.say("partly", name=visit.say(f"probe_{name}"), reason=reason)
        for name, reason in answer.missing.items()
    ]


def _some(visit: Visit) -> tuple[Product, ...]:
    return visit.client.products(page_size=FRESH).products


def _params() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


PAGE = Page("search", 10, TEXTS, show)

"""Duplicates: what is there twice and why, decisions that stay, titles for the untitled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from crosslens.client import Client, DuplicateCluster, Product, Task
from crosslens.errors import CrosslensError, Forbidden, OutOfDate, Unauthenticated, Unavailable
from crosslens.ui import parts, shown
from crosslens.ui.page import redrawn
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

TIERS = ("exact", "near", "same_product")
PAGE_SIZE = 8
TITLED_AT_ONCE = 8
AGAIN_S = 0.7
LAST_PAGE = 10_000

TEXTS: Texts = {
    "title": ("Duplicates", "重复商品"),
    "about": (
        "Products that seem to be there twice, with what speaks for it. What you decide stays.",
        "疑似重复的商品及其依据。您的决定会一直保留。",
    ),
    "scan": ("Look through the catalogue", "检查整个商品库"),
    "scanning": ("Looking through the catalogue", "正在检查商品库"),
    "scanned": ("looked through at {at}", "上次检查：{at}"),
    "never": (
        "Nobody has looked for duplicates yet.",
        "还没有检查过重复商品。",
    ),
    "nothing": ("Nothing left to decide", "没有需要处理的重复商品"),
    "nothing_hint": (
        "Whatever was found is decided on, or there was nothing.",
        "已全部处理，或未发现重复。",
    ),
    "views": ("What to look at", "查看内容"),
    "clusters": ("There twice", "重复商品"),
    "untitled": ("Without a title", "缺少标题"),
    "reason": ("Reason", "依据"),
    "tier_all": ("All reasons", "全部依据"),
    "tier_exact": ("Identical picture", "图片完全相同"),
    "tier_near": ("Picture that was changed", "图片经过修改"),
    "tier_same_product": ("Same product, other picture", "同款商品，不同图片"),
    "clusters_in_all": ("{n} groups to decide on", "{n} 组待处理"),
    "keep": ("Keep this one", "保留这一件"),
    "keep_short": ("Keep", "保留"),
    "merge": ("They are one: merge", "是同一件：合并"),
    "merge_sure": (
        "“{title}” gets the pictures of the others, and {n} are removed from the catalogue.",
        "“{title}”将获得其他商品的图片，另外 {n} 件会从商品库移除。",
    ),
    "distinct": ("They are different", "不是同一件"),
    "merged": ("Merged into “{title}”.", "已合并到“{title}”。"),
    "parted": ("Remembered: these {n} are different products.", "已记住：这 {n} 件是不同商品。"),
    "reopened": ("Forgotten. They are shown again.", "已撤销，将重新显示。"),
    "because": ("Why", "依据"),
    "why_exact": (
        "picture {a} and picture {b} have the same bytes",
        "图 {a} 与图 {b} 字节完全相同",
    ),
    "why_agreement": ("{n} % of places agree", "{n}% 的位置一致"),
    "why_cosine": ("pictures alike by {n}", "图片相似度 {n}"),
    "why_mirrored": ("mirrored", "左右翻转"),
    "why_cropped": ("cropped to {n} %", "裁剪至 {n}%"),
    "why_title": ("{n} % of the title words shared", "标题词重合 {n}%"),
    "pictures": ("{n} pictures", "{n} 张图片"),
    "untitled_about": (
        "Products called like a file or a number. The suggestions are titles of products whose "
        "pictures look alike.",
        "标题只是文件名或编号的商品。建议标题来自图片相似的商品。",
    ),
    "untitled_none": ("Every product has a title", "所有商品都有标题"),
    "no_idea": ("No product looks like it.", "没有相似的商品。"),
    "take": ("Take this title: {title}", "采用此标题：{title}"),
    "write": ("Write one", "自行填写"),
    "titled": ("#{id} is now called “{title}”.", "#{id} 的标题已改为“{title}”。"),
    "untitled_again": ("#{id} is called “{title}” again.", "#{id} 的标题已恢复为“{title}”。"),
    "out_of_date": (
        "Somebody else changed this product meanwhile.",
        "该商品刚被其他人修改过。",
    ),
    "more": ("Further ones", "继续查找"),
    "from_start": ("From the beginning", "从头开始"),
    "paging": ("Pages of groups", "分组分页"),
}


def show(visit: Visit) -> None:
    """Draw the page; while a scan is under way, again and again."""
    redrawn(visit, "duplicates_busy", lambda busy: _draw(visit, busy), busy_s=AGAIN_S)


def _draw(visit: Visit, busy: bool) -> None:
    client = visit.client
    scan = _scan(client)
    told = parts.show(
        "duplicates",
        _data(visit, client, scan),
        triggers=("go", "scan", "distinct", "merge", "entitle", "undo"),
    )
    if _act(visit, told):
        st.rerun()
    now_busy = scan is not None and not scan.over
    if now_busy != busy:
        st.session_state["duplicates_busy"] = now_busy
        st.rerun()


def _scan(client: Client) -> Task | None:
    """Return the newest scan that the service remembers."""
    return next((task for task in client.tasks() if task.kind == "duplicates"), None)


def _act(visit: Visit, told: Any) -> bool:
    """Do what the visitor asked for; say whether anything changed."""
    acts: dict[str, Callable[[Visit, Any], None]] = {
        "go": _go,
        "scan": _begin,
        "distinct": _part,
        "merge": _merge,
        "entitle": _entitle,
        "undo": _undo,
    }
    for name, act in acts.items():
        if (asked := told[name]) is not None:
            _tell(None)
            try:
                act(visit, asked)
            except OutOfDate:
                _tell(visit.say("out_of_date"), good=False)
            except (Unavailable, Unauthenticated, Forbidden):
                raise
            except CrosslensError as exc:
                _tell(exc.message, good=False)
            return True
    return False


def _tell(text: str | None, *, good: bool = True, undo: Mapping[str, Any] | None = None) -> None:
    notice = None if text is None else {"text": text, "good": good, "undo": undo}
    st.session_state["duplicates_told"] = notice


def _go(visit: Visit, changes: Mapping[str, Any]) -> None:
    del visit
    parts.turn_to(changes)


def _begin(visit: Visit, asked: bool) -> None:
    del asked
    visit.client.scan_duplicates()
    st.session_state["duplicates_busy"] = True


def _part(visit: Visit, ids: Sequence[int]) -> None:
    visit.client.decide_duplicates(ids, "distinct")
    _tell(visit.say("parted", n=len(ids)), undo={"open": list(ids)})


def _merge(visit: Visit, asked: Mapping[str, Any]) -> None:
    kept = visit.client.decide_duplicates(asked["ids"], "merged", keep=asked["keep"])
    _tell(visit.say("merged", title="" if kept is None else kept.title))


def _entitle(visit: Visit, asked: Mapping[str, Any]) -> None:
    product_id, title = asked["id"], asked["title"]
    visit.client.edit_product(product_id, revision=asked["revision"], title=title)
    undo = {"id": product_id, "title": asked["former"]}
    _tell(visit.say("titled", id=product_id, title=title), undo=undo)


def _undo(visit: Visit, asked: Mapping[str, Any]) -> None:
    if "open" in asked:
        visit.client.decide_duplicates(asked["open"], "open")
        _tell(visit.say("reopened"))
        return
    visit.client.edit_product(asked["id"], title=asked["title"])
    _tell(visit.say("untitled_again", id=asked["id"], title=asked["title"]))


def _data(visit: Visit, client: Client, scan: Task | None) -> dict[str, Any]:
    params = st.query_params
    view = "untitled" if params.get("view") == "untitled" else "clusters"
    return {
        "texts": visit.say.all(),
        "language": visit.say.language,
        "view": view,
        "tier": params.get("tier") if params.get("tier") in TIERS else "",
        "notice": st.session_state.get("duplicates_told"),
        "scan": None if scan is None or scan.state == "done" else _progress(scan),
        **(_untitled(visit, client) if view == "untitled" else _clusters(visit, client)),
    }


def _progress(scan: Task) -> dict[str, Any]:
    return {"state": scan.state, "done": scan.done, "total": scan.total, "error": scan.error}


def _clusters(visit: Visit, client: Client) -> dict[str, Any]:
    tier, page = st.query_params.get("tier", ""), st.query_params.get("page", "")
    tiers = [tier] if tier in TIERS else []
    at = int(page) if page.isdecimal() and 0 < int(page) <= LAST_PAGE else 1
    found = client.duplicates(tiers=tiers, limit=PAGE_SIZE, offset=(at - 1) * PAGE_SIZE)
    pages = max(1, -(-found.total // PAGE_SIZE))
    if at > pages:  # the last page has been decided on
        at = pages
        found = client.duplicates(tiers=tiers, limit=PAGE_SIZE, offset=(at - 1) * PAGE_SIZE)
    return {
        "clusters": [_cluster(visit, each) for each in found.clusters],
        "total": found.total,
        "scanned": found.scanned,
        "page": at,
        "pages": pages,
    }


def _cluster(visit: Visit, cluster: DuplicateCluster) -> dict[str, Any]:
    return {
        "tier": cluster.tier,
        "products": [shown.product(each, visit.say.language) for each in cluster.products],
        "why": [
            {"left": pair["left"], "right": pair["right"], "said": reasons(visit, pair)}
            for pair in cluster.pairs
        ],
    }


def reasons(visit: Visit, pair: Mapping[str, Any]) -> str:
    """Say what speaks for two products being one."""
    evidence, say = pair["evidence"], visit.say
    at = evidence.get("pictures", (0, 0))
    said: Mapping[str, Callable[[Any], str]] = {
        "sha256": lambda _: say("why_exact", a=at[0] + 1, b=at[1] + 1),
        "agreement": lambda share: say("why_agreement", n=round(100 * share)),
        "mirrored": lambda _: say("why_mirrored"),
        "cropped_to": lambda share: say("why_cropped", n=round(100 * share)),
        "picture_cosine": lambda cosine: say("why_cosine", n=f"{cosine:.2f}"),
        "title_words": lambda share: say("why_title", n=round(100 * share)),
    }
    comma = "，" if visit.say.language == "zh" else ", "
    return comma.join(tell(evidence[name]) for name, tell in said.items() if name in evidence)


def _untitled(visit: Visit, client: Client) -> dict[str, Any]:
    after = st.query_params.get("after", "")
    at = int(after) if after.isdecimal() and len(after) < 19 else 0
    found = client.untitled(after=at, limit=TITLED_AT_ONCE)
    return {
        "untitled": [_suggested(visit, client, each) for each in found.products],
        "after": at,
        "next": found.next,
    }


def _suggested(visit: Visit, client: Client, product: Product) -> dict[str, Any]:
    titles = [
        {"title": each.title, "lang": "zh-CN" if shown.is_chinese(each.title) else "en"}
        for each in client.suggest_titles(product.id, limit=4)
    ]
    return shown.product(product, visit.say.language) | {"titles": titles}


PAGE = Page("duplicates", 25, TEXTS, show)

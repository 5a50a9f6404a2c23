"""System: health, queue, bundles and their switch, audit and repair, traffic and latency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from crosslens.client import Client, Readiness, Task, TrafficStep
from crosslens.errors import CrosslensError, Unauthenticated, Unavailable
from crosslens.ui import parts
from crosslens.ui.page import redrawn
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

CALM_S, BUSY_S = 4.0, 0.6
SHOWN_TASKS = 8
_SEARCHES = ("/search", "/product/{product_id}/similar")
_PICTURES = "/product/{product_id}/picture/{n}"
_LOOKING = ("/ready", "/traffic", "/index", "/task", "/model", "/task/{task}", "/health")

TEXTS: Texts = {
    "title": ("System", "系统"),
    "health": ("Health", "健康状况"),
    "well": ("is well", "正常"),
    "unwell": ("is not well", "异常"),
    "check_catalog": ("Catalogue", "商品库"),
    "check_models": ("Bundles", "模型"),
    "check_index": ("Index", "索引"),
    "check_changes": ("Changes", "变更"),
    "check_worker": ("Worker", "索引进程"),
    "said_catalog": (
        "{products} products, {pictures} pictures",
        "{products} 件商品，{pictures} 张图片",
    ),
    "said_index": (
        "{products} products, {pictures} pictures",
        "{products} 件商品，{pictures} 张图片",
    ),
    "said_changes": ("{waiting} wait, {parked} parked", "{waiting} 项等待，{parked} 项搁置"),
    "queue": ("Waiting for the index", "等待索引"),
    "oldest": ("Oldest waits", "最久等待"),
    "seconds": ("{n} s", "{n} 秒"),
    "none_parked": (
        "Every product that changed could be indexed.",
        "所有变更的商品都已成功索引。",
    ),
    "product": ("Product", "商品"),
    "reason": ("Reason", "原因"),
    "bundles": ("Bundles that answer", "正在使用的模型"),
    "dim": ("{n} dimensions", "{n} 维"),
    "purpose_of": ("Use {name} for", "{name} 的用途"),
    "purpose_cross-modal": ("words and pictures", "文字与图片"),
    "purpose_text": ("words", "文字"),
    "purpose_looks": ("looks", "外观"),
    "use": ("Switch to it", "切换"),
    "use_title": ("Switch to {name}?", "切换到 {name}？"),
    "use_text": (
        "Everything is indexed for it beside what answers now. Searching goes on; "
        "the switch happens at the end, in one step.",
        "将在后台为它重新建立索引，期间搜索照常，完成后一步切换。",
    ),
    "index": ("Catalogue and index", "商品库与索引"),
    "in_catalogue": ("In the catalogue", "商品库中"),
    "in_index": ("In the index", "索引中"),
    "pictures": ("Pictures", "图片"),
    "removed": ("Deleted", "已删除"),
    "unfit": (
        "The index was built for other settings. Rebuild it.",
        "索引与当前设置不符，请重建。",
    ),
    "agree": ("All {n} products agree, revision by revision.", "全部 {n} 件商品逐版本一致。"),
    "differ": (
        "{missing} missing, {stale} stale, {orphaned} orphaned.",
        "缺失 {missing}，过期 {stale}，多余 {orphaned}。",
    ),
    "announced": ("{n} are being indexed again.", "{n} 件正在重新索引。"),
    "audit": ("Audit", "核对"),
    "repair": ("Audit and repair", "核对并修复"),
    "rebuild": ("Rebuild", "重建索引"),
    "rebuild_text": (
        "The index is built anew beside the live one. Searching goes on meanwhile.",
        "将在后台重新建立索引，期间搜索照常。",
    ),
    "tasks": ("Long work", "后台任务"),
    "no_tasks": ("Nothing since the service started.", "服务启动以来没有任务。"),
    "so_far": ("{done} of {total}", "{done} / {total}"),
    "task_rebuild": ("Rebuild", "重建索引"),
    "task_use": ("Switch of bundles", "切换模型"),
    "task_audit": ("Audit", "核对"),
    "task_evaluation": ("Evaluation", "评测"),
    "task_duplicates": ("Search for duplicates", "查找重复商品"),
    "reranker": ("ranks again: scenes name it", "用于重排，由场景指定"),
    "task_check": ("Check", "检查"),
    "traffic": ("The last hour", "最近一小时"),
    "per_minute": ("Requests per minute", "每分钟请求数"),
    "searches": ("searches", "搜索"),
    "seen": ("pictures", "图片"),
    "others": ("others", "其他"),
    "latency": ("How long a search takes", "搜索用时"),
    "p50": ("median", "中位数"),
    "p95": ("95th percentile", "95 百分位"),
    "queue_length": ("Changes that wait", "等待的变更"),
    "changes": ("changes", "变更"),
    "too_early": ("Too little has happened yet.", "暂时没有足够的数据。"),
}


def show(visit: Visit) -> None:
    """Draw the page, again and again."""
    redrawn(visit, "system_busy", lambda busy: _draw(visit, busy), busy_s=BUSY_S, calm_s=CALM_S)


def _draw(visit: Visit, busy: bool) -> None:
    client = visit.client
    tasks = client.tasks()
    told = parts.show(
        "system", _data(visit, client, tasks), triggers=("audit", "rebuild", "use", "again")
    )
    acted = _act(client, told)
    now_busy = acted or not all(task.over for task in tasks)
    if now_busy != busy:
        st.session_state["system_busy"] = now_busy
        st.rerun()
    if acted:
        st.rerun(scope="fragment")


def _act(client: Client, told: Any) -> bool:
    """Do what the visitor asked for; say whether anything was begun."""
    try:
        if told.audit:
            client.start_audit(repair=told.audit["repair"])
        elif told.rebuild:
            client.start_rebuild()
        elif told.use:
            client.use_model(told.use["name"], purpose=told.use["purpose"])
        elif told.again:
            client.index_again(told.again)
        else:
            return False
    except (Unavailable, Unauthenticated):
        raise
    except CrosslensError as exc:
        st.session_state["system_told"] = exc.message
        return True
    st.session_state.pop("system_told", None)
    return True


def _data(visit: Visit, client: Client, tasks: Sequence[Task]) -> dict[str, Any]:
    audits = [task.result for task in tasks if task.kind == "audit" and task.state == "done"]
    purposes = {p: visit.say(f"purpose_{p}") for p in ("cross-modal", "text", "looks")}
    return {
        "texts": visit.say.all() | {"purposes": purposes},
        "language": visit.say.language,
        "health": health(visit, client.ready()),
        "index": asdict(client.index_state()),
        "models": [asdict(model) for model in client.models()],
        "tasks": [asdict(task) for task in tasks[:SHOWN_TASKS]],
        "busy": not all(task.over for task in tasks),
        "last_audit": dict(audits[0]) if audits else None,
        "traffic": traffic(client.traffic()),
        "notice": st.session_state.get("system_told"),
    }


def health(visit: Visit, readiness: Readiness) -> list[dict[str, Any]]:
    """Return what every part of the service said of itself."""
    return [
        {
            "name": name,
            "ok": check["ok"],
            "said": _said(visit, name, check),
            "error": check.get("error"),
            "hint": check.get("hint"),
        }
        for name, check in readiness.checks.items()
    ]


def _said(visit: Visit, name: str, check: Mapping[str, Any]) -> str:
    if name == "models":
        return ", ".join(check.get("loaded", {}))
    try:
        return visit.say(f"said_{name}", **check)
    except KeyError:  # a part that this page does not know, or one that told nothing
        return visit.say("well")


def traffic(steps: Sequence[TrafficStep]) -> dict[str, list[tuple[float, float]]]:
    """Return series of (seconds since 1970, value); this page's own looking is left out."""
    plots: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("searches", "pictures", "others", "p50", "p95", "queue")
    }
    for step in steps:
        searches = [path for path in step.paths if path["path"] in _SEARCHES]
        pictures = [path for path in step.paths if path["path"] == _PICTURES]
        others = [p for p in step.paths if p["path"] not in (*_SEARCHES, *_LOOKING, _PICTURES)]
        per_minute = 60 / step.seconds
        plots["searches"].append((step.at, per_minute * _answers(searches)))
        plots["pictures"].append((step.at, per_minute * _answers(pictures)))
        plots["others"].append((step.at, per_minute * _answers(others)))
        if searches:
            plots["p50"].append((step.at, max(path["p50_ms"] for path in searches)))
            plots["p95"].append((step.at, max(path["p95_ms"] for path in searches)))
        if step.queue is not None:
            plots["queue"].append((step.at, step.queue))
    return plots


def _answers(paths: Iterable[Mapping[str, Any]]) -> float:
    return float(sum(path["answers"] for path in paths))


PAGE = Page("system", 30, TEXTS, show)

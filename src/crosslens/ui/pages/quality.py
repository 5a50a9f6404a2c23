"""Quality: measure the live catalogue, look at figures with intervals, compare, see the worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import streamlit as st

from crosslens.client import Client, EvaluationRun, Task
from crosslens.client.tending import Evaluation
from crosslens.errors import CrosslensError, NotFound, Unauthenticated, Unavailable
from crosslens.ui import parts
from crosslens.ui.page import redrawn
from crosslens.ui.pages.search import TEXTS as SEARCH
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

BUSY_S = 0.6
SHOWN_WORST = 12
MEASURE = "ndcg@10"

TEXTS: Texts = {
    **{name: text for name, text in SEARCH.items() if name.startswith("kind_")},
    "title": ("Quality", "质量"),
    "about": (
        "Ask questions with known answers, and see how good the answers are.",
        "用已知答案的问题来检验搜索结果。",
    ),
    "evaluate": ("Evaluate", "评测"),
    "set": ("Judged set", "评测集"),
    "kind": ("Compare", "匹配方式"),
    "spoken": ("Queries in", "查询语言"),
    "both": ("all languages", "全部语言"),
    "alpha": ("α, vectors against words", "α（向量与关键词）"),
    "auto": ("as usual", "默认"),
    "fusion": ("Fusion", "融合方式"),
    "rrf": ("by rank", "按名次"),
    "by_score": ("by score", "按得分"),
    "scene": ("Scene", "场景"),
    "no_scene": ("none", "不使用"),
    "truth": (
        "Expected calibration error over {n} hits: {before} if scores are taken for "
        "probabilities, {after} once they are calibrated",
        "{n} 个结果的校准误差：直接把得分当概率为 {before}，校准后为 {after}",
    ),
    "truth_in_use": ("; {in_use} as this catalogue does it", "；当前商品库为 {in_use}"),
    "most": ("At most so many queries", "最多查询数"),
    "all": ("all", "全部"),
    "name": ("Name of the run", "名称"),
    "made_up": ("made up", "自动生成"),
    "start": ("Start", "开始"),
    "no_sets": (
        "The service has no judged set. Put a folder with queries.jsonl and qrels.tsv into "
        "“judged” of its home.",
        "服务没有评测集。请把含 queries.jsonl 和 qrels.tsv 的文件夹放入其目录下的 judged。",
    ),
    "measuring": ("Measuring with {name}", "正在用 {name} 评测"),
    "so_far": ("{done} of {total} queries", "已完成 {done} / {total} 个查询"),
    "runs": ("Runs", "评测记录"),
    "run": ("Run", "记录"),
    "no_runs": ("No run yet. Start one above.", "还没有评测记录，请在上方开始。"),
    "pick_two": ("Tick two to compare them.", "勾选两条可进行对比。"),
    "pick": ("Compare {name}", "对比 {name}"),
    "compare": ("Compare", "对比"),
    "queries": ("Queries", "查询数"),
    "when": ("When", "时间"),
    "remove": ("Delete", "删除"),
    "remove_run": ("Delete {name}", "删除 {name}"),
    "remove_sure": ("The run “{name}” is forgotten for good.", "评测记录“{name}”将被永久删除。"),
    "facts": (
        "{queries} queries against {products} products in {seconds} s",
        "{queries} 个查询，{products} 件商品，用时 {seconds} 秒",
    ),
    "measure": ("Measure", "指标"),
    "mean": ("Mean", "均值"),
    "interval": ("95 % interval", "95% 区间"),
    "plot": ("Means with 95 % intervals", "均值与 95% 区间"),
    "spoken_en": ("English", "英文"),
    "spoken_zh": ("Chinese", "中文"),
    "comparison": ("Comparison", "对比"),
    "compared": (
        "{n} queries asked in both; differences query by query. Coloured where the interval "
        "leaves out zero.",
        "两次评测共有 {n} 个查询，逐一比较；区间不含零时着色。",
    ),
    "first": ("First", "第一次"),
    "second": ("Second", "第二次"),
    "difference": ("Difference", "差异"),
    "worst": ("Where it goes wrong", "表现最差的查询"),
    "by_measure": ("Worst by", "排序指标"),
    "found": ("Found", "找到的"),
    "right": ("right", "正确"),
    "would_be_right": ("Would be right", "正确答案"),
}


def show(visit: Visit) -> None:
    """Draw the page; while a run is under way, again and again."""
    redrawn(visit, "quality_task", lambda _: _draw(visit), busy_s=BUSY_S)


def _draw(visit: Visit) -> None:
    client = visit.client
    task = _task(client)
    if task is not None and task.state == "done":
        st.session_state.pop("quality_task", None)
        parts.turn_to({"run": task.result["run"], "other": ""})
        st.rerun()
    told = parts.show("quality", _data(visit, client, task), triggers=("evaluate", "go", "forget"))
    if told.go:
        parts.turn_to(told.go)
        st.rerun()
    if told.evaluate:
        _start(client, told.evaluate)
        st.rerun()
    if told.forget:
        client.remove_run(told.forget)
        st.rerun()


def _task(client: Client) -> Task | None:
    task_id = st.session_state.get("quality_task")
    try:
        return client.task(task_id) if task_id else None
    except NotFound:  # the service was started anew
        st.session_state.pop("quality_task", None)
        return None


def _start(client: Client, form: Mapping[str, Any]) -> None:
    options = Evaluation(**{name: value for name, value in form.items() if name != "set"})  # type: ignore[typeddict-item]
    st.session_state.pop("quality_told", None)
    try:
        st.session_state["quality_task"] = client.start_evaluation(form["set"], **options).task
    except (Unavailable, Unauthenticated):
        raise
    except CrosslensError as exc:
        st.session_state["quality_told"] = exc.message


def _data(visit: Visit, client: Client, task: Task | None) -> dict[str, Any]:
    runs = client.runs()
    known = {run.id: run for run in runs}
    chosen = known.get(st.query_params.get("run", "")) or (runs[0] if runs else None)
    other = known.get(st.query_params.get("other", ""))
    measure = st.query_params.get("measure", MEASURE)
    if chosen is not None and measure not in chosen.report["metrics"]:
        measure = MEASURE
    spoken = {language: visit.say(f"spoken_{language}") for language in ("en", "zh")}
    return {
        "texts": visit.say.all() | {"spoken_names": spoken},
        "language": visit.say.language,
        "sets": [asdict(each) for each in client.judged_sets()],
        "scenes": [each.name for each in client.scenes().scenes],
        "task": None if task is None else asdict(task),
        "notice": st.session_state.get("quality_told"),
        "runs": [_row(run) for run in runs],
        "run": None if chosen is None else asdict(chosen),
        "other": None if other is None else other.id,
        "measure": measure,
        "compared": _compared(client, chosen, other),
        "worst": _worst(client, chosen, measure) if other is None else [],
    }


def _row(run: EvaluationRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "created": run.created,
        "queries": run.report["queries"],
        "metrics": run.report["metrics"],
    }


def _compared(
    client: Client, first: EvaluationRun | None, second: EvaluationRun | None
) -> dict[str, Any] | None:
    if first is None or second is None or first.id == second.id:
        return None
    return asdict(client.compare_runs(first.id, second.id)) | {"names": [first.name, second.name]}


def _worst(client: Client, run: EvaluationRun | None, measure: str) -> list[dict[str, Any]]:
    if run is None:
        return []
    found = client.worst_queries(run.id, measure=measure, limit=SHOWN_WORST)
    return [asdict(asked) for asked in found]


PAGE = Page("quality", 40, TEXTS, show)

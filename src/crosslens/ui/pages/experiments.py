"""Experiments: scenes with their layers and shares, and what each experiment did."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import streamlit as st

from crosslens.client import Client, ExperimentsReport, SceneInfo, SceneLayer
from crosslens.errors import Forbidden, InvalidRequest, NotFound
from crosslens.ui import parts
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

ACTIONS = ("click", "cart", "buy", "dismissed")

TEXTS: Texts = {
    "title": ("Experiments", "实验"),
    "about": (
        "Scenes split their users over experiments; here is what each did.",
        "场景把用户分到不同实验，这里显示各实验的效果。",
    ),
    "broken_file": (
        "The file of scenes is wrong, so the last right one is in use:",
        "场景文件有误，仍使用上一份正确的：",
    ),
    "scenes": ("Scenes and layers", "场景与层"),
    "no_layers": ("no experiments", "没有实验"),
    "none": ("No scene has experiments yet", "还没有实验"),
    "none_hint": (
        "Put layers into scenes.yaml of the service’s home, for example:",
        "在服务目录的 scenes.yaml 中加入层，例如：",
    ),
    "drawn": ("drawn for each question", "每次查询随机"),
    "share": ("{n} % of the users", "{n}% 的用户"),
    "measure": ("Answers that led to", "统计行为"),
    "action_click": ("a click", "点击"),
    "action_cart": ("the basket", "加入购物车"),
    "action_buy": ("a purchase", "购买"),
    "action_dismissed": ("a dismissal", "忽略"),
    "since": ("Answers since", "起始日期"),
    "until": ("until before", "截止日期（不含）"),
    "experiment": ("Experiment", "实验"),
    "users": ("Users", "用户数"),
    "expected": ("Expected", "预期"),
    "answers": ("Answers", "回答数"),
    "mean": ("Mean per user", "每用户均值"),
    "effect": ("Effect", "效果"),
    "at_the_end": ("95 % at the end", "95%（预定终点）"),
    "any_time": ("95 % at any time", "95%（随时查看）"),
    "p_end": ("p", "p"),
    "p_any": ("p at any time", "p（随时）"),
    "base": ("what the others are compared with", "对照"),
    "plot": (
        "Effects beside {base}, with what holds at any time",
        "相对 {base} 的效果（随时有效的区间）",
    ),
    "how_to_read": (
        "“At the end” is right if the end was set beforehand; “at any time” however often you "
        "look. An effect is there when its interval leaves out zero.",
        "“预定终点”适用于事先定好结束时间的实验；“随时查看”无论看多少次都成立。区间不含零即有效果。",
    ),
    "split_broken": (
        "The split is broken (p = {p}): more or fewer users than the ratios say. Find out who is "
        "missing before you believe any effect.",
        "分流异常（p = {p}）：用户数与比例不符。请先查明原因，再看效果。",
    ),
    "split_fine": ("Users fall as the ratios say (p = {p}).", "分流与设定比例一致（p = {p}）。"),
    "too_few": (
        "Too few users yet to say anything: two per experiment at least, who say who they are.",
        "用户太少，暂无结论：每个实验至少需要两名有标识的用户。",
    ),
    "duel": (
        "{name}: {a} wins {na} users, {b} wins {nb}, {ties} ties, p = {p}",
        "{name}：{a} 胜 {na} 名用户，{b} 胜 {nb} 名，平 {ties}，p = {p}",
    ),
    "duels": ("Interleaved rankings", "交替排序"),
    "pick": ("Pick a layer to see its report.", "选择一个层查看报告。"),
    "report": ("{scene} · {layer}", "{scene} · {layer}"),
    "look_at": ("See it beside another", "并排查看"),
}


def show(visit: Visit) -> None:
    """Draw the page."""
    client = visit.client
    listed = client.scenes()
    params = st.query_params
    scene, layer = _chosen(listed.scenes, params.get("scene", ""), params.get("layer", ""))
    action = params.get("action") if params.get("action") in ACTIONS else ACTIONS[0]
    report, error = _report(client, scene, layer, action or ACTIONS[0])
    told = parts.show(
        "experiments",
        {
            "texts": visit.say.all(),
            "language": visit.say.language,
            "scenes": [asdict(each) for each in listed.scenes],
            "file_error": listed.error,
            "scene": None if scene is None else scene.name,
            "layer": None if layer is None else layer.name,
            "action": action,
            "since": _day(params.get("since", "")),
            "until": _day(params.get("until", "")),
            "report": None if report is None else asdict(report),
            "error": error,
        },
        triggers=("go",),
    )
    if told.go:
        parts.turn_to(told.go)
        st.rerun()


def _chosen(
    scenes: tuple[SceneInfo, ...], scene: str, layer: str
) -> tuple[SceneInfo | None, SceneLayer | None]:
    """Find the layer of the address, else the first there is."""
    places = [(each, one) for each in scenes for one in each.layers]
    for place in places:
        if (place[0].name, place[1].name) == (scene, layer):
            return place
    return places[0] if places else (None, None)


def _report(
    client: Client, scene: SceneInfo | None, layer: SceneLayer | None, action: str
) -> tuple[ExperimentsReport | None, str]:
    if scene is None or layer is None:
        return None, ""
    since, until = (_moment(st.query_params.get(name, "")) for name in ("since", "until"))
    try:
        found = client.experiments_report(
            scene.name, layer.name, action=action, since=since, until=until
        )
    except (InvalidRequest, NotFound, Forbidden) as exc:
        return None, exc.message
    return found, ""


def _day(text: str) -> str:
    return "" if _moment(text) is None else text


def _moment(text: str) -> datetime | None:
    """Read a day of the address as its first moment, UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


PAGE = Page("experiments", 44, TEXTS, show)

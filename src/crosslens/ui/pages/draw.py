"""Draw: pictures for words, with their seeds; kept, looked for, or made a product of."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from crosslens.client import Client, GeneratorInfo, Task
from crosslens.client.generating import Wish
from crosslens.errors import CrosslensError, NotFound, Unauthenticated, Unavailable
from crosslens.ui import parts, shown, wanted
from crosslens.ui.page import redrawn
from crosslens.ui.visit import Page, Visit
from crosslens.ui.wanted import MOST, MOST_WORDS, SEEDS, Wanted
from crosslens.ui.words import Texts

AGAIN_S = 0.5
PATIENCE_S = 1.0  # a drawing that takes no longer is shown without a word about progress
KNOWN_S = 60.0  # what draws is asked again after so long
USUAL, USUAL_SLOW = 4, 1  # pictures unless said, of quick generators and of others
QUICK_PX = 256
FRESH = 12

TEXTS: Texts = {
    "title": ("Draw", "画图"),
    "heading": ("Say it, and see it drawn", "说出来，画给您看"),
    "prompt": ("What should it look like?", "想画什么？"),
    "prompt_label": ("Words to draw", "要画的内容"),
    "go": ("Draw", "开始画"),
    "keys": ("Enter draws, Shift + Enter begins a new line", "回车开始画，Shift + 回车换行"),
    "negative": ("What it should not look like", "不要出现的内容"),
    "settings": ("Settings", "设置"),
    "n": ("Pictures", "张数"),
    "size": ("Size", "尺寸"),
    "px": ("{n} × {n}", "{n} × {n}"),
    "steps": ("Steps", "步数"),
    "guidance": ("Guidance", "引导强度"),
    "guidance_hint": ("higher: closer to the words", "越高越贴近文字"),
    "seed": ("Seed", "种子"),
    "any_seed": ("any", "随机"),
    "seed_hint": ("the same one draws the same again", "相同种子会画出相同图片"),
    "no_seed": ("Draw with any seed again", "恢复随机种子"),
    "generator": ("Generator", "生成器"),
    "usual": ("{n} by itself", "默认 {n}"),
    "reads": ("reads {languages}", "可读：{languages}"),
    "lang_zh": ("Chinese", "中文"),
    "lang_en": ("English", "英文"),
    "try_these": ("Try", "试试"),
    "counted": ("{n} of {most} characters", "{n} / {most} 字"),
    "no_prompt": ("Say first what to draw.", "请先写下要画的内容。"),
    "too_long": (
        "That is {n} characters long; at most {most} are read.",
        "共 {n} 个字，最多 {most} 个。",
    ),
    "not_whole": (
        "{name} must be a whole number from {least} to {most}.",
        "{name}须为 {least} 到 {most} 的整数。",
    ),
    "not_number": ("{name} must be from {least} to {most}.", "{name}须在 {least} 到 {most} 之间。"),
    "drawing": ("Drawing", "正在画"),
    "in_queue": ("Waiting for its turn", "排队中"),
    "picture_n": ("Picture {n} of {of}", "第 {n} 张，共 {of} 张"),
    "stop": ("Stop", "停止"),
    "stopped": ("Stopped before it was done.", "已停止，未画完。"),
    "drawn": ("Drawn pictures", "画好的图片"),
    "facts": ("{n} drawn by {generator} in {s} s", "{generator} 用 {s} 秒画了 {n} 张"),
    "copy_prompt": ("Copy the words", "复制文字"),
    "copy_link": ("Copy the link", "复制链接"),
    "copied": ("Copied", "已复制"),
    "download": ("Download", "下载"),
    "find": ("Search with it", "以图搜索"),
    "draft": ("Make a product", "新建商品"),
    "draft_all": ("Make a product of all {n}", "用全部 {n} 张新建商品"),
    "another": ("Another seed", "换个种子"),
    "keep_seed": ("Keep seed {seed}", "固定种子 {seed}"),
    "seed_is": ("Seed {seed}", "种子 {seed}"),
    "look_at": ("Look at picture {n}, seed {seed}", "查看第 {n} 张，种子 {seed}"),
    "drawn_from": ("Drawn from: {prompt}", "由此画出：{prompt}"),
    "gone": ("These pictures are no longer kept.", "这些图片已不再保留。"),
    "gone_hint": (
        "The same words and the same seed draw them again.",
        "用相同的文字和种子可以重新画出。",
    ),
    "again": ("Draw them again", "重新画"),
    "recent": ("Drawn in this tab", "本标签页画过的"),
    "forget": ("Forget them", "清空记录"),
    "recent_one": ("{prompt}, {n} drawn", "{prompt}，{n} 张"),
    "full": (
        "Many drawings wait already. Try again in a moment.",
        "排队的绘图太多，请稍后再试。",
    ),
    "missing": ("There is no such generator here.", "这里没有这个生成器。"),
    "cannot": ("The generator could not draw this.", "生成器没能画出来。"),
    "refused": ("It cannot be drawn like this.", "无法按这些要求画。"),
    "broke": ("The drawing failed.", "绘图失败。"),
    "use_other": ("Draw with {name}", "改用 {name}"),
    "unloaded": ("This generator cannot draw now.", "该生成器目前不可用。"),
}
_TROUBLE = {  # code of an error → what to say
    "overloaded": "full",
    "rate_limited": "full",
    "not_found": "missing",
    "missing_extra": "missing",
    "cannot_draw": "cannot",
    "invalid_request": "refused",
    "forbidden": "forbidden",
}


def show(visit: Visit) -> None:
    """Draw the page; while a picture is being drawn, again and again."""
    redrawn(visit, "draw_busy", lambda busy: _draw(visit, busy), busy_s=AGAIN_S)


def _draw(visit: Visit, busy: bool) -> None:
    client, now = visit.client, wanted.read(st.query_params.to_dict())
    task = _task(client, now)
    told = parts.show("draw", _data(visit, client, now, task), triggers=("draw", "go", "stop"))
    if _act(visit, told):
        st.rerun()
    now_busy = task is not None and not task.over
    if now_busy != busy:
        st.session_state["draw_busy"] = now_busy
        st.rerun()


def _task(client: Client, now: Wanted) -> Task | None:
    try:
        return client.drawing(now.task) if now.task else None
    except NotFound:  # an old link: the service has begun anew since
        return None


def _act(visit: Visit, told: Any) -> bool:
    """Do what the visitor asked for; say whether anything changed."""
    acts: dict[str, Callable[[Visit, Any], None]] = {"draw": _begin, "go": _go, "stop": _stop}
    for name, act in acts.items():
        if (asked := told[name]) is not None:
            st.session_state.pop("draw_told", None)
            st.session_state["draw_acts"] = st.session_state.get("draw_acts", 0) + 1
            try:
                act(visit, asked)
            except (Unavailable, Unauthenticated):
                raise
            except CrosslensError as exc:
                told_so = trouble(visit, exc.code, exc.message, exc.hint)
                st.session_state["draw_told"] = told_so
            return True
    return False


def _begin(visit: Visit, asked: Mapping[str, str]) -> None:
    """Begin to draw, and put the task into the address."""
    now = replace(wanted.read(asked), task="", first=None)
    first = secrets.randbelow(SEEDS) if now.seed is None else now.seed
    client = visit.client
    try:
        task = client.start_drawing(now.prompt, **_wish(now, first))
    except CrosslensError:
        _put(visit, now)
        raise
    until = time.monotonic() + PATIENCE_S
    while not client.drawing(task.task).over and time.monotonic() < until:
        time.sleep(0.05)
    _put(visit, replace(now, task=task.task, first=first))


def _wish(now: Wanted, seed: int) -> Wish:
    wish: Wish = {"negative": now.negative, "n": now.n or 1, "seed": seed}
    if now.size:
        wish["size"] = now.size
    if now.steps:
        wish["steps"] = now.steps
    if now.guidance is not None:
        wish["guidance"] = now.guidance
    if now.generator:
        wish["generator"] = now.generator
    return wish


def _go(visit: Visit, asked: Mapping[str, str]) -> None:
    _put(visit, wanted.read(asked))


def _stop(visit: Visit, task: str) -> None:
    visit.client.cancel_drawing(task)


def _put(visit: Visit, now: Wanted) -> None:
    st.query_params.from_dict(wanted.write(now) | {"lang": visit.say.language.value})


def trouble(visit: Visit, code: str | None, message: str, hint: str | None) -> dict[str, str]:
    """Say in the visitor's language what went wrong, with the service's own words beside it."""
    return {
        "text": visit.say(_TROUBLE.get(code or "", "broke")),
        "detail": " ".join(filter(None, (message, hint and f"({hint})"))),
    }


def _data(visit: Visit, client: Client, now: Wanted, task: Task | None) -> dict[str, Any]:
    about = _about(client, now.generator)
    failed = task is not None and task.state == "failed"
    notice = st.session_state.get("draw_told")
    if notice is None and failed and task is not None:
        notice = trouble(visit, task.code, task.error or "", task.hint)
    return {
        "texts": visit.say.all(),
        "language": visit.say.language,
        "wanted": wanted.write(now),
        "n": now.n or (USUAL if about.native_px <= QUICK_PX else USUAL_SLOW),
        "most": MOST,
        "most_words": MOST_WORDS,
        "about": _told(about),
        "notice": notice,
        "task": None if task is None else _progress(task, now),
        "made": None if task is None or task.state != "done" else _made(task),
        "gone": bool(now.task) and task is None,
        "ideas": [] if now.prompt else _ideas(visit, client),
        "here": urlencode(wanted.write(now)),
        "acts": st.session_state.get("draw_acts", 0),
    }


def _progress(task: Task, now: Wanted) -> dict[str, Any]:
    return {
        "id": task.task,
        "state": task.state,
        "done": task.done,
        "total": task.total,
        "n": now.n or 1,
    }


def _made(task: Task) -> dict[str, Any]:
    """Return what came out, for the part that shows it."""
    result = task.result
    return {
        "generator": result["generator"],
        "prompt": result["prompt"],
        "seconds": result["took_ms"] / 1_000,
        "lang": "zh-CN" if shown.is_chinese(result["prompt"]) else "en",
        "pictures": [
            {"sha256": one["sha256"], "seed": one["seed"], "size": one["size"]}
            for one in result["pictures"]
        ],
    }


def _about(client: Client, name: str) -> GeneratorInfo:
    """Return what draws; asked again now and then, and at once as long as it cannot."""
    known: dict[tuple[int, str], tuple[float, GeneratorInfo]]
    known = st.session_state.setdefault("generators", {})
    kept = known.get((id(client), name))
    if kept is not None and time.monotonic() - kept[0] < KNOWN_S:
        return kept[1]
    try:
        about = client.generator(name)
    except NotFound as exc:
        return _nothing(client, name, exc)
    if about.error is None:
        known[id(client), name] = (time.monotonic(), about)
    return about


def _nothing(client: Client, name: str, exc: NotFound) -> GeneratorInfo:
    """Return what is told of a generator that is not there, beside those that are."""
    others = _about(client, "").generators if name else ()
    return GeneratorInfo(others, name, (), 0, (), 0, 0.0, "", "", exc.message)


def _told(about: GeneratorInfo) -> dict[str, Any]:
    return {
        "name": about.name,
        "generators": list(about.generators),
        "languages": list(about.languages),
        "native": about.native_px,
        "sizes": list(about.sizes),
        "steps": about.steps,
        "guidance": about.guidance,
        "note": about.note,
        "error": about.error,
    }


def _ideas(visit: Visit, client: Client) -> list[str]:
    return shown.ideas(client.products(page_size=FRESH).products, visit.say.language)


PAGE = Page("draw", 22, TEXTS, show)

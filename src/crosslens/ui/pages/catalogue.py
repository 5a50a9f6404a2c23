"""Catalogue: list, add, view, edit, remove with undo, import with progress; states in the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from crosslens.client import Client, ImportJob, Product, ProductPage
from crosslens.client.calls import Details, Paging, ProductEdits
from crosslens.errors import CrosslensError, NotFound, OutOfDate
from crosslens.ui import parts, shown
from crosslens.ui.house import house
from crosslens.ui.page import redrawn
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import Texts

SORTS = ("created", "-created", "-updated", "title", "-title")
SIZES = (10, 20, 50, 100)
LAST_PAGE = 10_000
AGAIN_S = 0.7
MOST_TITLE = 2_000
MOST_PICTURES = 10
DRAFTED = 6  # attributes that a draft asks for
_NEW = "new"

TEXTS: Texts = {
    "title": ("Catalogue", "商品库"),
    "find": ("Find by title, key or number", "按标题、编码或编号查找"),
    "sort": ("Order", "排序"),
    "sort_-created": ("Newest first", "最新在前"),
    "sort_created": ("Oldest first", "最早在前"),
    "sort_-updated": ("Last changed first", "最近修改在前"),
    "sort_title": ("Title A → Z", "标题 A → Z"),
    "sort_-title": ("Title Z → A", "标题 Z → A"),
    "page_size": ("Products per page", "每页数量"),
    "per_page": ("{n} per page", "每页 {n} 件"),
    "add": ("Add a product", "添加商品"),
    "import": ("Import", "批量导入"),
    "picture": ("Picture", "图片"),
    "product": ("Product", "商品"),
    "state": ("In searches", "搜索状态"),
    "changed": ("Changed", "修改时间"),
    "actions": ("Actions", "操作"),
    "first": ("First page", "首页"),
    "last": ("Last page", "末页"),
    "paging": ("Pages of the catalogue", "商品库分页"),
    "total": ("{n} products", "共 {n} 件商品"),
    "total_least": ("at least {n} products", "至少 {n} 件商品"),
    "nothing_found": ("No product is called like that", "没有这样的商品"),
    "nothing_here": ("The catalogue is empty", "商品库还是空的"),
    "nothing_hint": ("Add a product, or import a file.", "添加一件商品，或导入文件。"),
    "edit": ("Edit the product", "编辑商品"),
    "edit_title": ("Edit {title}", "编辑 {title}"),
    "remove": ("Delete", "删除"),
    "remove_title": ("Delete {title}", "删除 {title}"),
    "remove_sure": (
        "“{title}” disappears from every search at once. You can undo this.",
        "“{title}”将立即从所有搜索中消失，可以撤销。",
    ),
    "removed": ("Deleted “{title}”.", "已删除“{title}”。"),
    "restored": ("“{title}” is back.", "已恢复“{title}”。"),
    "added": (
        "Added “{title}”. Searches know it in a moment.",
        "已添加“{title}”，稍后即可搜索到。",
    ),
    "saved": (
        "Saved “{title}”. Searches know it in a moment.",
        "已保存“{title}”，稍后即可搜索到。",
    ),
    "pictures": ("Pictures", "图片"),
    "picture_of": ("Picture {n} of {of}", "第 {n} 张，共 {of} 张"),
    "add_pictures": ("Add pictures", "添加图片"),
    "to_front": ("To the front", "设为首图"),
    "take_off_picture": ("Take off picture {n}", "移除第 {n} 张图片"),
    "take_off_short": ("Take off", "移除"),
    "take_off": ("Take off: {name}", "移除：{name}"),
    "product_title": ("Title", "标题"),
    "description": ("Description", "描述"),
    "source_key": ("Your key", "商品编码"),
    "source_key_hint": (
        "Your own number or SKU, if you have one; it stays.",
        "您自己的编号或 SKU（可不填），之后不能修改。",
    ),
    "attributes": ("Attributes", "属性"),
    "attribute": ("Name", "名称"),
    "value": ("Value", "值"),
    "add_attribute": ("Add an attribute", "添加属性"),
    "revision": ("revision {n}", "版本 {n}"),
    "out_of_date": (
        "Somebody else changed this product meanwhile. What you see is how it is now.",
        "该商品刚被其他人修改过，现在显示的是最新内容。",
    ),
    "gone": ("There is no such product any more.", "该商品已不存在。"),
    "gone_picture": ("A picture was lost on the way. Add it again.", "有图片丢失，请重新添加。"),
    "choose_file": ("Choose a file", "选择文件"),
    "import_drop": (
        "Drop a CSV, TSV, JSONL or Parquet file here",
        "将 CSV、TSV、JSONL 或 Parquet 文件拖到这里",
    ),
    "import_hint": (
        "One product per row: a key, a title, anything else as attributes, pictures by URL. "
        "Importing a file again changes only what is new.",
        "每行一件商品：编码、标题，其余为属性，图片用 URL。重复导入只会更新有变化的商品。",
    ),
    "importing": ("Import of {name}", "导入 {name}"),
    "progress": ("Progress", "进度"),
    "job_counts": (
        "{read} read · {stored} stored · {skipped} unchanged · {failed} left out",
        "已读 {read} · 已存 {stored} · 未变 {skipped} · 未导入 {failed}",
    ),
    "job_failed": ("Failed", "失败"),
    "job_cancelled": ("Stopped", "已停止"),
    "left_out": ("{n} records were left out", "{n} 条记录未导入"),
    "line": ("Line", "行"),
    "reason": ("Reason", "原因"),
    "report": ("Download the report", "下载报告"),
    "stop": ("Stop", "停止"),
}


@dataclass(frozen=True, slots=True)
class Shelf:
    """Which part of the catalogue is looked at, as the address says."""

    find: str = ""
    sort: str = "-created"
    size: int = 20
    page: int = 1
    product: str = ""
    job: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> Shelf:
        """Read the address; what makes no sense is left out."""
        sort, size, page = params.get("sort", ""), params.get("size", ""), params.get("page", "")
        product, job = params.get("product", ""), params.get("import", "")
        return cls(
            find=params.get("find", "").strip()[:200],
            sort=sort if sort in SORTS else "-created",
            size=int(size) if size.isdecimal() and int(size) in SIZES else 20,
            page=int(page) if page.isdecimal() and 0 < int(page) <= LAST_PAGE else 1,
            product=product if product == _NEW or product.isdecimal() else "",
            job=job if job.isalnum() else "",
        )

    def paging(self, page: int) -> Paging:
        """Return what to ask of the service."""
        paging = Paging(
            page=page,
            page_size=self.size,
            sort=self.sort.lstrip("-"),
            descending=self.sort.startswith("-"),
        )
        if self.find:
            paging["find"] = self.find
        return paging


def show(visit: Visit) -> None:
    """Draw the page; while something is under way, again and again."""
    redrawn(visit, "shelf_busy", lambda busy: _draw(visit, busy), busy_s=AGAIN_S)


def _draw(visit: Visit, busy: bool) -> None:
    shelf = Shelf.read(st.query_params)
    client = visit.client
    job = _job(client, shelf)
    page, at = _page(client, shelf)
    told = parts.show(
        "shelf",
        _data(visit, shelf, page, at, job),
        triggers=("go", "save", "remove", "undo", "again", "stop"),
    )
    if _act(visit, told):
        st.rerun()
    unsettled = any(each.index_state == "waiting" for each in page.products)
    now_busy = unsettled or (job is not None and not job.ended)
    if now_busy != busy:
        st.session_state["shelf_busy"] = now_busy
        st.rerun()


def _page(client: Client, shelf: Shelf) -> tuple[ProductPage, int]:
    """Read a page, the last one if there are fewer."""
    page = client.products(**shelf.paging(shelf.page))
    last = max(1, -(-page.total // shelf.size))
    if shelf.page <= last:
        return page, shelf.page
    return client.products(**shelf.paging(last)), last


def _job(client: Client, shelf: Shelf) -> ImportJob | None:
    try:
        return client.import_job(shelf.job) if shelf.job else None
    except CrosslensError:  # an old link: the import is long forgotten
        return None


def _act(visit: Visit, told: Any) -> bool:
    """Do what the visitor asked for; say whether anything changed."""
    acts: dict[str, Callable[[Visit, Any], None]] = {
        "go": _go,
        "save": _save,
        "remove": _remove,
        "undo": _undo,
        "again": _again,
    }
    for name, act in acts.items():
        if (asked := told[name]) is not None:
            st.session_state.pop("shelf_told", None)
            act(visit, asked)
            return True
    if told.stop:
        visit.client.cancel_import(told.stop)
    return bool(told.stop)


def _go(visit: Visit, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if value in ("", None) or (name, value) == ("page", 1):
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(value)
    if "product" in changes:
        _drop_draft()


def _drop_draft() -> None:
    for name in ("title", "picture"):
        st.query_params.pop(name, None)


def _save(visit: Visit, form: Mapping[str, Any]) -> None:
    client, title = visit.client, str(form["title"])
    try:
        pictures = _contents(client, form)
        attributes = _attributes(client, form)
        if form["id"]:
            edits: ProductEdits = {
                "title": title,
                "description": form["description"],
                "attributes": attributes,
            }
            if pictures is not None:
                edits["pictures"] = pictures
            client.edit_product(form["id"], revision=form["revision"], **edits)
        else:
            details: Details = {
                "description": form["description"],
                "attributes": attributes,
                "pictures": pictures or [],
            }
            if form["source_key"]:
                details["source_key"] = form["source_key"]
            client.add_product(title, **details)
    except OutOfDate:
        _refuse(visit.say("out_of_date"))
    except LookupError:
        _refuse(visit.say("gone_picture"))
    except CrosslensError as exc:
        _refuse(exc.message)
    else:
        _tell(visit.say("saved" if form["id"] else "added", title=title[:80]))
        st.query_params.pop("product", None)
        _drop_draft()


def _contents(client: Client, form: Mapping[str, Any]) -> list[bytes] | None:
    """Return the pictures of a form in order; None when they are those that the product has."""
    given = form["pictures"]
    if form["id"]:
        held = len(client.product(form["id"]).pictures)
        if [each.get("kept") for each in given] == list(range(held)):
            return None
    return [_content(client, form["id"], each) for each in given]


def _content(client: Client, product_id: int, each: Mapping[str, Any]) -> bytes:
    if "kept" in each:
        return client.picture(product_id, each["kept"])
    content = house.pictures.get(each["digest"])
    if content is None:
        raise LookupError(each["digest"])
    return content


def _attributes(client: Client, form: Mapping[str, Any]) -> dict[str, Any]:
    types = client.index_state().attributes
    held = client.product(form["id"]).attributes if form["id"] else {}
    return {
        name: typed(text, types.get(name), held.get(name))
        for name, text in form["attributes"].items()
        if text
    }


def typed(text: str, kind: str | None, held: object) -> str | float | bool | list[str]:
    """
    Read the value of an attribute as it was typed.

    Args:
        kind: declared type, if any.
        held: the value before; its type is kept where none is declared.
    """
    if kind == "keywords" or isinstance(held, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind == "bool" or isinstance(held, bool):
        return text.strip().lower() in ("✓", "true", "yes", "1", "是")
    if kind == "number" or (kind is None and not isinstance(held, str)):
        try:
            return float(text.replace(",", ""))
        except ValueError:
            return text
    return text


def _remove(visit: Visit, asked: Mapping[str, Any]) -> None:
    st.query_params.pop("product", None)
    try:
        visit.client.remove_product(asked["id"])
    except NotFound:
        _tell(visit.say("gone"), good=False)
        return
    _tell(visit.say("removed", title=asked["title"][:80]))
    st.session_state["shelf_told"]["undo"] = asked["id"]


def _undo(visit: Visit, product_id: int) -> None:
    try:
        back = visit.client.restore_product(product_id)
    except CrosslensError as exc:
        _tell(exc.message, good=False)
    else:
        _tell(visit.say("restored", title=back.title[:80]))


def _again(visit: Visit, product_id: int) -> None:
    visit.client.index_again([product_id])


def _tell(text: str, *, good: bool = True) -> None:
    st.session_state["shelf_told"] = {"text": text, "good": good}


def _refuse(text: str) -> None:
    st.session_state["shelf_told"] = {"refused": text}


def _data(
    visit: Visit, shelf: Shelf, page: ProductPage, at: int, job: ImportJob | None
) -> dict[str, Any]:
    language = visit.say.language
    told = st.session_state.get("shelf_told") or {}
    return {
        "texts": visit.say.all() | {"sorts": {sort: visit.say(f"sort_{sort}") for sort in SORTS}},
        "language": language,
        "find": shelf.find,
        "sort": shelf.sort,
        "size": shelf.size,
        "page": at,
        "pages": max(1, -(-page.total // shelf.size)),
        "total": page.total,
        "total_exact": page.total_exact,
        "products": [shown.product(each, language) for each in page.products],
        "notice": told if "text" in told else None,
        "undo": told.get("undo"),
        "editing": _editing(visit, shelf, told.get("refused")),
        "names": list(visit.client.index_state().attributes) if shelf.product else [],
        "job": None if job is None else _job_data(job),
    }


def _editing(visit: Visit, shelf: Shelf, refused: str | None) -> dict[str, Any] | None:
    if not shelf.product:
        return None
    if shelf.product == _NEW:
        return _BLANK | _draft(visit) | {"refused": refused}
    try:
        product: Product = visit.client.product(int(shelf.product))
    except NotFound:
        _tell(visit.say("gone"), good=False)
        st.query_params.pop("product", None)
        return None
    return shown.product(product, visit.say.language) | {"refused": refused}


def _draft(visit: Visit) -> dict[str, Any]:
    """Return what the address says of a product to come: a title, pictures that were handed in."""
    title = st.query_params.get("title", "")[:MOST_TITLE]
    asked = st.query_params.get_all("picture")[:MOST_PICTURES]
    pictures = [{"digest": each} for each in asked if house.pictures.get(each) is not None]
    names = list(visit.client.index_state().attributes)[:DRAFTED] if title or pictures else []
    return {"title": title, "pictures": pictures, "attributes": [[name, ""] for name in names]}


def _job_data(job: ImportJob) -> dict[str, Any]:
    names = ("id", "state", "source", "expected", "read", "stored", "skipped", "failed", "error")
    told = {name: getattr(job, name) for name in names}
    return told | {"ended": job.ended, "bad": [dict(row) for row in job.bad]}


_BLANK: dict[str, Any] = {
    "id": 0,
    "revision": 0,
    "title": "",
    "description": "",
    "source_key": "",
    "attributes": [],
    "pictures": [],
    "state": "waiting",
    "error": None,
}

PAGE = Page("catalogue", 20, TEXTS, show)

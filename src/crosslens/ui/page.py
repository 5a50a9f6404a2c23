"""The frame around every page: language, navigation, what to do when the service is away."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from crosslens.client import Client
from crosslens.errors import CrosslensError, Forbidden, Unauthenticated, Unavailable
from crosslens.ui import pages as folder
from crosslens.ui import parts
from crosslens.ui.house import COOKIE, house
from crosslens.ui.visit import Page, Visit
from crosslens.ui.words import SHARED, Language, Voice

LANGUAGES = [
    {"code": "en", "title": "EN", "lang": "en"},
    {"code": "zh", "title": "中文", "lang": "zh-CN"},
]
AGAIN_S = 2.0
_ICON = Path(__file__).with_name("assets") / "icon.svg"
_FRAME = (Path(__file__).with_name("assets") / "frame.css").read_text("utf-8")


@cache
def all_pages() -> tuple[Page, ...]:
    """Find the pages: one per file of `ui/pages`, in their order."""
    found = [
        import_module(f"{folder.__name__}.{each.name}").PAGE
        for each in pkgutil.iter_modules(folder.__path__)
    ]
    return tuple(sorted(found, key=lambda page: page.order))


def show() -> None:
    """Show the page that the address names."""
    language = _language()
    voice = Voice(language, SHARED)
    known = {
        page.path: st.Page(
            partial(_page, page, language),
            title=f"{Voice(language, page.texts)('title')} · crosslens",
            url_path=page.path,
            default=number == 0,
        )
        for number, page in enumerate(all_pages())
    }
    chosen = st.navigation(list(known.values()), position="hidden")
    st.set_page_config(page_title=chosen.title, page_icon=str(_ICON), layout="wide")
    st.html(f"<style>{_FRAME}</style>")
    _masthead(known, chosen.url_path, voice)
    chosen.run()


def _masthead(known: dict[str, Any], current: str, voice: Voice) -> None:
    first = all_pages()[0].path
    data = {
        "texts": voice.all(),
        "language": voice.language.value,
        "languages": LANGUAGES,
        "home": _href(first, voice),
        "pages": [
            {
                "path": page.path,
                "title": Voice(voice.language, page.texts)("title"),
                "href": _href(page.path, voice),
                "current": page.path == (current or first),
            }
            for page in all_pages()
        ],
    }
    told = parts.show("masthead", data, triggers=("go", "speak"))
    if told.speak in set(Language):
        st.query_params["lang"] = told.speak
        st.rerun()
    if told.go in known:
        if told.go == (current or first):
            st.query_params.from_dict({"lang": voice.language.value})
            st.rerun()
        st.switch_page(known[told.go], query_params={"lang": voice.language.value})


def _page(page: Page, language: Language) -> None:
    visit = Visit(_client, Voice(language, {**SHARED, **page.texts}))
    guarded(visit, lambda: page.show(visit))


def guarded(visit: Visit, draw: Callable[[], None]) -> None:
    """Draw, or say in a friendly way why that is not possible just now."""
    try:
        draw()
    except Unauthenticated:
        _locked(visit)
    except Unavailable as exc:
        _away(visit, exc)
    except Forbidden as exc:
        _trouble(visit, visit.say("forbidden"), exc.message)
    except CrosslensError as exc:
        _trouble(visit, exc.message, exc.hint or "")


def redrawn(
    visit: Visit,
    busy: str,
    draw: Callable[[bool], None],
    *,
    busy_s: float,
    calm_s: float | None = None,
) -> None:
    """
    Draw again and again by itself, and say whether something is under way.

    Args:
        busy: the key under which the session holds whether it is.
        busy_s: seconds between two drawings while it is.
        calm_s: the same while it is not; None: draw once.
    """
    under_way = bool(st.session_state.get(busy))

    def once() -> None:
        guarded(visit, lambda: draw(under_way))

    st.fragment(once, run_every=busy_s if under_way else calm_s)()


def _locked(visit: Visit) -> None:
    parts.show("door", {"texts": visit.say.all()})


def _away(visit: Visit, exc: Unavailable) -> None:
    """Say that the service is away, and look again by ourselves."""
    texts = visit.say.all() | {"away": visit.say("away", url=house.url)}
    parts.show("trouble", {"texts": texts, "away": True, "detail": exc.message})
    _look_again()


@st.fragment(run_every=AGAIN_S)
def _look_again() -> None:
    try:
        _client().ready()
    except Unavailable:
        return
    except CrosslensError:
        pass
    st.rerun()


def _trouble(visit: Visit, message: str, detail: str) -> None:
    texts = visit.say.all()
    parts.show("trouble", {"texts": texts, "away": False, "message": message, "detail": detail})


def _client() -> Client:
    return house.client(st.context.cookies.get(COOKIE))


def _language() -> Language:
    """Take the language of the address, else that of the browser, and keep it in the address."""
    asked = st.query_params.get("lang", "")
    language = Language(asked) if asked in set(Language) else Language.of(st.context.locale)
    if asked != language:
        st.query_params["lang"] = language.value
    return language


def _href(path: str, voice: Voice) -> str:
    """Write the address of a page; the first one has no path of its own."""
    place = "" if path == all_pages()[0].path else path
    return f"/{place}?{urlencode({'lang': voice.language.value})}"

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import crosslens.ui
from crosslens.ui.page import all_pages
from crosslens.ui.words import SHARED, Language, Texts, Voice

TABLES: dict[str, Texts] = {"all pages": SHARED} | {p.path: p.texts for p in all_pages()}
SAME = {"brand", "title_en"}  # names that are the same in both
ASSETS = Path(crosslens.ui.__file__).parent / "assets"
PARTS = {
    "search": ("searchbox", "results"),
    "draw": ("draw",),
    "catalogue": ("shelf",),
    "system": ("system",),
    "quality": ("quality",),
    "duplicates": ("duplicates",),
    "judging": ("judging",),
    "experiments": ("experiments",),
    "beside": ("beside",),
}
MADE = {"sorts", "purposes", "spoken_names"}  # tables that the page puts together


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("table", TABLES)
def test_every_text_is_there_in_both_languages_with_the_same_blanks(table: str) -> None:
    for name, (english, chinese) in TABLES[table].items():
        assert english.strip(), name
        assert chinese.strip(), name
        assert blanks(english) == blanks(chinese), name
        if re.search(r"[a-z]{3}", re.sub(r"{\w+}", "", english)) and name not in SAME:
            assert re.search(r"[\u3400-\u9fff]", chinese), (name, chinese)
            assert not re.search(r"[\u3400-\u9fff]", english), name


@pytest.mark.parametrize("page", PARTS)
def test_every_text_that_a_part_names_exists(page: str) -> None:
    known = SHARED.keys() | TABLES[page].keys() | MADE
    for part in PARTS[page]:
        used = set(re.findall(r"\btexts\.(\w+)", (ASSETS / f"{part}.js").read_text("utf-8")))
        assert used <= known, used - known


@pytest.mark.parametrize("part", ["masthead", "door", "trouble", "dom"])
def test_the_frame_needs_only_what_all_pages_say(part: str) -> None:
    used = set(re.findall(r"\btexts\.(\w+)", (ASSETS / f"{part}.js").read_text("utf-8")))
    assert used <= SHARED.keys() | MADE, used - SHARED.keys()


def test_no_page_says_a_text_of_all_pages_otherwise() -> None:
    for page in all_pages():
        assert not (page.texts.keys() & SHARED.keys()), page.path


def test_every_page_has_a_name_a_path_and_a_place() -> None:
    pages = all_pages()
    assert [page.path for page in pages][:2] == ["search", "catalogue"]
    assert {page.path for page in pages} == set(PARTS), "every page's parts are looked at"
    assert len({page.order for page in pages}) == len(pages)
    assert all("title" in page.texts for page in pages)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("zh-CN", "zh"), ("ZH", "zh"), ("en-GB", "en"), ("de", "en"), (None, "en"), ("", "en")],
)
def test_the_language_follows_the_browser(locale: str | None, language: str) -> None:
    assert Language.of(locale) == language


def test_a_voice_fills_values_in() -> None:
    assert Voice(Language.ENGLISH, SHARED)("page_of", page=2, pages=9) == "Page 2 of 9"
    assert Voice(Language.CHINESE, SHARED)("page_of", page=2, pages=9) == "第 2 / 9 页"

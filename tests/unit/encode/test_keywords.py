from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crosslens.encode.keywords import MAX_TOKEN, item_tokens, query_tokens

# Text as shops write it, and anything at all: whole planes, marks, lone surrogates.
SHOP = st.lists(
    st.sampled_from(
        [
            "SIZE-42",
            "42码",
            "42",
            " 码",
            "iPhone15",
            "手机壳",
            "T恤",
            "t恤衫",
            "adidas",
            "V领",
            "1号店",
            "4S店",
            "100g",
            "8GB+256GB",
            "3.5mm",
            "6.67'",
            "wi-fi",
            "Women's",
            "½",
            "㎡",
            "×",
            "30*40cm",
            "年级",
            "代理商",
            "10片装",
            "H&M",
            "%",
            "-",
            ".",
            "/",
            " ",
            "，",
            "é",
            "e\u0301",
            "\u200d",
            "の",
            "한국어",
            "กางเกง",
            "حذاء",
            "हिन्दी",
            "繁體",
            "😀",
            "𠮷",
            "İ",
            "ß",
            "_",
            "'s",
            "s",
        ]
    )
).map("".join)
ANY = st.text(st.characters(), max_size=60)


@settings(deadline=None)  # machines are shared
@given(SHOP | ANY)
@example("\ud800a\udfff")
@example("'s-'s")
@example("a" * 1000 + "1码")
@example("1" + "-1" * 40 + "码跑鞋")
def test_any_text_gives_clean_tokens_and_finds_itself(text: str) -> None:
    items, queries = item_tokens(text), query_tokens(text)
    assert set(queries) <= set(items)
    assert bool(queries) == bool(items)
    for token in items:
        assert 0 < len(token) <= MAX_TOKEN
        assert not any(char.isspace() for char in token)
        assert not all(unicodedata.category(char)[0] in "PZS" for char in token)


@settings(deadline=None)  # machines are shared
@given(SHOP | ANY)
def test_case_and_width_make_no_difference(text: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    assert item_tokens(wide) == item_tokens(text)
    assert query_tokens(text.casefold()) == query_tokens(text)


@settings(deadline=None)  # machines are shared
@given(SHOP)
def test_a_title_is_found_in_longer_titles_word_by_word(text: str) -> None:
    assert set(item_tokens(text)) <= set(item_tokens(f"{text}。{text} ， 新款"))


@pytest.mark.parametrize(
    ("title", "tokens"),
    [
        ("SIZE-42 跑鞋", "size-42 size 42 跑鞋"),
        ("42码", "42 42码 码"),
        ("42 码", "42 42码 码"),
        ("36-44码", "36-44 36 44 36-44码 44码 码"),
        ("iPhone15手机壳", "iphone15 iphon 15 手机 壳"),
        ("100g", "100g 100 g"),
        ("6.67'", "6.67"),
        ("4500mAh", "4500mah 4500 mah"),
        ("8GB+256GB", "8gb+256gb 8gb 8 gb 256gb 256"),
        ("5G", "5g 5 g"),
        ("wi-fi", "wifi wi fi"),
        ("USB-C", "usbc usb c"),
        ("k30 a4 3.5mm", "k30 k 30 a4 a 4 3.5mm 3.5 mm"),
        ("100%", "100% 100"),
        ("30×40cm", "30x40cm 30 x 40 cm"),
        ("红色T恤衫", "红色 t恤衫 t恤"),
        ("adidas T恤", "adida t恤"),
        ("adidasT恤", "adida t恤"),
        ("V领连衣裙", "v v领 领 连衣 衣裙 连衣裙"),
        ("Women's shoes, 2 boxes!", "women shoe 2 box"),
        ("日本語のワンピース", "日本 語 のワ ワン ンピ ピー ース"),
        ("한국어 원피스", "한국 국어 원피 피스"),
        ("กางเกง", "กา าง งเ เก กง"),
        ("حذاء रंग naïve", "حذاء रंग naïve"),
        ("😀 — … ？ \u200d", ""),
    ],
)
def test_a_title_gives_its_words_its_compounds_and_their_parts(title: str, tokens: str) -> None:
    assert item_tokens(title) == tokens.split()


@pytest.mark.parametrize(
    ("query", "found", "not_found"),
    [
        ("42", ["SIZE-42", "42码男鞋", "42 码", "36-42码", "US42"], ["142码", "4.2"]),
        (
            "42码",
            ["42码", "跑鞋42码男", "42 码", "36-42码", "42码数齐全"],
            ["SIZE-42", "42", "142码"],
        ),
        ("SIZE-42", ["size-42 鞋", "ＳＩＺＥ－４２"], ["SIZE 42", "42码", "SIZE-421"]),
        ("iphone15", ["iPhone15手机壳", "IPHONE15 Pro"], ["iPhone 15", "iPhone14"]),
        ("t恤", ["T恤", "t恤衫", "NikeT恤男", "Ｔ恤"], ["恤", "t"]),
        ("8年级", ["8年级课本"], ["7岁"]),
        ("wi-fi", ["wifi 路由器", "Wi-Fi"], ["sci-fi-x"]),
        ("H&M", ["h&m 连衣裙"], ["size M"]),
        ("the shoes", ["a shoe"], ["the hat"]),
        ("连衣裙", ["红色连衣裙"], ["裙子"]),
    ],
)
def test_a_query_finds_what_it_asks_for(query: str, found: list[str], not_found: list[str]) -> None:
    asked = set(query_tokens(query))
    assert [t for t in found if not asked & set(item_tokens(t))] == []
    if query != "wi-fi":
        assert [t for t in not_found if asked & set(item_tokens(t))] == []


@pytest.mark.parametrize("query", ["the", "的", "what is it"])
def test_a_query_of_nothing_but_function_words_keeps_them(query: str) -> None:
    assert query_tokens(query)


def test_megabytes_are_cut_piece_by_piece() -> None:
    for text in (
        "红" * 200_000,
        "a" * 200_000,
        "1a" * 100_000 + "码",
        "7码" * 50_000,
        "-" * 200_000,
    ):
        assert all(len(token) <= MAX_TOKEN for token in item_tokens(text))


def test_threads_cut_alike() -> None:
    title = "2023夏季新款iPhone15手机壳 SIZE-42码 红色T恤"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tuple(item_tokens(title)), range(400)))
    assert set(found) == {tuple(item_tokens(title))}

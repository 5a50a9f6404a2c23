"""
Keyword tokens of titles and queries: one cut for every engine.

A title gives its words, its compounds ("SIZE-42", "42码", "iPhone15", "T恤") and their parts; a
query keeps compounds that hold a number or Chinese whole. So "42" finds every product with a 42,
"42码" only those with 42码. Whatever a query gives, the same text gives as a title.

The choices were measured with BM25 on Cranfield, DBpedia-Entity and CMRC 2018, see
docs/keywords.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from crosslens.encode.stems import stem
from crosslens.values import fold

MAX_TOKEN = 64
"""Characters of a token; what is longer is cut."""

_MEASURE_WORDS = """
码 号 寸 英寸 尺 克 斤 公斤 千克 毫克 两 升 毫升 米 厘米 毫米 公分 平米 片 包 袋 瓶 盒 支 个 只 件
双 条 套 组 张 块 根 粒 颗 枚 本 册 把 台 部 件套 岁 年 月 日 天 周 小时 分钟 秒 代 度 层 瓦 伏
毫安 元 人 座 位 抽 卷 箱 罐 杯 格 档 速 芯 孔 门 倍 折 款 色 匹 针 段 级 卡 克拉 页
"""
_UNITS = frozenset(_MEASURE_WORDS.split())
_LONGEST_UNIT = max(map(len, _UNITS))

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Scripts without blanks, or with long inflected words: pairs of characters find both.
_PAIRED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u1100-\u11ff\uac00-\ud7af\u3100-\u312f\u31a0-\u31bf"  # hangul, bopomofo
)


def _marks() -> str:
    blocks = map(chr, range(0x300, 0xFE00))  # above are variation selectors
    return "".join(char for char in blocks if unicodedata.category(char)[0] == "M")


_LETTER = rf"[^\W_{_HAN}{_PAIRED}]"
_SPELT = rf"{_LETTER}(?:{_LETTER}|[{_marks()}]){{0,63}}"  # bounded, so that time is linear
_JOINT = r"(?:[-._'&]|(?<=\d)[/:](?=\d)|\+(?=\d))"
_RUN = re.compile(
    rf"(?P<code>{_SPELT}(?:{_JOINT}{_SPELT}){{0,15}}%?)(?P<blank> ?)(?P<tail>[{_HAN}]*)"
    rf"|(?P<han>[{_HAN}]+)|(?P<paired>[{_PAIRED}]+)"
)
_BETWEEN = re.compile(r"[-_'&/:+%]|\.(?!\d)|(?<!\d)\.")
_PIECE = re.compile(r"\d+(?:\.\d+)*|\D+")
_NUMBER_AT_END = re.compile(r"\d+(?:\.\d+)?\Z")
_PLAIN = re.compile(r"[a-z]+\Z")
_SAME = str.maketrans({
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
    **dict.fromkeys("\u2019\u02bc", "'"),
    "\u2044": "/",
    **dict.fromkeys("\u00ad\u200c\u200d\u2060\ufeff"),
})  # fmt: skip
_TIMES = re.compile(r"(?<=\d)[*×✕](?=\d)")
_PIECE_OF_HAN = 2_000  # characters cut at a time; the cutter needs memory for each

_SHORTEST_STEMMED = 4
_LONGEST_STEMMED = 30
_PARTICLES = """
an and are as at be but by for from has have he her his if in into is it its of on or she so such
that the their then there these they this to was were what when where which who with you your 的
了 是 在 和 与 及 或 吗 呢 吧 啊 也 都 就 而 被 把 给 对 于 从 到 由 为 以 之 其 此 这 那 哪 哪些
什么 谁 多少 几 怎么 怎样 如何 为什么 有 没有 里
"""
_FUNCTION_WORDS = frozenset(_PARTICLES.split())


@cache
def _jieba() -> Any:
    """Our own cutter, which nobody else adds words to; made at need, as it takes 0.2 s."""
    from rjieba import Jieba

    return Jieba()


def item_tokens(text: str) -> list[str]:
    """
    Cut a product's text: words, compounds and their parts, in order, repeats kept.

    Any text is good; blanks and punctuation are never tokens. Time is linear in its length.
    """
    return _cut(text, _item_code, _item_words)


def query_tokens(text: str) -> list[str]:
    """
    Cut what people ask for: words, and compounds whole. A subset of `item_tokens(text)`.

    "42码" asks for 42码 and not for every 42. Function words ("the", "的") are left out, unless
    there is nothing else.
    """
    tokens = _cut(text, _query_code, _query_words)
    return [token for token in tokens if token not in _FUNCTION_WORDS] or tokens


def _cut(
    text: str, code: Callable[[str, str, str], list[str]], words: Callable[[str], list[str]]
) -> list[str]:
    tokens: list[str] = []
    for run in _RUN.finditer(_folded(text)):
        if run["code"]:
            tokens += code(run["code"], run["blank"], run["tail"])
        elif run["han"]:
            tokens += words(run["han"])
        else:
            tokens += _pairs(run["paired"])
    return [token[:MAX_TOKEN] for token in tokens]


def _folded(text: str) -> str:
    folded = fold(text)
    if not folded.isascii():
        folded = unicodedata.normalize("NFKC", folded.translate(_SAME))
    return _TIMES.sub("x", folded)


def _item_code(code: str, blank: str, tail: str) -> list[str]:
    code, found, tail = _dictionary_words(code, blank, tail)
    tokens = [*(_item_parts(code) if code else []), *found]
    if found:
        return tokens + _item_words(tail)
    unit = _unit(code, tail)
    if unit:
        number = _NUMBER_AT_END.search(code)
        tokens += dict.fromkeys([code + unit, (number[0] if number else code) + unit])
    elif _is_letter(code, blank, tail):
        tokens.append(code + tail[0])
    return tokens + _item_words(tail)


def _query_code(code: str, blank: str, tail: str) -> list[str]:
    code, found, tail = _dictionary_words(code, blank, tail)
    words = _query_words(tail)
    if found:
        return [*(_query_parts(code) if code else []), found[0], *words]
    unit = _unit(code, tail)
    if unit and words[0] == unit:
        return [code + unit, *words[1:]]
    if _is_letter(code, blank, tail) and len(words[0]) == 1:
        return [code + words[0], *words[1:]]
    return _query_parts(code) + words


def _dictionary_words(code: str, blank: str, tail: str) -> tuple[str, list[str], str]:
    """
    Split off dictionary words of letters and Chinese, the longest first.

    "adidast恤衫男" → "adidas", ["t恤衫", "t恤"], "男": the dictionary writes them with capitals,
    which folding took away.
    """
    if not tail or blank or not code[-1].isalpha():
        return code, [], tail
    for letters in range(min(4, len(code)), 0, -1):
        end = code[-letters:]
        lengths = [n for n in (3, 2, 1) if n <= len(tail) and _in_dictionary(end + tail[:n])]
        if lengths:
            return code[:-letters], [end + tail[:n] for n in lengths], tail[lengths[0] :]
    return code, [], tail


def _in_dictionary(word: str) -> bool:
    return bool(_jieba().has_word(word.upper()))


def _unit(code: str, tail: str) -> str:
    """Find the longest measure word that follows a number: "码" of 42 and 码跑鞋."""
    if tail and code[-1].isdecimal():
        for length in range(_LONGEST_UNIT, 0, -1):
            if tail[:length] in _UNITS:
                return tail[:length]
    return ""


def _is_letter(code: str, blank: str, tail: str) -> bool:
    """Whether a single letter is glued to Chinese, as in V领, K金 and L码."""
    return bool(tail) and not blank and len(code) == 1 and code.isalpha()


def _item_parts(code: str) -> list[str]:
    """Give a code, what stands between its joints, and its letters and numbers apart."""
    found = _query_parts(code)
    if _PLAIN.match(code):
        return found
    for segment in _segments(code):
        found += [_stemmed(segment), *map(_stemmed, _PIECE.findall(segment))]
    return list(dict.fromkeys(found))


def _query_parts(code: str) -> list[str]:
    """
    Give a code that holds a number as it is; words with joints as one word and apart.

    So "wi-fi" is "wifi" too, and "long-sleeve" finds "long sleeve"; but "H&M" is not size M.
    """
    if _PLAIN.match(code):
        return [_stemmed(code)]
    if any(map(str.isdecimal, code)):
        return [code]
    segments = _segments(code)
    words = ["".join(segments), *(segment for segment in segments if len(segment) > 1)]
    return list(dict.fromkeys(map(_stemmed, words)))


def _segments(code: str) -> list[str]:
    return [segment for segment in _BETWEEN.split(code.removesuffix("'s")) if segment]


def _stemmed(word: str) -> str:
    if _SHORTEST_STEMMED <= len(word) <= _LONGEST_STEMMED and _PLAIN.match(word):
        return stem(word)
    return word


def _item_words(han: str) -> list[str]:
    return [word for piece in _pieces(han) for word in _jieba().cut_for_search(piece, hmm=False)]


def _query_words(han: str) -> list[str]:
    return [word for piece in _pieces(han) for word in _jieba().cut(piece, hmm=False)]


def _pieces(han: str) -> list[str]:
    step = _PIECE_OF_HAN
    return [han[at : at + step] for at in range(0, len(han), step)]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]

"""The question in the address bar: what a link carries, and nothing that it should not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

KINDS = ("auto", "text2text", "text2image", "image2image", "image2text", "hybrid", "composed")
MOST_WORDS = 2_000
MOST_PAGE = 400
_DIGEST = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https?://\S{1,4000}", re.I)


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is looked for.

    Attributes:
        picture: SHA-256 of a picture that was handed in, or empty.
        url: of a picture elsewhere, or empty.
        like: a product to look like; 0 for none.
        alpha: share of vectors against keywords in [0, 1]; None leaves it to the service.
        chosen: attribute → values of which one must hold.
        ranges: attribute → least and most; None is open.
        page: from 1.
        show: attributes to show of each product; empty leaves it to the page.
        imagine: whether to look for a picture too that is drawn from the words.
    """

    words: str = ""
    picture: str = ""
    url: str = ""
    like: int = 0
    kind: str = "auto"
    alpha: float | None = None
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    page: int = 1
    show: tuple[str, ...] = ()
    imagine: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.words or self.picture or self.url or self.like)

    @property
    def with_picture(self) -> bool:
        """Whether it starts from a picture, be it that of a product."""
        return bool(self.picture or self.url or self.like)

    @property
    def imagines(self) -> bool:
        """Whether a picture is to be drawn: only words alone, where all counts, can be imagined."""
        words_alone = bool(self.words) and not self.with_picture
        return self.imagine and words_alone and self.kind in ("auto", "hybrid")

    def at(self, page: int) -> Question:
        """Return the same question, another page of its answer."""
        return replace(self, page=page)


def read(params: Mapping[str, Sequence[str]]) -> Question:
    """Read the address; what makes no sense is left out, so that an old link still leads on."""
    first = {name: values[0] for name, values in params.items() if values}
    picture, url = first.get("picture", ""), first.get("url", "")
    kind = first.get("kind", "auto")
    return Question(
        words=first.get("q", "").strip()[:MOST_WORDS],
        picture=picture if _DIGEST.fullmatch(picture) else "",
        url=url if _URL.fullmatch(url) else "",
        like=_whole(first.get("like"), 0, 2**63 - 1),
        kind=kind if kind in KINDS else "auto",
        alpha=_share(first.get("alpha")),
        chosen=_chosen(params.get("is", ())),
        ranges=dict(_ranges(params.get("in", ()))),
        page=max(1, _whole(first.get("page"), 1, MOST_PAGE)),
        show=tuple(dict.fromkeys(name for name in params.get("show", ()) if name)),
        imagine=first.get("imagine") == "1",
    )


def write(question: Question) -> dict[str, str | list[str]]:
    """Write what differs from an empty question; `read` gives it back."""
    said: dict[str, str | list[str]] = {
        "q": question.words,
        "picture": question.picture,
        "url": question.url,
        "like": str(question.like or ""),
        "kind": "" if question.kind == "auto" else question.kind,
        "alpha": "" if question.alpha is None else f"{question.alpha:g}",
        "is": [f"{name}:{v}" for name, values in question.chosen.items() for v in values],
        "in": [f"{name}:{_end(a)}..{_end(b)}" for name, (a, b) in question.ranges.items()],
        "page": "" if question.page == 1 else str(question.page),
        "show": list(question.show),
        "imagine": "1" if question.imagine else "",
    }
    return {name: value for name, value in said.items() if value}


def expression(question: Question) -> str | None:
    """Write the filter expression of a question; None when nothing is filtered."""
    parts = [*_one_of(question.chosen), *_between(question.ranges)]
    return " and ".join(parts) or None


def quoted(text: str) -> str:
    """Write text as a value of a filter expression."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _one_of(chosen: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for name, values in chosen.items():
        yield f"`{name}` in ({', '.join(map(quoted, values))})"


def _between(ranges: Mapping[str, tuple[float | None, float | None]]) -> Iterator[str]:
    for name, (least, most) in ranges.items():
        if least is not None:
            yield f"`{name}` >= {least:g}"
        if most is not None:
            yield f"`{name}` <= {most:g}"


def _chosen(said: Iterable[str]) -> dict[str, tuple[str, ...]]:
    chosen: dict[str, tuple[str, ...]] = {}
    for one in said:
        name, mark, value = one.partition(":")
        if mark and value and _is_name(name) and value not in chosen.get(name, ()):
            chosen[name] = (*chosen.get(name, ()), value)
    return chosen


def _ranges(said: Iterable[str]) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    for one in said:
        name, _, ends = one.rpartition(":")
        least, mark, most = ends.partition("..")
        low, high = _number(least), _number(most)
        if mark and _is_name(name) and (low is not None or high is not None):
            yield name, (low, high)


def _is_name(name: str) -> bool:
    return bool(name) and "`" not in name


def _end(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _share(text: str | None) -> float | None:
    value = _number(text or "")
    return value if value is not None and 0 <= value <= 1 else None


def _whole(text: str | None, least: int, most: int) -> int:
    return min(int(text), most) if text and text.isdecimal() and len(text) < 20 else least

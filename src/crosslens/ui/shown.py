"""Products and answers as the parts of the page want them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from crosslens.client import Answer, Hit, Product

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_CHINESE_RUN = re.compile(r"[\u3400-\u9fff]{3,8}")
_COLOURS = re.compile(r"colou?r|颜色|accent", re.I)


def is_chinese(text: str) -> bool:
    """Whether a text holds Chinese characters."""
    return bool(_CHINESE.search(text))


def product(one: Product, language: str) -> dict[str, Any]:
    """Return a product for a part."""
    return {
        "id": one.id,
        "title": one.title,
        "lang": "zh-CN" if is_chinese(one.title) else "en",
        "description": one.description,
        "source_key": one.source_key,
        "attributes": [[name, attribute(value)] for name, value in one.attributes.items()],
        "pictures": [{"v": picture.sha256[:16]} for picture in one.pictures],
        "state": one.index_state,
        "error": one.index_error,
        "revision": one.revision,
        "updated": one.updated.isoformat(),
        "href": f"/catalogue?{urlencode({'lang': language, 'product': one.id})}",
    }


def attribute(value: object) -> str:
    """Write the value of an attribute."""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def hits(answer: Answer, language: str) -> list[dict[str, Any]]:
    """Return hits with their scores, and shares of the best one for bars."""
    best = max((hit.score for hit in answer.hits), default=0.0)
    most = _most(answer.hits)
    return [
        product(hit.product, language)
        | {
            "score": hit.score,
            "share": share(hit.score, best),
            "picture": hit.picture or 0,
            "probes": [
                {"name": name, "value": value, "share": share(value, most[name])}
                for name, value in hit.scores.items()
            ],
        }
        for hit in answer.hits
    ]


def plain(products: Iterable[Product], language: str) -> list[dict[str, Any]]:
    """Return products that nobody searched for."""
    nothing: dict[str, Any] = {"score": None, "share": 0.0, "picture": 0, "probes": []}
    return [product(each, language) | nothing for each in products]


def share(value: float, most: float) -> float:
    """Return a value as a share of the most, in [0, 1]."""
    return min(1.0, max(0.0, value / most)) if most > 0 else 0.0


def facets(answer: Answer) -> list[dict[str, Any]]:
    """Return the values of attributes with their counts; attributes without a choice are left."""
    return [
        {"name": name, "values": list(counts.items()), "swatches": bool(_COLOURS.search(name))}
        for name, counts in answer.facets.items()
        if counts
    ]


def usual(names: Sequence[str], types: Mapping[str, str]) -> list[str]:
    """Choose what to show of each product when nobody chose: three words and a number."""
    numbers = [name for name in names if types.get(name) == "number"]
    return [*[name for name in names if types.get(name) != "number"][:3], *numbers[:1]]


def ideas(products: Sequence[Product], language: str, most: int = 6) -> list[str]:
    """Make up searches that this catalogue can answer, of its own titles and attributes."""
    made = _chinese_ideas(products) if language == "zh" else _english_ideas(products)
    return list(dict.fromkeys(made))[:most] or list(_chinese_ideas(products))[:most]


def _most(found: Iterable[Hit]) -> Mapping[str, float]:
    most: dict[str, float] = {}
    for hit in found:
        for name, value in hit.scores.items():
            most[name] = max(most.get(name, 0.0), value)
    return most


def _english_ideas(products: Iterable[Product]) -> Iterator[str]:
    for each in products:
        said = [str(each.attributes.get(name, "")) for name in ("colour", "color", "category")]
        words = " ".join(word for word in said if word and not is_chinese(word))
        if words:
            yield words
        elif not is_chinese(each.title):
            yield " ".join(each.title.split()[:4])


def _chinese_ideas(products: Iterable[Product]) -> Iterator[str]:
    for each in products:
        runs = _CHINESE_RUN.findall(re.sub(r"[【\[][^】\]]*[】\]]", " ", each.title))
        if runs:
            yield max(runs, key=len)

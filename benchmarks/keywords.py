"""
How well keyword tokens find: BM25 over variants of the cut, on real English and Chinese sets.

    python benchmarks/keywords.py ../shared/data
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crosslens.encode import keywords
from crosslens.values import fold

K1, B = 1.2, 0.75
ENGLISH, CHINESE = ("cranfield_en", "dbpedia50_en"), ("cmrc2018_zh_dev",)
Cut = Callable[[str], list[str]]


class Index:
    """BM25 as Robertson and Zaragoza (2009) write it, with Lucene's idf."""

    def __init__(self, texts: Iterable[list[str]]) -> None:
        cut = [Counter(tokens) for tokens in texts]
        lengths = [sum(counts.values()) for counts in cut]
        mean = sum(lengths) / len(lengths)
        self.postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for n, counts in enumerate(cut):
            norm = K1 * (1 - B + B * lengths[n] / mean)
            for token, count in counts.items():
                self.postings[token].append((n, count * (K1 + 1) / (count + norm)))
        self.size = len(cut)

    def best(self, tokens: list[str], limit: int = 100) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        for token in dict.fromkeys(tokens):
            postings = self.postings.get(token, [])
            idf = math.log(1 + (self.size - len(postings) + 0.5) / (len(postings) + 0.5))
            for n, weight in postings:
                scores[n] += weight * idf
        return sorted(scores, key=lambda n: (-scores[n], n))[:limit]


def read(folder: Path) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    def lines(name: str) -> Iterator[dict[str, str]]:
        with (folder / name).open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    texts = {e["id"]: f"{e.get('title') or ''}\n{e['text']}" for e in lines("corpus.jsonl")}
    queries = {e["id"]: e["text"] for e in lines("queries.jsonl")}
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, text, grade = line.split("\t")
        grades[query][text] = int(grade)
    return texts, queries, grades


def measure(folder: Path, items: Cut, queries: Cut) -> tuple[float, float, float]:
    """nDCG@10, MRR@10, R@1."""
    texts, asked, grades = read(folder)
    ids, index = list(texts), Index(map(items, texts.values()))
    rows = []
    for query, text in asked.items():
        wanted = sorted((g for g in grades[query].values() if g > 0), reverse=True)[:10]
        if wanted:
            found = [grades[query].get(ids[n], 0) for n in index.best(queries(text))[:10]]
            first = next((n for n, grade in enumerate(found) if grade > 0), None)
            rr = 0.0 if first is None else 1 / (first + 1)
            rows.append((gain(found) / gain(wanted), rr, float(first == 0)))
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return means[0], means[1], means[2]


def gain(grades: list[int]) -> float:
    return sum(grade / math.log2(n + 2) for n, grade in enumerate(grades))


@contextmanager
def patched(**changes: object) -> Iterator[None]:
    before = {name: getattr(keywords, name) for name in changes}
    for name, value in changes.items():
        setattr(keywords, name, value)
    yield
    for name, value in before.items():
        setattr(keywords, name, value)


def plain(text: str) -> list[str]:
    return re.findall(r"\w+", fold(text))


def plural(word: str) -> str:
    """The S stemmer of Harman (1991)."""
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word[:-1] if word.endswith("s") and not word.endswith(("us", "ss")) else word


def pairs(han: str) -> list[str]:
    return [han[n : n + 2] for n in range(len(han) - 1)] or [han]


def guessing(han: str) -> list[str]:
    return list(keywords._jieba().cut(han))


def guessing_parts(han: str) -> list[str]:
    return list(keywords._jieba().cut_for_search(han))


VARIANTS: list[tuple[str, dict[str, object]]] = [
    ("ours", {}),
    ("without stems", {"stem": lambda word: word}),
    ("plural only (S stemmer)", {"stem": plural}),
    ("function words kept", {"_FUNCTION_WORDS": frozenset()}),
    ("Chinese: unknown words guessed", {"_item_words": guessing_parts, "_query_words": guessing}),
    ("Chinese: words only", {"_item_words": keywords._query_words}),
    ("Chinese: search mode for queries", {"_query_words": keywords._item_words}),
    ("Chinese: pairs of characters", {"_item_words": pairs, "_query_words": pairs}),
    (
        "Chinese: words and characters",
        {"_item_words": lambda h: [*KEPT(h), *h], "_query_words": lambda h: [*ASKED(h), *h]},
    ),
]
KEPT, ASKED = keywords._item_words, keywords._query_words


def main(data: Path) -> None:
    report("\\w+ of folded text", data, ENGLISH, plain, plain)
    for label, changes in VARIANTS:
        with patched(**changes):
            sets = CHINESE if label.startswith("Chinese") else ENGLISH + CHINESE
            report(label, data, sets, keywords.item_tokens, keywords.query_tokens)
    speed(data)


def report(label: str, data: Path, sets: tuple[str, ...], items: Cut, queries: Cut) -> None:
    for name in sets:
        ndcg, mrr, first = measure(data / name, items, queries)
        print(f"{label:34} {name:16} nDCG@10 {ndcg:.4f}  MRR@10 {mrr:.4f}  R@1 {first:.4f}")


def speed(data: Path) -> None:
    for name in ("fashion9k", "mistore35_zh"):
        with (data / name / "items.jsonl").open(encoding="utf-8") as file:
            entries = [json.loads(line) for line in file] * 3
        titles = [entry.get("title") or entry["title_zh"] for entry in entries]
        began = time.process_time()
        for title in titles:
            keywords.item_tokens(title)
        print(f"{name}: {len(titles) / (time.process_time() - began):,.0f} titles/s on one core")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

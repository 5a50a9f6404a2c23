"""
Keywords in Milvus: scored by its BM25 function, or, on servers without one, by this process.

Servers before 2.5 keep a product's words as numbers in a list, which a filter can ask for; rows
that hold any word of a question are fetched and scored here, exactly as the function does.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias

from crosslens.vectors.bm25 import K1, B, Corpus, bm25
from crosslens.vectors.milvus_connection import Connection

TOKENS: Final = "tokens"
KEYWORDS: Final = "keywords"
WORDS: Final = "words"
LENGTH: Final = "length"
MOST_TEXT: Final = 65_535  # the server's limit, in bytes
MOST_TEXT_LITE: Final = 1 << 20
MOST_WORDS: Final = 4_096  # the server's limit of a list

_KEY: Final = "id"
_MOST_ROWS: Final = 16_384
_MOST_COUNTED: Final = 32
_KEPT_S: Final = 60.0
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_WORD_LENGTH: Final = 7

Rated: TypeAlias = tuple[Any, float]


class Keywords(Protocol):
    """How words are kept and found, in whichever collection."""

    def declare(self, milvus: Connection, schema: Any, graphs: Any) -> None:
        """Add columns and indexes to those of a new text collection."""
        ...

    def fields(self, words: str) -> dict[str, Any]:
        """Return the columns of a product's words, which blanks part."""
        ...

    def matching(self, name: str, words: str, *, limit: int, where: str) -> list[Rated]:
        """Return (key, BM25 > 0) of the best rows of a collection."""
        ...

    def changed(self) -> None:
        """Say that rows were written or deleted."""
        ...


def keywords_of(milvus: Connection) -> Keywords:
    """Choose what a server can do."""
    return ByFunction(milvus) if milvus.can.bm25 else ByCounting(milvus)


class ByFunction:
    """The server's own BM25 function, over a text column that holds our tokens."""

    def __init__(self, milvus: Connection) -> None:
        self._milvus = milvus
        self._most = (MOST_TEXT_LITE if milvus.can.lite else MOST_TEXT) // (_WORD_LENGTH + 1)

    def declare(self, milvus: Connection, schema: Any, graphs: Any) -> None:
        """Add the text, what the function makes of it, and an index of that."""
        kinds, library, lite = milvus.library.DataType, milvus.library, milvus.can.lite
        schema.add_field(
            TOKENS,
            kinds.VARCHAR,
            max_length=MOST_TEXT_LITE if lite else MOST_TEXT,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard" if lite else "whitespace"},
        )
        schema.add_field(KEYWORDS, kinds.SPARSE_FLOAT_VECTOR)
        bm25_function = library.Function("bm25", library.FunctionType.BM25, [TOKENS], [KEYWORDS])
        schema.add_function(bm25_function)
        weights: dict[str, Any] = {"bm25_k1": K1, "bm25_b": B}
        if lite:
            weights = {"params": weights}  # the client flattens them, which Lite cannot read
        graphs.add_index(KEYWORDS, "SPARSE_INVERTED_INDEX", metric_type="BM25", params=weights)

    def fields(self, words: str) -> dict[str, Any]:
        """Return the text column."""
        return {TOKENS: self._encoded(words)}

    def matching(self, name: str, words: str, *, limit: int, where: str) -> list[Rated]:
        """Let the server score."""
        found = self._milvus.ask(
            "search",
            name,
            data=[self._encoded(words)],
            anns_field=KEYWORDS,
            limit=limit,
            filter=where,
            output_fields=[_KEY],
            search_params={"metric_type": "BM25", "params": {}},
            consistency_level=self._milvus.consistency,
        )
        scores = [(hit[_KEY], abs(hit["distance"])) for hit in found[0]]  # Lite's are negative
        return [(key, score) for key, score in scores if score > 0]

    def changed(self) -> None:
        """Do nothing: the server counts by itself."""

    def _encoded(self, words: str) -> str:
        """
        Write words as seven letters and digits each, which any analyzer keeps whole.

        Milvus Lite cuts at more than blanks and folds; both engines keep no more than 32 bits of a
        word anyway. What does not fit into the column, on a server beyond 8,191 words, is left out.
        """
        return " ".join(map(_encoded_word, itertools.islice(words.split(), self._most)))


class ByCounting:
    """
    Words as numbers in a list; this process counts and scores.

    Of a question that more than 16,384 products answer, the rarest of its words decide which
    products are looked at.
    """

    def __init__(self, milvus: Connection) -> None:
        self._milvus = milvus
        self._last: _Counted | None = None

    def declare(self, milvus: Connection, schema: Any, graphs: Any) -> None:
        """Add the list and its length."""
        kinds = milvus.library.DataType
        of_numbers = {"element_type": kinds.INT64, "max_capacity": MOST_WORDS}
        schema.add_field(WORDS, kinds.ARRAY, **of_numbers)
        schema.add_field(LENGTH, kinds.INT64)

    def fields(self, words: str) -> dict[str, Any]:
        """Return the list and its length; words beyond 4,096 are left out."""
        numbers = [_number(word) for word in itertools.islice(words.split(), MOST_WORDS)]
        return {WORDS: numbers, LENGTH: len(numbers)}

    def matching(self, name: str, words: str, *, limit: int, where: str) -> list[Rated]:
        """Fetch the rows that hold any of the words, and score them."""
        asked = [_number(word) for word in words.split()]
        found = self._holders(name, asked)
        if not found.rows:
            return []
        corpus = self._counted(name, at_least=len(found.rows))
        scores = bm25(asked, found.rows, corpus=corpus, held=found.held)
        if where:
            passing = {
                row[_KEY] for row in self._query(name, f"({found.asked}) and ({where})", _KEY)
            }
            scores = {key: score for key, score in scores.items() if key in passing}
        best = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return best[:limit]

    def changed(self) -> None:
        """Count a small collection again before the next question."""
        last = self._last
        if last is not None and last.corpus.documents < _MOST_ROWS:
            self._last = None

    def _holders(self, name: str, asked: Sequence[int]) -> _Holders:
        condition = _any_of(asked)
        rows = self._query(name, condition, _KEY, WORDS)
        if len(rows) < _MOST_ROWS:
            return _Holders(condition, _counters(rows), None)
        held = {
            word: self._count(name, _any_of([word]))
            for word in itertools.islice(dict.fromkeys(asked), _MOST_COUNTED)
        }
        condition = _any_of(_rarest(held))
        return _Holders(condition, _counters(self._query(name, condition, _KEY, WORDS)), held)

    def _counted(self, name: str, *, at_least: int) -> Corpus:
        """Count rows and words; of many rows a part tells the mean length, once a minute."""
        last = self._last
        if last is None or not last.holds(name, at_least=at_least):
            lengths = [row[LENGTH] for row in self._query(name, "", LENGTH)]
            rows = len(lengths) if len(lengths) < _MOST_ROWS else self._count(name, "")
            corpus = Corpus(rows, sum(lengths) / max(1, len(lengths)))
            self._last = last = _Counted(name, corpus, monotonic())
        return last.corpus

    def _count(self, name: str, where: str) -> int:
        return int(self._ask(name, where, ["count(*)"])[0]["count(*)"])

    def _query(self, name: str, where: str, *columns: str) -> list[dict[str, Any]]:
        return list(self._ask(name, where, list(columns), limit=_MOST_ROWS))

    def _ask(self, name: str, where: str, columns: list[str], **limits: int) -> Any:
        level = self._milvus.consistency
        wanted = {"filter": where, "output_fields": columns, "consistency_level": level}
        return self._milvus.ask("query", name, **wanted, **limits)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted of a collection, and when."""

    name: str
    corpus: Corpus
    at: float

    def holds(self, name: str, *, at_least: int) -> bool:
        """Say whether it still tells of a collection with so many rows."""
        fresh = monotonic() - self.at <= _KEPT_S
        return fresh and self.name == name and self.corpus.documents >= at_least


@dataclass(frozen=True, slots=True)
class _Holders:
    """
    The rows that are scored.

    Attributes:
        held: in how many rows each word is, where not all of them were fetched.
    """

    asked: str
    rows: dict[int, Counter[int]]
    held: dict[int, int] | None


def _rarest(held: dict[int, int]) -> list[int]:
    """Return the rarest words that not too many rows hold together, one of them at least."""
    taken: list[int] = []
    rows = 0
    for word, count in sorted(held.items(), key=lambda pair: pair[1]):
        rows += count
        if taken and rows > _MOST_ROWS:
            break
        taken.append(word)
    return taken


def _any_of(numbers: Iterable[int]) -> str:
    return f"array_contains_any({WORDS}, [{', '.join(map(str, dict.fromkeys(numbers)))}])"


def _counters(rows: Iterable[dict[str, Any]]) -> dict[int, Counter[int]]:
    return {row[_KEY]: Counter(row[WORDS]) for row in rows}


def _number(word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def _encoded_word(word: str) -> str:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    number, digits = int.from_bytes(digest), ""
    for _ in range(_WORD_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits

"""What a scene does to the words of a question before anything is looked for. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from crosslens.search.request import MAX_WORDS
from crosslens.values import fold

LANGUAGES = ("auto", "zh", "en")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SIZE = re.compile(
    r"(\d+(?:\.\d+)?)\s+(码|号|寸|英寸|厘米|毫米|克|千克|公斤|毫升|升|岁|cm|mm|kg|g|ml|l|gb|tb|inch|w|v)(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Processed:
    """
    Words after processing.

    Attributes:
        words: what vectors are made of.
        keywords: what keywords are cut from: without prefix, with synonyms.
        language: zh or en.
    """

    words: str
    keywords: str
    language: str


@dataclass(frozen=True)
class QueryRules:
    """
    How words are processed.

    Attributes:
        normalise: NFKC, one blank between words.
        language: what words are in; auto looks at the characters.
        sizes: bring numbers and their units together ("42 码" → "42码"), as titles write them.
        synonyms: groups of words that mean the same; keywords look for all of a group.
        prefix: language → what some encoders want before a question.
    """

    normalise: bool = True
    language: str = "auto"
    sizes: bool = True
    synonyms: tuple[tuple[str, ...], ...] = ()
    prefix: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, words: str) -> Processed:
        """Process words; none stay none."""
        if not words:
            return Processed("", "", self.language if self.language != "auto" else "en")
        if self.normalise:
            words = " ".join(unicodedata.normalize("NFKC", words).split()) or words
        if self.sizes:
            words = _SIZE.sub(r"\1\2", words)
        language = self.language if self.language != "auto" else language_of(words)
        keywords = " ".join((words, *self._others(words)))
        return Processed((self.prefix.get(language, "") + words)[:MAX_WORDS], keywords, language)

    def _others(self, words: str) -> Iterable[str]:
        """Return what else the words in a question are called."""
        if self._finder is None:
            return ()
        found = dict.fromkeys(match[0] for match in self._finder.finditer(fold(words)))
        return dict.fromkeys(other for word in found for other in self._groups[word])

    @cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        groups: dict[str, tuple[str, ...]] = {}
        for group in self.synonyms:
            for word in group:
                others = tuple(other for other in group if fold(other) != fold(word))
                groups[fold(word)] = groups.get(fold(word), ()) + others
        return groups

    @cached_property
    def _finder(self) -> re.Pattern[str] | None:
        longest_first = sorted(self._groups, key=len, reverse=True)
        return re.compile("|".join(map(_bounded, longest_first))) if longest_first else None


def language_of(words: str) -> str:
    """Say whether words are Chinese (zh) or not (en)."""
    return "zh" if _HAN.search(words) else "en"


def checked_synonyms(groups: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """
    Check groups of synonyms.

    Raises:
        ValueError: a group has fewer than two words, or an empty one.
    """
    for group in groups:
        if len(group) < 2 or not all(word.strip() for word in group):
            raise ValueError(f"a group of synonyms needs two words at least, got {list(group)}")
    return tuple(tuple(word.strip() for word in group) for group in groups)


def _bounded(word: str) -> str:
    """Find whole words where blanks part them; Chinese stands within other characters."""
    escaped = re.escape(word)
    return escaped if _HAN.search(word) else rf"(?<!\w){escaped}(?!\w)"

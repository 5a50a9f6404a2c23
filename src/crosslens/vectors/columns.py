"""How engines name and encode what they store, the same for each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from crosslens.values import Space

MAX_QUERY_TOKENS: Final = 1_000  # a question of 2,000 characters has fewer


def attribute_column(name: str) -> str:
    """Return the column of an attribute: stable, safe for any name, 17 characters."""
    return "a" + _digest(name, 8)


def space_column(space: Space) -> str:
    """Return the column of a space; another name or dimension is another column."""
    return "v" + _digest(f"{space.dim}/{space.name}", 8)


def fingerprint(keyword: str) -> str:
    """
    Return 32 hexadecimal digits that stand for a folded keyword of any length and content.

    Keywords are only ever compared for equality, so a digest loses nothing, and no text of a
    user ever stands inside an engine's filter language.
    """
    return _digest(keyword, 16)


def words(tokens: Iterable[str]) -> str:
    """Join tokens so that cutting at blanks gives them back, whatever they hold."""
    return " ".join(" ".join(tokens).replace("\0", " ").split())


def query_words(tokens: Iterable[str]) -> str:
    """Join the tokens of a question; one that is asked for twice weighs twice, as BM25 has it."""
    return words(list(tokens)[:MAX_QUERY_TOKENS])


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()

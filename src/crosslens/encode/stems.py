"""
English words → their stems.

Source: M. F. Porter, "An algorithm for suffix stripping", Program 14 (1980), with the two changes
that its author made later (`bli` and `logi` in step 2).
"""

from __future__ import annotations

import re
from functools import lru_cache

_CONSONANTS, _VOWELS = "[^aeiou][^aeiouy]*", "[aeiouy][aeiou]*"
_SYLLABLE = re.compile(f"^(?:{_CONSONANTS})?{_VOWELS}{_CONSONANTS}")
_ONE_SYLLABLE = re.compile(f"^(?:{_CONSONANTS})?{_VOWELS}{_CONSONANTS}(?:{_VOWELS})?$")
_TWO_SYLLABLES = re.compile(f"^(?:{_CONSONANTS})?(?:{_VOWELS}{_CONSONANTS}){{2}}")
_VOWEL = re.compile(f"^(?:{_CONSONANTS})?[aeiouy]")
_SHORT_END = re.compile(f"^{_CONSONANTS}[aeiouy][^aeiouwxy]$")
_DOUBLE = re.compile(r"([^aeiouylsz])\1$")

_SECOND = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize",
    "bli": "ble", "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize",
    "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
    "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "logi": "log",
}  # fmt: skip
_THIRD = {
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
}  # fmt: skip
_FOURTH = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
)  # fmt: skip


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Strip the endings of a lower-case English word of three letters or more."""
    word = _past(_plural(word))
    if word.endswith("y") and _VOWEL.match(word[:-1]):
        word = word[:-1] + "i"
    return _last(_fourth(_replaced(_replaced(word, _SECOND), _THIRD)))


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _SYLLABLE.match(word[:-3]) else word
    ending = next((end for end in ("ed", "ing") if word.endswith(end)), "")
    base = word.removesuffix(ending)
    if not ending or not _VOWEL.match(base):
        return word
    if base.endswith(("at", "bl", "iz")):
        return base + "e"
    if _DOUBLE.search(base):
        return base[:-1]
    return base + "e" if _SHORT_END.match(base) else base


def _replaced(word: str, endings: dict[str, str]) -> str:
    ending = _ending(word, endings)
    base = word.removesuffix(ending)
    return base + endings[ending] if ending and _SYLLABLE.match(base) else word


def _fourth(word: str) -> str:
    ending = _ending(word, _FOURTH)
    base = word.removesuffix(ending)
    stays = ending == "ion" and not base.endswith(("s", "t"))
    return base if ending and not stays and _TWO_SYLLABLES.match(base) else word


def _last(word: str) -> str:
    base = word[:-1]
    if word.endswith("e") and (
        _TWO_SYLLABLES.match(base) or (_ONE_SYLLABLE.match(base) and not _SHORT_END.match(base))
    ):
        word = base
    return word[:-1] if word.endswith("ll") and _TWO_SYLLABLES.match(word) else word


def _ending(word: str, endings: dict[str, str] | tuple[str, ...]) -> str:
    found = [ending for ending in endings if word.endswith(ending)]
    return max(found, key=len, default="")

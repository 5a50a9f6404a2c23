"""Questions with their right answers: by words, and "like this, but …"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from crosslens.sample.catalogue import Listing, facts
from crosslens.sample.design import Design, load_table
from crosslens.sample.wishes import LANGUAGES, Wished, wished
from crosslens.sample.words import Language, query

MOST_RELEVANT = 40
TRIES = 20  # per question wanted
UNSEEN_EVERY = 5  # one question in so many uses words that training never shows
_TEMPLATES = load_table("changes")
Rng = np.random.Generator


@dataclass(frozen=True)
class Question:
    """Words in both languages, the attributes that they name, and the products that have them."""

    texts: dict[Language, str]
    attributes: dict[str, str]
    relevant: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A wish that starts from a product: `kind` is colour, pattern, plain or variant."""

    kind: str
    ref: str
    texts: dict[Language, str]
    targets: tuple[str, ...]


def questions(listings: Sequence[Listing], wanted: int, seed: int) -> list[Question]:
    """Write at most `wanted` questions, each about a product of the catalogue, none twice."""
    rng = np.random.default_rng([seed, 21])
    known = [(listing.id, facts(listing.design)) for listing in listings]
    found: dict[str, Question] = {}
    for number in range(TRIES * wanted):
        if len(found) == wanted:
            break
        listing = listings[int(rng.integers(len(listings)))]
        unseen = number % UNSEEN_EVERY == UNSEEN_EVERY - 1
        question = _question(listing.design, known, int(rng.integers(2**31)), unseen=unseen)
        if question is not None:
            found.setdefault(question.texts["en"], question)
    return list(found.values())


def _question(
    design: Design, known: Sequence[tuple[str, dict[str, str]]], seed: int, *, unseen: bool
) -> Question | None:
    # One seed for both languages, so that both name the same attributes.
    asked = {each: query(design, np.random.default_rng(seed), each, unseen) for each in LANGUAGES}
    named = asked["en"][1]
    if named != asked["zh"][1] or "category" not in named:
        return None
    attributes = {name: value for name, value in facts(design).items() if name in named}
    relevant = tuple(id for id, told in known if attributes.items() <= told.items())
    if len(relevant) > MOST_RELEVANT:
        return None
    return Question({each: text for each, (text, _) in asked.items()}, attributes, relevant)


def changes(listings: Sequence[Listing], wanted: int, seed: int) -> list[Change]:
    """Write at most `wanted` changes to products for which the catalogue holds the answer."""
    rng = np.random.default_rng([seed, 22])
    by_design: dict[Design, list[str]] = defaultdict(list)
    for listing in listings:
        by_design[listing.design].append(listing.id)
    found: dict[str, list[Change]] = defaultdict(list)
    for n in rng.permutation(len(listings)):
        ref = listings[n]
        answerable = list(_answerable(ref.design, by_design))
        chosen = {answerable[m][0].kind: answerable[m] for m in rng.permutation(len(answerable))}
        for kind, (wish, targets) in chosen.items():  # at most one of each kind per product
            found[kind].append(Change(kind, ref.id, _texts(wish, rng), tuple(sorted(targets))))
    turns = zip_longest(*(found[kind] for kind in sorted(found)))
    return [change for change in chain.from_iterable(turns) if change][:wanted]


def _answerable(
    design: Design, by_design: dict[Design, list[str]]
) -> Iterator[tuple[Wished, list[str]]]:
    """Yield the changes of one attribute to which the catalogue has an answer."""
    for wish in wished(design):
        if targets := [id for other in wish.designs for id in by_design.get(other, ())]:
            yield wish, targets


def _texts(wish: Wished, rng: Rng) -> dict[Language, str]:
    known = _TEMPLATES[wish.kind]
    number = int(rng.integers(len(known["en"])))
    return {
        each: wish.said(known[each][number], each, lambda options: options[0]) for each in LANGUAGES
    }

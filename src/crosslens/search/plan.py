"""Decide which probes answer a question. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from crosslens.errors import InvalidRequest
from crosslens.search.request import Fusion, SearchRequest
from crosslens.values import Kind, Modality

FUSED_DEPTH = 100  # a product that only one probe ranks below this is not worth its place


class Purpose(StrEnum):
    """Which encoder makes the query vector: a field of `Encoders`, or a sum of two."""

    TEXT = "text"
    WORDS = "words"
    PICTURES = "pictures"
    LOOKS = "looks"
    COMPOSED = "composed"


@dataclass(frozen=True, slots=True)
class Probe:
    """
    One question put to the vector index.

    Attributes:
        name: how answers refer to it: the kind of search it is, or "keyword".
        purpose: which encoder; None for the keyword field.
        weight: its share of the fused score, > 0.
    """

    name: str
    purpose: Purpose | None
    modality: Modality
    weight: float


@dataclass(frozen=True, slots=True)
class Shares:
    """
    Share of vectors against keywords in hybrid search where a request names none, in [0, 1].

    Each is that of a bundle: of the one for titles, of the one whose words and pictures share a
    space, and of the one that compares pictures.
    """

    text: float = 0.5
    words: float = 0.5
    looks: float = 0.5

    @classmethod
    def even(cls, alpha: float) -> Shares:
        """Give every bundle the same share."""
        return cls(alpha, alpha, alpha)

    def of(self, probe: Probe) -> float:
        """Return the share that a probe would have if it were the only one beside keywords."""
        by_purpose = {Purpose.TEXT: self.text, Purpose.LOOKS: self.looks}
        return self.words if probe.purpose is None else by_purpose.get(probe.purpose, self.words)


_EVEN = Shares()
_NOTHING = 1e-9  # what is left of 1 after shares that make it up


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What to do for one question.

    Attributes:
        kind: the kind of search after `auto` is resolved.
        depth: candidates to ask of each probe.
        notes: what the caller should know about how the answer came about.
    """

    kind: Kind
    probes: tuple[Probe, ...]
    fusion: Fusion
    depth: int
    notes: tuple[str, ...] = ()


TEXT2TEXT = Probe("text2text", Purpose.TEXT, Modality.TEXT, 1.0)
TEXT2IMAGE = Probe("text2image", Purpose.WORDS, Modality.PICTURE, 1.0)
IMAGE2IMAGE = Probe("image2image", Purpose.LOOKS, Modality.PICTURE, 1.0)
IMAGE2TEXT = Probe("image2text", Purpose.PICTURES, Modality.TEXT, 1.0)
COMPOSED = Probe("composed", Purpose.COMPOSED, Modality.PICTURE, 1.0)
KEYWORD = Probe("keyword", None, Modality.TEXT, 1.0)


def plan(request: SearchRequest, *, shares: Shares = _EVEN, pictures: bool = True) -> Plan:
    """
    Choose probes, weights and depth.

    Args:
        shares: of vectors in hybrid search where the request names none.
        pictures: whether there are any to find; if not, titles get what pictures would.

    Raises:
        InvalidRequest: the kind needs words or a picture that the request lacks.
    """
    kind = resolve(request)
    if request.imagined and kind is not Kind.HYBRID:
        raise InvalidRequest(f"imagine belongs to hybrid search, not to {kind}")
    if kind is not Kind.COMPOSED and (request.weights or request.without):
        raise InvalidRequest(f"weights and without belong to composed search, not to {kind}")
    shares = shares if request.alpha is None else Shares.even(request.alpha)
    probes = _hybrid(request, shares, pictures) if kind is Kind.HYBRID else _PROBES[kind](request)
    page = request.offset + request.limit
    depth = page if len(probes) == 1 else max(FUSED_DEPTH, 2 * page)
    return Plan(kind, probes, request.fusion, depth)


def resolve(request: SearchRequest) -> Kind:
    """Turn `auto` into the kind that fits what was given."""
    if request.kind is not Kind.AUTO:
        return request.kind
    if request.pictures and not request.words:
        return Kind.IMAGE2IMAGE
    return Kind.HYBRID


def _single(probe: Probe) -> Callable[[SearchRequest], tuple[Probe, ...]]:
    def probes(request: SearchRequest) -> tuple[Probe, ...]:
        if probe.purpose in (Purpose.TEXT, Purpose.WORDS):
            _need(request.words, probe.name, "words")
        else:
            _need(request.pictures, probe.name, "a picture, or a product that has one")
        return (probe,)

    return probes


def _hybrid(request: SearchRequest, shares: Shares, pictures: bool) -> tuple[Probe, ...]:
    dense: list[Probe] = []
    if request.pictures:
        dense.append(IMAGE2IMAGE)
    if request.words:
        shown = request.pictures and not request.imagined
        found = pictures or request.pictures
        dense += [TEXT2IMAGE] if shown else [TEXT2TEXT, TEXT2IMAGE] if found else [TEXT2TEXT]
    weighted = [_weighted(probe, shares.of(probe) / len(dense)) for probe in dense]
    left = 1 - sum(probe.weight for probe in weighted)
    if not request.words:
        if left == 1:
            raise InvalidRequest("alpha 0 searches by keywords only, which needs words")
        return tuple(dense)
    return tuple(p for p in (*weighted, _weighted(KEYWORD, left)) if p.weight > _NOTHING)


def _composed(request: SearchRequest) -> tuple[Probe, ...]:
    _need(request.words or request.without, "composed", "words that say what to change")
    _need(request.pictures, "composed", "a picture, or a product that has one")
    return (COMPOSED,)


_PROBES: dict[Kind, Callable[[SearchRequest], tuple[Probe, ...]]] = {
    Kind.TEXT2TEXT: _single(TEXT2TEXT),
    Kind.TEXT2IMAGE: _single(TEXT2IMAGE),
    Kind.IMAGE2IMAGE: _single(IMAGE2IMAGE),
    Kind.IMAGE2TEXT: _single(IMAGE2TEXT),
    Kind.COMPOSED: _composed,
}


def _weighted(probe: Probe, weight: float) -> Probe:
    return Probe(probe.name, probe.purpose, probe.modality, weight)


def _need(given: object, kind: str, what: str) -> None:
    if not given:
        raise InvalidRequest(f"{kind} search needs {what}")

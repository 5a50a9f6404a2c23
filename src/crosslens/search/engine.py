"""The online sentence: plan, match, rank, present."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import CrosslensError, InvalidRequest, NotFound
from crosslens.search import present
from crosslens.search.match import Asked, Matcher, Matches
from crosslens.search.pictures import Pictures
from crosslens.search.plan import Plan, Purpose, Shares, plan, resolve
from crosslens.search.present import Answer
from crosslens.search.rank import Ranked, rank
from crosslens.search.relevance import Curve, Curves
from crosslens.search.request import MAX_PICTURES, SearchRequest
from crosslens.telemetry.tracing import span
from crosslens.values import Kind

OWN_PICTURES = 4  # more views of the product asked about cost time and change little
FACET_DEPTH = 1_000
WIDEST = 16_384  # beyond this, a page would be worse than none
ADDED = "no composer for this space: picture and words were added as vectors"


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the visible ranking with its products, and what it took to get it."""

    ranking: Sequence[Ranked]
    products: Mapping[int, Product]
    found: Sequence[Ranked]
    matches: Matches


class Searcher(Protocol):
    """Whatever answers questions."""

    def search(self, request: SearchRequest) -> Answer:
        """Find, rank and present products; see SearchEngine."""
        ...

    def search_many(self, requests: Sequence[SearchRequest]) -> list[Answer | CrosslensError]:
        """Answer several questions in one go; see SearchEngine."""
        ...


class SearchEngine:
    """
    Answer questions over a catalogue and its index; safe to call from many threads.

    Args:
        shares: of vectors in hybrid search where a request names none.

    Attributes:
        notes: says what to know about every answer just now.
        curves: what turns scores of a kind of search into probabilities, where that was learned.
    """

    def __init__(
        self,
        catalog: CatalogStore,
        media: MediaStore,
        matcher: Matcher,
        *,
        shares: Shares | None = None,
    ) -> None:
        self._catalog = catalog
        self._media = media
        self._matcher = matcher
        self._shares = shares or Shares()
        self._pictures = Pictures(matcher.index)
        self.notes: Callable[[], tuple[str, ...]] = tuple
        self.curves: Curves = {}

    def search(self, request: SearchRequest) -> Answer:
        """
        Find, rank and present products.

        Raises:
            InvalidRequest: the request cannot be answered as it stands.
            NotFound: the product asked about is not in the catalogue.
            Overloaded, Unavailable: no probe could be asked; try again later.
        """
        [outcome] = self.search_many([request])
        if isinstance(outcome, CrosslensError):
            raise outcome
        return outcome

    def search_many(self, requests: Sequence[SearchRequest]) -> list[Answer | CrosslensError]:
        """
        Answer several questions in one go, which costs less than one by one.

        Their words are encoded together and their products read together.

        Returns:
            Per request its answer, or what `search` would raise; one does not touch the others.

        Raises:
            Unavailable: the catalogue does not answer.
        """
        with span("search", questions=len(requests)):
            return self._answered(requests)

    def _answered(self, requests: Sequence[SearchRequest]) -> list[Answer | CrosslensError]:
        started, notes = perf_counter(), self.notes()
        outcomes: dict[int, Answer | CrosslensError] = {}
        open_ones: dict[int, Asked] = {}
        for n, request in enumerate(requests):
            try:
                open_ones[n] = self._begun(request)
            except CrosslensError as exc:
                outcomes[n] = exc
        while open_ones:
            pages = self._pages(list(open_ones.values()))
            for (n, asked), page in zip(list(open_ones.items()), pages, strict=True):
                if isinstance(page, CrosslensError):
                    outcomes[n] = page
                elif _is_enough(asked, page):
                    curve = self.curves.get(asked.plan.kind)
                    with span("present", kind=asked.plan.kind):
                        told = self._told(asked) + notes
                        answer = _answer(asked, page, told, curve)
                        facets = self._facets(asked.request, page)
                    outcomes[n] = replace(answer, facets=facets, took_ms=_since(started))
                else:  # too many of what was found may not be shown: look deeper
                    asked.depth = min(4 * asked.depth, WIDEST)
                    continue
                del open_ones[n]
        return [outcomes[n] for n in range(len(requests))]

    def _told(self, asked: Asked) -> tuple[str, ...]:
        """Say what the caller should know about how an answer came about."""
        composed = any(probe.purpose is Purpose.COMPOSED for probe in asked.plan.probes)
        return (ADDED,) if composed and self._matcher.composer is None else ()

    def _facets(self, request: SearchRequest, page: Page) -> dict[str, dict[str, int]]:
        """Count over everything found that may be shown, of which the page is a part."""
        if not request.facets:
            return {}
        others = [r.product_id for r in page.found if r.product_id != request.product_id]
        return present.count_facets(request.facets, self._catalog.attributes(others).values())

    def _begun(self, request: SearchRequest) -> Asked:
        request = self._with_own_pictures(request)
        chosen = request.plan or self._planned(request)
        depth = chosen.depth + (request.product_id is not None)
        return Asked(request, chosen, max(depth, FACET_DEPTH) if request.facets else depth)

    def _planned(self, request: SearchRequest) -> Plan:
        pictures = resolve(request) is not Kind.HYBRID or self._pictures.any()
        return plan(request, shares=self._shares, pictures=pictures)

    def _pages(self, questions: Sequence[Asked]) -> list[Page | CrosslensError]:
        matched = self._matcher.match(questions)
        with span("rank"):
            rankings = [
                [] if isinstance(matches, CrosslensError) else rank(asked.plan, matches.found)
                for asked, matches in zip(questions, matched, strict=True)
            ]
        firsts = (
            ranked.product_id
            for asked, ranking in zip(questions, rankings, strict=True)
            for ranked in ranking[: _step(asked)]
        )
        products = self._read(list(dict.fromkeys(firsts)))
        return [
            matches
            if isinstance(matches, CrosslensError)
            else Page(*self._visible(ranking, asked, products), ranking, matches)
            for asked, matches, ranking in zip(questions, matched, rankings, strict=True)
        ]

    def _visible(
        self, ranking: Sequence[Ranked], asked: Asked, products: dict[int, Product]
    ) -> tuple[list[Ranked], Mapping[int, Product]]:
        """Go down the ranking until enough products may be shown."""
        seen: list[Ranked] = []
        step = _step(asked)
        for start in range(0, len(ranking), step):
            part = ranking[start : start + step]
            if start:
                products = products | self._read([ranked.product_id for ranked in part])
            seen += present.visible(part, products, exclude=asked.request.product_id)
            if len(seen) >= _wanted(asked):
                break
        return seen, products

    def _read(self, product_ids: Sequence[int]) -> dict[int, Product]:
        with span("catalog.read", products=len(product_ids)):
            return self._catalog.read(product_ids)

    def _with_own_pictures(self, request: SearchRequest) -> SearchRequest:
        """Replace a product to look like by its pictures, or by its title if it has none."""
        if request.product_id is None:
            return request
        product = self._read([request.product_id]).get(request.product_id)
        if product is None or product.retired:
            raise NotFound(f"there is no product {request.product_id}")
        own = tuple(self._media.get(p.sha256) for p in product.pictures[:OWN_PICTURES])
        if own or request.pictures:
            pictures = (request.pictures + own)[:MAX_PICTURES]
            return replace(request, pictures=pictures, weights=_weights(request, len(pictures)))
        if request.kind not in (Kind.AUTO, Kind.TEXT2TEXT, Kind.TEXT2IMAGE, Kind.HYBRID):
            raise InvalidRequest(f"product {product.id} has no picture to look like")
        return replace(request, words=request.words or product.title)


def _weights(request: SearchRequest, pictures: int) -> tuple[float, ...]:
    """Let the pictures of the product share its weight, the last one."""
    given = len(request.pictures)
    if len(request.weights) != given + 1 or pictures == given:
        return request.weights
    own = pictures - given
    return (*request.weights[:given], *[request.weights[given] / own] * own)


def _wanted(asked: Asked) -> int:
    """Return how much of the visible ranking its page needs."""
    return asked.request.offset + asked.request.limit


def _step(asked: Asked) -> int:
    """Return how many products to read at once."""
    return _wanted(asked) + (asked.request.product_id is not None)


def _is_enough(asked: Asked, page: Page) -> bool:
    """Whether the page is full, or cannot become fuller."""
    exhausted = all(len(found) < asked.depth for found in page.matches.found.values())
    return len(page.ranking) >= _wanted(asked) or exhausted or asked.depth >= WIDEST


def _answer(asked: Asked, page: Page, notes: tuple[str, ...], curve: Curve | None) -> Answer:
    request, notes = asked.request, asked.plan.notes + notes
    shown = present.hits(
        page.ranking[request.offset : _wanted(asked)],
        page.products,
        explain=request.explain,
        curve=curve,
    )
    missing, hopeless = page.matches.missing, present.has_no_good_match(page.ranking, curve)
    return Answer(
        shown,
        asked.plan.kind,
        len(page.found),
        notes=notes,
        missing=missing,
        no_good_match=hopeless,
    )


def _since(started: float) -> dict[str, float]:
    return {"total": (perf_counter() - started) * 1e3}

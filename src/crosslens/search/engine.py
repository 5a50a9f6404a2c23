"""The online sentence: plan, match, rank, present."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import InvalidRequest, NotFound
from crosslens.search import present
from crosslens.search.match import Matcher, Matches
from crosslens.search.plan import Plan, plan
from crosslens.search.present import Answer
from crosslens.search.rank import Ranked, rank
from crosslens.search.request import SearchRequest
from crosslens.values import Kind

OWN_PICTURES = 4  # more views of the product asked about cost time and change little
FACET_DEPTH = 1_000
WIDEST = 16_384  # beyond this, a page would be worse than none


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the visible ranking with its products, and what it took to get it."""

    ranking: Sequence[Ranked]
    products: dict[int, Product]
    found: int
    matches: Matches


class Searcher(Protocol):
    """Whatever answers questions."""

    def search(self, request: SearchRequest) -> Answer:
        """Find, rank and present products; see SearchEngine."""
        ...


class SearchEngine:
    """
    Answer questions over a catalogue and its index; safe to call from many threads.

    Args:
        alpha: share of vectors in hybrid search where a request names none.
    """

    def __init__(
        self, catalog: CatalogStore, media: MediaStore, matcher: Matcher, *, alpha: float = 0.5
    ) -> None:
        self._catalog = catalog
        self._media = media
        self._matcher = matcher
        self._alpha = alpha

    def search(self, request: SearchRequest) -> Answer:
        """
        Find, rank and present products.

        Raises:
            InvalidRequest: the request cannot be answered as it stands.
            NotFound: the product asked about is not in the catalogue.
            Overloaded, Unavailable: no probe could be asked; try again later.
        """
        started = perf_counter()
        request = self._with_own_pictures(request)
        chosen = plan(request, alpha=self._alpha)
        page = self._page(chosen, request)
        end = request.offset + request.limit
        shown = present.hits(
            page.ranking[request.offset : end], page.products, explain=request.explain
        )
        facets = present.count_facets(
            request.facets, (page.products[r.product_id] for r in page.ranking)
        )
        took = {"total": (perf_counter() - started) * 1e3}
        return Answer(
            shown, chosen.kind, page.found, facets, chosen.notes, page.matches.missing, took
        )

    def _page(self, chosen: Plan, request: SearchRequest) -> Page:
        """Widen the search until the page is full of visible products or nothing is left."""
        wanted = request.offset + request.limit
        depth = chosen.depth + (request.product_id is not None)
        depth = max(depth, FACET_DEPTH) if request.facets else depth
        while True:
            matches = self._matcher.match(chosen, request, depth)
            ranking = rank(chosen, matches.found)
            page = self._visible(ranking, request, wanted)
            exhausted = all(len(found) < depth for found in matches.found.values())
            if len(page[0]) >= wanted or exhausted or depth >= WIDEST:
                return Page(*page, len(ranking), matches)
            depth = min(4 * depth, WIDEST)

    def _visible(
        self, ranking: Sequence[Ranked], request: SearchRequest, wanted: int
    ) -> tuple[list[Ranked], dict[int, Product]]:
        """Read products down the ranking until enough of them may be shown; facets need all."""
        seen: list[Ranked] = []
        products: dict[int, Product] = {}
        step = len(ranking) if request.facets else wanted + (request.product_id is not None)
        for start in range(0, len(ranking), max(step, 1)):
            part = ranking[start : start + step]
            products |= self._catalog.read([ranked.product_id for ranked in part])
            seen += present.visible(part, products, exclude=request.product_id)
            if len(seen) >= wanted:
                break
        return seen, products

    def _with_own_pictures(self, request: SearchRequest) -> SearchRequest:
        """Replace a product to look like by its pictures, or by its title if it has none."""
        if request.product_id is None:
            return request
        product = self._catalog.read([request.product_id]).get(request.product_id)
        if product is None or product.retired:
            raise NotFound(f"there is no product {request.product_id}")
        own = tuple(self._media.get(p.sha256) for p in product.pictures[:OWN_PICTURES])
        if own or request.pictures:
            return replace(request, pictures=(request.pictures + own)[:10])
        if request.kind not in (Kind.AUTO, Kind.TEXT2TEXT, Kind.TEXT2IMAGE, Kind.HYBRID):
            raise InvalidRequest(f"product {product.id} has no picture to look like")
        return replace(request, words=request.words or product.title)

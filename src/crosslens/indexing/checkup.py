"""Is everything in order? One finding per part, for `doctor` and readiness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from crosslens.catalog.media import MediaStore
from crosslens.catalog.store import CatalogStore
from crosslens.errors import CrosslensError, NotFound
from crosslens.indexing.audit import audit
from crosslens.indexing.mending import filling
from crosslens.vectors.index import IndexStore

MEDIA_SAMPLE = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; a finding that is not ok says what to do."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


def examine(name: str, check: Callable[[], Finding]) -> Finding:
    """Run a check; a failure that crosslens explains is a finding too."""
    try:
        return check()
    except CrosslensError as exc:
        return Finding(name, False, exc.message, exc.hint)


def check_catalog(catalog: CatalogStore) -> Finding:
    """Count what the catalogue holds."""
    summary = catalog.summary()
    return Finding("catalogue", True, f"{summary.products} products, {summary.pictures} pictures")


def check_media(catalog: CatalogStore, media: MediaStore) -> Finding:
    """Look for the bytes of a bounded number of pictures."""
    lost = list(_lost(catalog, media))
    if lost:
        return Finding(
            "pictures",
            False,
            f"{len(lost)} of the first {MEDIA_SAMPLE} have lost their bytes",
            "import the products again; unchanged ones are skipped, lost pictures are stored",
        )
    return Finding("pictures", True, "bytes are where the catalogue says")


def _lost(catalog: CatalogStore, media: MediaStore) -> Iterator[str]:
    for sha256 in islice(catalog.pictures_in_use(), MEDIA_SAMPLE):
        try:
            media.get(sha256)
        except NotFound:
            yield sha256


def check_outbox(catalog: CatalogStore) -> Finding:
    """Count changes; parked ones need a person."""
    backlog = catalog.backlog()
    detail = f"{backlog.waiting} wait, {backlog.leased} at work, {backlog.parked} parked"
    if backlog.parked:
        return Finding("changes", False, detail, "`crosslens index status` shows the reasons")
    return Finding("changes", True, detail)


def check_index(catalog: CatalogStore, store: IndexStore) -> Finding:
    """Compare index and catalogue, and what was built with what the settings ask for."""
    index = store.live()
    if index.spec != store.wanted():
        return Finding(
            "index",
            False,
            "built for other bundles or attributes than the settings name",
            "`crosslens index rebuild`",
        )
    if (left := filling(catalog, store)) and store.damage:
        detail = f"{left}; the former one was set aside: {left.reason}"
        return Finding("index", False, detail, "`crosslens index work`, or start the service")
    found = audit(catalog, index)
    detail = (
        f"{found.products} products: {len(found.missing)} missing, {len(found.stale)} stale, "
        f"{len(found.orphaned)} orphaned"
    )
    waiting = catalog.backlog()
    if found.clean or waiting.waiting + waiting.leased:
        return Finding("index", True, detail)
    return Finding("index", False, detail, "`crosslens index audit --repair`")

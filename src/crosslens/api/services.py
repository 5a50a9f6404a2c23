"""What the door needs of the house, and how much it lets through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosslens.catalog.board import Board
from crosslens.catalog.duplicates import DuplicateStore, MemoryDuplicates, Pair
from crosslens.catalog.editing import Editor
from crosslens.catalog.exposure_log import ExposureLog
from crosslens.catalog.fetch import Fetcher
from crosslens.catalog.media import MediaStore
from crosslens.catalog.store import CatalogStore
from crosslens.encode.model import Model
from crosslens.encode.shelf import Shelf
from crosslens.errors import Unavailable
from crosslens.generate.studio import Studio
from crosslens.search.engine import Searcher
from crosslens.search.stage import Stage
from crosslens.values import AttributeType
from crosslens.vectors.index import IndexStore

Step = Callable[[int, int], None]
"""Called with how many products are done, and of how many."""
Phases = Callable[[str, int, int], None]
"""Called with a phase, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Services:
    """
    The parts behind the door.

    Attributes:
        home: folder for what the door keeps: keys, uploads, scaled pictures.
        work: settles changes until the event is set, in a thread of its own; None where other
            processes do.
        attributes: filterable attributes and their types.
        models: bundle name → what it is used for.
        bundles: those that answer now, by name; the first is meant by who names none.
        gauges: further numbers for the metrics page, by name.
        probes: further parts that must answer for the service to be ready; they raise if not.
        rebuild: build the index anew and switch; called with what to tell about progress.
        use: switch to a bundle: purpose, name, what to tell about progress.
        shelf: which bundles there are.
        judged: judged sets by name, beside those in the home.
        scan: look for duplicates; called with what to tell about progress.
        keys_path: file of API keys; None is in the home.
        studio: draws pictures; None where there is nothing to draw with.
        board: where processes over one catalogue tell of long work; None: it has its own.
    """

    home: Path
    catalog: CatalogStore
    media: MediaStore
    editor: Editor
    engine: Searcher
    index_store: IndexStore
    fetcher: Fetcher
    work: Callable[[threading.Event], object] | None
    attributes: dict[str, AttributeType] = field(default_factory=dict)
    models: dict[str, list[str]] = field(default_factory=dict)
    bundles: Callable[[], Mapping[str, Model]] = dict
    gauges: dict[str, Callable[[], float]] = field(default_factory=dict)
    probes: Mapping[str, Callable[[], Mapping[str, Any]]] = field(default_factory=dict)
    rebuild: Callable[[Step], Mapping[str, Any]] = lambda step: _cannot()
    use: Callable[[str, str, Step], Mapping[str, Any]] = lambda purpose, name, step: _cannot()
    shelf: Shelf | None = None
    judged: Mapping[str, Path] = field(default_factory=dict)
    duplicates: DuplicateStore = field(default_factory=MemoryDuplicates)
    scan: Callable[[Phases], Sequence[Pair]] = lambda step: ()
    scenes: Stage | None = None
    exposures: ExposureLog | None = None
    keys_path: Path | None = None
    studio: Studio | None = None
    board: Board | None = None


def _cannot() -> Mapping[str, Any]:
    raise Unavailable("this service cannot rebuild its index while it runs")


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    How much the door lets through; what is beyond is refused at once, never half done.

    Attributes:
        max_body_bytes: of one request, uploads to import apart.
        max_import_bytes: of one upload to import.
        max_pending_bytes: of all requests that are being read or worked on.
        body_timeout_s: seconds in which a request must have arrived.
        patience_s: seconds a request may wait for a thread.
        max_batch: products per batch.
        max_queries: questions per search request.
        search_threads, searches: threads that search, and requests that may be in the house.
        write_threads, writes: the same for writes.
        rate_per_s, burst: requests per key on average, and at once; 0 is unlimited.
        cors_origins: web pages of other origins that may call.
        max_variant_bytes: scaled pictures kept on disk.
        open_door: whether anyone may do anything as long as there is no key: on loopback only.
    """

    max_body_bytes: int = 100_000_000
    max_import_bytes: int = 2_000_000_000
    max_pending_bytes: int = 500_000_000
    body_timeout_s: float = 60.0
    patience_s: float = 30.0
    max_batch: int = 500
    max_queries: int = 32
    search_threads: int = 16
    searches: int = 256
    write_threads: int = 8
    writes: int = 64
    rate_per_s: float = 0.0
    burst: int = 200
    cors_origins: tuple[str, ...] = ()
    max_variant_bytes: int = 2_000_000_000
    open_door: bool = True

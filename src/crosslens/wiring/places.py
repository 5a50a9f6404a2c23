"""Where a catalogue and its pictures are kept."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from crosslens.catalog.duplicates import DuplicateStore
from crosslens.catalog.editing import Editor
from crosslens.catalog.fetch import Fetcher, GuardedFetcher
from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.errors import NotFound
from crosslens.objects import Bucket, Place
from crosslens.pictures import Limits
from crosslens.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from crosslens.catalog.board import Board
    from crosslens.catalog.clock import SetClock
    from crosslens.catalog.exposure_log import ExposureLog


class Closable(Protocol):
    """A part that holds files, threads or connections."""

    def close(self) -> None:
        """Release them."""


ClosableT = TypeVar("ClosableT", bound=Closable)


class Places:
    """Catalogue, pictures and files of one home, each opened when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closing = ExitStack()

    def close(self) -> None:
        """Release files, threads and connections, in reverse order of their making."""
        self._closing.close()

    def _kept(self, part: ClosableT) -> ClosableT:
        self._closing.callback(part.close)
        return part

    @cached_property
    def catalog(self) -> CatalogStore:
        """The truth, in SQL."""
        from crosslens.catalog.sql import SqlCatalog

        self.settings.home.mkdir(parents=True, exist_ok=True)
        connections = self.settings.catalog_connections
        return self._kept(SqlCatalog(self.catalog_url, connections=connections))

    @property
    def catalog_url(self) -> str:
        """Where the catalogue is."""
        return self.settings.catalog_url or f"sqlite:///{self.settings.home / 'catalog.db'}"

    def upgrade_catalog(self) -> tuple[str | None, str]:
        """Bring the catalogue's database to the newest schema; return the one before and after."""
        from crosslens.catalog.connection import upgrade

        return upgrade(self.catalog_url)

    @cached_property
    def _ledger(self) -> Engine:
        """The catalogue's database once more, for what stands beside the catalogue."""
        from crosslens.catalog.connection import open_engine

        self.settings.home.mkdir(parents=True, exist_ok=True)
        clock = self._ledger_clock
        engine = open_engine(self.catalog_url, busy_s=30.0, clock=clock, connections=4)
        self._closing.callback(engine.dispose)
        return engine

    @cached_property
    def _ledger_clock(self) -> SetClock:
        """The time of the ledger's server."""
        from crosslens.catalog.clock import SetClock

        return SetClock()

    @cached_property
    def board(self) -> Board | None:
        """Where processes over one catalogue tell of long work; None where there is only one."""
        from crosslens.catalog.sql_board import SqlBoard

        shared = bool(self.settings.catalog_url)
        return SqlBoard(self._ledger, self._ledger_clock) if shared else None

    @cached_property
    def duplicates(self) -> DuplicateStore:
        """Which products were found to be the same, and what was decided."""
        from crosslens.catalog.sql_duplicates import SqlDuplicates

        return SqlDuplicates(self._ledger)

    @cached_property
    def exposures(self) -> ExposureLog:
        """What was shown to whom, and what they did with it."""
        from crosslens.catalog.exposure_log import ExposureLog
        from crosslens.catalog.sql_exposures import SqlExposures

        return self._kept(ExposureLog(SqlExposures(self._ledger)))

    @cached_property
    def media(self) -> MediaStore:
        """Picture bytes."""
        if self.settings.media_url:
            from crosslens.catalog.s3 import S3Media

            return S3Media(self.media_bucket, links_s=self.settings.media_links_s)
        from crosslens.catalog.disk import DiskMedia

        return DiskMedia(self.settings.home / "media")

    @cached_property
    def media_bucket(self) -> Bucket:
        """Where pictures are, if that is a bucket."""
        return self.bucket(self.settings.media_url)

    def bucket(self, url: str) -> Bucket:
        """
        Open a place in an S3-compatible store.

        Raises:
            InvalidRequest: not of the form s3://bucket/prefix.
            MissingExtra: the extra `s3` is not installed.
        """
        own = self.settings
        return self._kept(Bucket(Place.of(url), endpoint=own.s3_endpoint, region=own.s3_region))

    @cached_property
    def limits(self) -> Limits:
        """What a picture may be."""
        return Limits(
            max_bytes=self.settings.max_picture_bytes, max_pixels=self.settings.max_picture_pixels
        )

    @cached_property
    def editor(self) -> Editor:
        """The use cases that write."""
        return Editor(self.catalog, self.media, limits=self.limits)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Pictures by URL, from public addresses only."""
        return GuardedFetcher(
            allow_hosts=self.settings.fetch_hosts,
            max_bytes=self.settings.max_picture_bytes,
            timeout_s=self.settings.fetch_timeout_s,
        )

    @property
    def threads(self) -> int:
        """Encoder workers."""
        return self.settings.threads or os.cpu_count() or 1

    def product(self, product_id: int) -> Product:
        """
        Read a live product.

        Raises:
            NotFound: there is none, or it has been removed.
        """
        product = self.catalog.read([product_id]).get(product_id)
        if product is None or product.retired:
            raise NotFound(f"there is no product {product_id}")
        return product

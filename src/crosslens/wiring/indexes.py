"""The index that the bundles in use want, and what writes rows into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

from crosslens.corpora.shards import Column
from crosslens.encode.keywords import item_tokens
from crosslens.errors import InvalidRequest, Unavailable
from crosslens.indexing.duplicates import Scanner
from crosslens.indexing.kept import KeptVectors
from crosslens.indexing.mending import Mending
from crosslens.indexing.pushed_rows import (
    CatalogRows,
    IndexTarget,
    OwnRows,
    require_spaces,
    spec_of,
)
from crosslens.indexing.pushing import DocumentTarget, Target
from crosslens.indexing.rows import RowMaker, keyword_tokens
from crosslens.indexing.whole import whole_file
from crosslens.values import Modality
from crosslens.vectors.index import IndexSpec, IndexStore, VectorIndex
from crosslens.vectors.term_statistics import TermStatistics, dump
from crosslens.wiring.models import Models
from crosslens.wiring.stores import KEYWORDS, named_milvus, open_index


class Indexes(Models):
    """The vector index and what fills it."""

    @cached_property
    def index_spec(self) -> IndexSpec:
        """What the settings want the index to hold."""
        encoders = self.encoders
        return IndexSpec(encoders.text_spaces, encoders.picture_spaces, self.settings.attributes)

    @cached_property
    def index_store(self) -> IndexStore:
        """Where vectors live."""
        return self._kept(open_index(self.settings, self.index_spec))

    @property
    def index(self) -> VectorIndex:
        """
        The live index; an empty one of another spec is replaced, since that costs nothing.

        Raises:
            Unavailable: another process holds it.
        """
        live = self.index_store.live()
        if live.spec != self.index_store.wanted() and live.counts().products == 0:
            self.index_store.draft().take_over()
        return live

    @property
    def fits(self) -> bool:
        """Whether the live index is for the bundles in use."""
        spec, own = self.index_store.live().spec, self.index_spec
        return (spec.text, spec.picture) == (own.text, own.picture)

    @cached_property
    def maker(self) -> RowMaker:
        """Products → rows of the index."""
        texts = self._product_texts()
        return RowMaker(self.encoders, self.media, item_tokens, texts, self.kept_vectors)

    @cached_property
    def kept_vectors(self) -> KeptVectors | None:
        """What was encoded before; None where the settings say to keep nothing."""
        kept = self._kept(KeptVectors(self.settings.home / "vectors"))
        if self.settings.keep_vectors:
            return kept
        kept.clear()
        return None

    @cached_property
    def mending(self) -> Mending:
        """Makes the live index whole when it is in doubt."""
        return Mending(self.catalog, self.index_store)

    def _require_own_spaces(self) -> None:
        spec, wanted = self.index.spec, self.index_store.wanted()
        if (spec.text, spec.picture) != (wanted.text, wanted.picture):
            raise Unavailable(
                "the index was built for other bundles than the settings name",
                hint="run `crosslens index rebuild`",
            )

    def _keep_own_vectors(self) -> None:
        if self.kept_vectors is not None:
            self.kept_vectors.only(self.index_spec)

    def train_keywords(self) -> tuple[Path, TermStatistics]:
        """
        Count the words of the catalogue into the home, for indexes that weigh keywords by them.

        Raises:
            StorageFull, Unavailable: the file cannot be written; the former one stays.
        """
        batches = self.catalog.stream()
        texts = (keyword_tokens(product, item_tokens) for batch in batches for product in batch)
        trained = TermStatistics.train(texts)
        path = self.settings.home / KEYWORDS
        with whole_file(path) as file:
            file.write(dump(trained))
        return path, trained

    @contextmanager
    def push_target(
        self, url: str, columns: Sequence[Column], *, id: str, words: Sequence[str]
    ) -> Iterator[Target]:
        """
        Open where built shards are pushed: `index`, `mongodb://…/database.collection`,
        `milvus://host:port/name` or `milvus:file.db/name`.

        Args:
            columns: the vectors of the shards.
            id: the field that tells entries apart.
            words: fields that keywords find; none: those that were encoded.

        Raises:
            InvalidRequest: it is none of these.
            WrongSpace: the index keeps vectors of other spaces.
            MissingExtra, Unavailable: it cannot be had.
        """
        if url == "index":
            require_spaces(columns, self.index.spec)
            yield IndexTarget(self.index, CatalogRows(self.catalog, columns, item_tokens), id)
        elif url.startswith("mongodb"):
            from crosslens.documents.mongo import MongoDocuments

            with closing(MongoDocuments(url)) as documents:
                yield DocumentTarget(documents, id)
        elif url.startswith("milvus:"):
            encoded = [c.source for c in columns if c.modality is Modality.TEXT]
            with closing(named_milvus(self.settings, url, spec_of(columns))) as store:
                require_spaces(columns, store.live().spec)
                made = OwnRows(columns, words or encoded, item_tokens)
                yield IndexTarget(store.live(), made, id)
        else:
            raise InvalidRequest(
                f"cannot push to {url!r}",
                hint="allowed are index, mongodb://host/database.collection, "
                "milvus://host:port/name and milvus:file.db/name",
            )

    @property
    def duplicate_scanner(self) -> Scanner:
        """What looks for duplicates."""
        from crosslens.indexing.prints import PrintFile

        return Scanner(
            self.catalog,
            self.media,
            self.index,
            looks=self.encoders.looks.space,
            titles=self.encoders.text.space,
            tokens=item_tokens,
            prints=PrintFile(self.settings.home / "prints" / "1.bin"),
            limits=self.limits,
            threads=self.threads,
        )

    def require_shared(self) -> None:
        """
        See that other processes can share catalogue and index.

        Raises:
            InvalidRequest: one of them is for one process alone.
        """
        own = self.settings
        catalog, index = own.catalog_url.partition(":")[0], own.index_url.partition(":")[0]
        lonely = index in ("", "memory") or own.index_url.endswith(".db")
        if lonely or catalog in ("", "sqlite"):
            raise InvalidRequest(
                "several processes need a catalogue and an index that they can share",
                hint="set catalog_url to a MySQL or PostgreSQL server and index_url to a Milvus "
                "server; `crosslens serve` alone runs everything in one process",
            )

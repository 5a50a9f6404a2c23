"""Settings → App: the only module that names concrete adapters."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import crosslens.bundled
from crosslens.catalog.duplicates import DuplicateStore
from crosslens.catalog.editing import Editor
from crosslens.catalog.fetch import Fetcher, GuardedFetcher
from crosslens.catalog.media import MediaStore
from crosslens.catalog.product import Product
from crosslens.catalog.store import CatalogStore
from crosslens.compose.composer import Composer
from crosslens.corpora.records import BadRecord, Record
from crosslens.corpora.shards import Column
from crosslens.encode.batching import BatchedPictures, BatchedText, Batcher
from crosslens.encode.bundles import verify
from crosslens.encode.cache import CachedPictures, CachedText
from crosslens.encode.cards import TextCard
from crosslens.encode.choices import PURPOSES, by_bundle, exchange
from crosslens.encode.depots import BucketDepot, Depot, FolderDepot
from crosslens.encode.encoder import Encoders, PictureEncoder, TextEncoder
from crosslens.encode.goldens import CheckReport
from crosslens.encode.keywords import item_tokens, query_tokens
from crosslens.encode.model import Model
from crosslens.encode.onnx import OnnxBundle, OnnxPictures, OnnxText
from crosslens.encode.onnx import load as load_bundle
from crosslens.encode.shelf import Shelf
from crosslens.encode.towers import Row
from crosslens.errors import (
    BrokenBundle,
    CrosslensError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
    WrongSpace,
)
from crosslens.evaluate.gatekeeping import Gatekeeper, read_gate
from crosslens.generate.means import Means, makers
from crosslens.generate.studio import Studio
from crosslens.indexing.duplicates import Scanner
from crosslens.indexing.importing import Importer, Indexing, Tally, import_and_index
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
from crosslens.indexing.queue import Queue
from crosslens.indexing.rebuild import Progress, Rebuilt, rebuild
from crosslens.indexing.restoring import Restorer
from crosslens.indexing.rows import ProductText, RowMaker, keyword_tokens
from crosslens.indexing.whole import whole_file
from crosslens.indexing.worker import Pace, Worker
from crosslens.objects import Bucket, Place
from crosslens.pictures import Limits
from crosslens.search.crossing import CrossEncoder
from crosslens.search.engine import SearchEngine, Searcher
from crosslens.search.learned import read_ranker
from crosslens.search.match import Matcher
from crosslens.search.plan import Shares
from crosslens.search.relevance import read_curves
from crosslens.search.reranking import Reranker
from crosslens.search.scene_file import SceneFile
from crosslens.search.scenes import Known
from crosslens.search.stage import Stage
from crosslens.settings import Settings
from crosslens.telemetry import logger, tracing
from crosslens.values import Floats, Modality, Space
from crosslens.vectors.index import IndexSpec, IndexStore, VectorIndex
from crosslens.vectors.term_statistics import StatisticsFile, TermStatistics, dump

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy import Engine

    from crosslens.api.services import Bounds
    from crosslens.catalog.exposure_log import ExposureLog
    from crosslens.catalog.switches import SqlSwitches
    from crosslens.encode.remote import EncodeClient
    from crosslens.indexing.kafka import Broker
    from crosslens.rpc.server import Server, Tls


class Closable(Protocol):
    """A part that holds files, threads or connections."""

    def close(self) -> None:
        """Release them."""


ClosableT = TypeVar("ClosableT", bound=Closable)
CACHED_PICTURES = 1_000
PROBE_THREADS = 32
WORKER_AGAIN_S = 5.0
CLOCKS_APART_S = 60.0
RELEVANCE = "relevance.json"
KEYWORDS = "keywords.json"
RANKERS = "rankers"
COMPOSERS = "composers"
GATE = "gate.yaml"
SHIPPED_SETS = {"sample": Path(crosslens.bundled.__file__).parent / "sample"}


class App:
    """
    One crosslens over one home; parts are built when first asked for.

    Keyword arguments swap a part, as tests do.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        catalog: CatalogStore | None = None,
        media: MediaStore | None = None,
        encoders: Encoders | None = None,
        index_store: IndexStore | None = None,
        chosen: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        parts = {
            "catalog": catalog,
            "media": media,
            "encoders": encoders,
            "index_store": index_store,
            "chosen": chosen,
        }
        self.__dict__.update({name: part for name, part in parts.items() if part is not None})
        self._closing = ExitStack()
        self._loaded: dict[str, Model] = {}
        self._lag: Callable[[], int] = lambda: 0  # messages of a broker, while there is one
        self._rerankers: dict[str, Reranker] = {}

    def close(self) -> None:
        """Release files, threads and connections, in reverse order of their making."""
        self._closing.close()

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

    @property
    def threads(self) -> int:
        """Encoder workers."""
        return self.settings.threads or os.cpu_count() or 1

    @cached_property
    def shelf(self) -> Shelf:
        """The home's bundles, then the built-in ones."""
        built_in = Path(crosslens.bundled.__file__).parent
        return Shelf([self.settings.home / "bundles", built_in])

    @cached_property
    def studio(self) -> Studio:
        """Draws pictures; what is named in the settings first, then the home's generators."""
        own = self.settings
        built_in = Path(crosslens.bundled.__file__).parent
        means = Means(
            named=own.generator, folders=(own.home / "generators", built_in / "generators"),
            threads=own.generator_threads, key=own.generator_key.get_secret_value(),
            model=own.generator_model, timeout_s=own.generator_timeout_s,
            device=own.generator_device, dtype=own.generator_dtype,
            offload=own.generator_offload, lora=own.generator_lora,
            safety=own.generator_safety, download=own.generator_download,
        )  # fmt: skip
        return Studio(makers(means), self.media)

    def depot(self, url: str = "") -> Depot:
        """
        Open where bundles are shared: as said, else as `bundles_url` says.

        Raises:
            InvalidRequest: neither says so.
            MissingExtra: it is a bucket, and the extra `s3` is not installed.
        """
        place = url or self.settings.bundles_url
        if not place:
            raise InvalidRequest(
                "no place for shared bundles is named",
                hint="name a folder or s3://bucket/prefix, or set bundles_url",
            )
        if place.startswith("s3:"):
            return BucketDepot(self.bucket(place))
        return FolderDepot(Path(place).expanduser())

    @property
    def named(self) -> dict[str, str]:
        """Purpose → bundle, as the settings say."""
        return {purpose: str(getattr(self.settings, purpose)) for purpose in PURPOSES}

    @cached_property
    def chosen(self) -> Mapping[str, str]:
        """
        Purpose → bundle: what the settings name, or what has taken its place since.

        A switch that any process over a shared catalogue has made is one of all of them, also of
        those that start later. A home of its own is told by its settings, which a switch edits.
        """
        if not self.settings.catalog_url:
            return self.named
        serving = self._switches.serving(self.named)
        for purpose, name in self.named.items():
            if name != serving[purpose]:
                told = {"purpose": purpose, "named": name, "serving": serving[purpose]}
                logger("bundles").warning("settings name a bundle that was replaced", **told)
        return serving

    @cached_property
    def _switches(self) -> SqlSwitches:
        from crosslens.catalog.switches import SqlSwitches

        return SqlSwitches(self._ledger)

    @cached_property
    def encoders(self) -> Encoders:
        """Encoders of what the catalogue holds, one per purpose."""
        chosen = self.chosen
        cross = self.bundle(chosen["cross_modal"])
        text = self.bundle(chosen["text"]) if chosen["text"] else cross
        looks = self.bundle(chosen["looks"]) if chosen["looks"] else cross
        return Encoders(
            text=text.words, words=cross.words, pictures=cross.pictures, looks=looks.pictures
        )

    @cached_property
    def query_encoders(self) -> Encoders:
        """The same encoders for queries, with their vectors remembered."""
        entries = self.settings.query_cache
        if not entries:
            return self.encoders
        own = self.encoders
        few = min(entries, CACHED_PICTURES)
        texts = {e: CachedText(e, entries=entries) for e in {own.text, own.words}}
        pictures = {e: CachedPictures(e, entries=few) for e in {own.pictures, own.looks}}
        return Encoders(
            texts[own.text], texts[own.words], pictures[own.pictures], pictures[own.looks]
        )

    @cached_property
    def index_spec(self) -> IndexSpec:
        """What the settings want the index to hold."""
        encoders = self.encoders
        return IndexSpec(encoders.text_spaces, encoders.picture_spaces, self.settings.attributes)

    @cached_property
    def index_store(self) -> IndexStore:
        """Where vectors live."""
        scheme, _, rest = self.settings.index_url.partition(":")
        if scheme not in _INDEX_STORES:
            allowed = ", ".join(f"{name}:" for name in _INDEX_STORES if name)
            raise InvalidRequest(f"index_url is {self.settings.index_url!r}, allowed are {allowed}")
        return self._kept(_INDEX_STORES[scheme](self.settings, rest, self.index_spec))

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
    def engine(self) -> SearchEngine:
        """Search."""
        engine = self._engine_over(self.index)
        engine.notes = self._notes
        engine.curves = read_curves(self.settings.home / RELEVANCE, self.probe_spaces)
        return engine

    def _engine_over(self, index: VectorIndex) -> SearchEngine:
        pool = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")
        self._closing.callback(pool.shutdown, cancel_futures=True)
        matcher = Matcher(self.query_encoders, index, query_tokens, pool, self.composer)
        return SearchEngine(self.catalog, self.media, matcher, shares=self.shares)

    @cached_property
    def composer(self) -> Composer | None:
        """
        What composes pictures and words in the cross-modal space; None where nothing does.

        The home's composers come first. One of another space is not looked at, whatever its name.

        Raises:
            BrokenBundle: there is one, and it is altered or does not pass its goldens.
        """
        from crosslens.compose.bundles import find
        from crosslens.compose.onnx import load

        built_in = Path(crosslens.bundled.__file__).parent / COMPOSERS
        found = find([self.settings.home / COMPOSERS, built_in], self.encoders.words.space)
        return None if found is None else load(found)

    @property
    def shares(self) -> Shares:
        """Shares of vectors in hybrid search: as set, else what each bundle in use deserves."""
        own = self.settings
        if own.alpha is not None:
            return Shares.even(own.alpha)
        self.encoders  # noqa: B018 - loads the bundles that the settings name
        usual = Shares()
        names = self.chosen["text"], "", self.chosen["looks"]
        found = (self._loaded.get(name or self.chosen["cross_modal"]) for name in names)
        return Shares(*(usual.text if model is None else model.card.alpha for model in found))

    def worker(
        self,
        on_settled: Callable[[int], None] = lambda changes: None,
        queue: Queue | None = None,
    ) -> Worker:
        """
        Make a worker that keeps the live index true.

        Args:
            queue: where it gets its changes; None is the catalogue.

        Raises:
            Unavailable: another process holds the index, or it waits for a rebuild.
        """
        self._require_own_spaces()
        self._keep_own_vectors()
        own = self.settings
        pace = Pace(lease_s=own.lease_s, max_tries=own.max_tries, threads=self.threads)
        return Worker(
            queue or self.catalog,
            self.index,
            self.maker,
            pace=pace,
            on_settled=on_settled,
            more=self._more,
        )

    def _more(self) -> bool:
        """Look at what else may be due; an idle worker notices here that another has switched."""
        if not self.fits:
            raise WrongSpace("the index is for other bundles now")
        return self.mending.more()

    @cached_property
    def mending(self) -> Mending:
        """Makes the live index whole when it is in doubt."""
        return Mending(self.catalog, self.index_store)

    def rebuild(
        self,
        progress: Progress,
        switching: Callable[[], AbstractContextManager[object]] = nullcontext,
        *,
        fresh: bool = False,
        accept: Callable[[VectorIndex], None] = lambda index: None,
    ) -> Rebuilt:
        """
        Replace the live index by one that fits the settings; see `rebuild` for what is called.

        Args:
            fresh: whether everything is encoded again, also what was kept.
        """
        former = self.index_store.wanted()
        self.index_store.want(self.index_spec)
        if fresh and self.kept_vectors is not None:
            self.kept_vectors.clear()
        try:
            done = rebuild(
                self.catalog,
                self.index_store,
                self.maker,
                threads=self.threads,
                progress=progress,
                switching=partial(self._noted, switching),
                accept=accept,
            )
        except BaseException:
            self.index_store.want(former)
            raise
        self._keep_own_vectors()
        return done

    @contextmanager
    def _noted(self, switching: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
        """Note, for processes whose settings name others, which bundles the index is for now."""
        with switching():
            if self.settings.catalog_url:
                self._switches.note(self.named, self.chosen)
            yield

    def succeed(
        self,
        former: Callable[[], Searcher],
        progress: Progress,
        switching: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Rebuilt:
        """
        Take over from other bundles: build the index, pass the gate if there is one, and switch.

        Args:
            former: gives what answers now, which a gate may compare with.

        Raises:
            Conflict: the gate of the home does not let these bundles pass.
        """
        gate = read_gate(self.settings.home / GATE)
        if gate is None or not self.catalog.summary().products:
            return self.rebuild(progress, switching)
        keeper = Gatekeeper(
            gate, self.judged_folder(gate.set), self.catalog, self.media, self.threads
        )
        name = ", ".join(self.purposes())

        def accept(index: VectorIndex) -> None:
            keeper.require(name, self._engine_over(index), former)

        return self.rebuild(progress, switching, accept=accept)

    def judged_folder(self, name: str) -> Path:
        """
        Find a judged set: of the home, else one that comes along.

        Raises:
            NotFound: there is none of this name.
        """
        for folder in (self.settings.home / "judged" / name, SHIPPED_SETS.get(name)):
            if folder is not None and folder.is_dir():
                return folder
        raise NotFound(f"there is no judged set {name!r}")

    def beside(self, purpose: str, name: str) -> App:
        """
        Make an App with another bundle over the same catalogue, pictures and index.

        Raises:
            NotFound, BrokenBundle: the bundle cannot be had, or does not pass its goldens.
        """
        other = self._with({**self.chosen, purpose: name})
        try:
            other.bundle(name).check().require(name)
        except BaseException:
            other.close()
            raise
        return other

    def _with(self, chosen: Mapping[str, str]) -> App:
        """Make an App with other bundles over the same catalogue, pictures and index."""
        return App(
            self.settings,
            catalog=self.catalog,
            media=self.media,
            index_store=self.index_store,
            chosen=chosen,
        )

    @property
    def fits(self) -> bool:
        """Whether the live index is for the bundles in use."""
        spec, own = self.index_store.live().spec, self.index_spec
        return (spec.text, spec.picture) == (own.text, own.picture)

    def follow(self) -> App | None:
        """
        Make an App for the live index, which another process has built for another bundle.

        None: nothing has changed, or more than one bundle, or the bundle is not to be had here.
        """
        spec = self.index_store.live().spec
        elsewhere = bool(self.settings.encoder_url)
        names = self.encode_client.names() if elsewhere else self.shelf.names()
        space = self._space_elsewhere if elsewhere else self._space_here
        changes = exchange(self.chosen, (spec.text, spec.picture), names, space)
        if not changes:
            return None
        other = self._with({**self.chosen, **changes})
        self.index_store.want(other.index_spec)
        return other

    def _space_here(self, name: str) -> Space:
        return self.shelf.card(name).vector_space

    def _space_elsewhere(self, name: str) -> Space:
        return self.encode_client.model(name).space

    def import_all(
        self,
        records: Iterable[Record | BadRecord],
        stop: threading.Event | None = None,
        *,
        index: bool = True,
        exact: bool = False,
        on_progress: Callable[[str, int], None] = lambda phase, done: None,
        on_bad: Callable[[BadRecord], None] = lambda bad: None,
    ) -> tuple[Tally, int]:
        """
        Import records, and index them meanwhile unless told not to.

        Args:
            exact: whether they are a whole export, which comes back with its ids.
            on_progress: called with a phase and how many are done.

        Returns:
            The tally, and how many changes this process settled.
        """
        stop = stop or threading.Event()
        done_so_far = 0

        def indexed(changes: int) -> None:
            nonlocal done_so_far
            done_so_far += changes
            on_progress("indexed", done_so_far)

        with ThreadPoolExecutor(self.threads, thread_name_prefix="read") as pool:
            importer = (Restorer if exact else Importer)(
                self.editor,
                pool,
                on_progress=lambda tally: on_progress("read", tally.read),
                on_bad=on_bad,
            )
            if not index:
                return importer.run(records, stop), 0
            indexing = Indexing(self.catalog, lambda: self.worker(indexed))
            tally, done = import_and_index(importer, records, indexing, stop)
        if done and not stop.is_set():
            self.index.optimize()
        return tally, done

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
            with closing(_named_milvus(self.settings, url, spec_of(columns))) as store:
                require_spaces(columns, store.live().spec)
                made = OwnRows(columns, words or encoded, item_tokens)
                yield IndexTarget(store.live(), made, id)
        else:
            raise InvalidRequest(
                f"cannot push to {url!r}",
                hint="allowed are index, mongodb://host/database.collection, "
                "milvus://host:port/name and milvus:file.db/name",
            )

    @cached_property
    def _ledger(self) -> Engine:
        """The catalogue's database once more, for what stands beside the catalogue."""
        from crosslens.catalog.clock import SetClock
        from crosslens.catalog.connection import open_engine

        self.settings.home.mkdir(parents=True, exist_ok=True)
        engine = open_engine(self.catalog_url, busy_s=30.0, clock=SetClock(), connections=4)
        self._closing.callback(engine.dispose)
        return engine

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
    def scene_file(self) -> SceneFile:
        """
        The scenes of the home, over those that come along.

        Raises:
            InvalidRequest: the file is wrong; the message begins with file and line.
        """
        shipped = Path(crosslens.bundled.__file__).parent / "scenes.yaml"
        return SceneFile(self.settings.home / "scenes.yaml", shipped, self.known)

    def known(self) -> Known:
        """Return what scenes may speak of; reads the rankers of the home anew."""
        folder = self.settings.home / RANKERS
        rankers = {
            path.stem: read_ranker(path, query_tokens) for path in sorted(folder.glob("*.json"))
        }
        self._rerankers |= rankers  # scenes that still answer may name one that is gone
        crossing, others = self._bundles_that_rank()
        return Known(
            rerankers=(*rankers, *crossing),
            others={name: why for name, why in others.items() if name not in rankers},
            load=lambda name: None if name in rankers else self._load_cross_encoder(name),
            types=self.settings.attributes,
        )

    def _bundles_that_rank(self) -> tuple[list[str], dict[str, str]]:
        """Return the cross-encoders of the shelf, and why its other bundles are none."""
        crossing, others = [], {}
        for name in self.shelf.names():
            try:
                card = self.shelf.card(name)
            except CrosslensError as exc:
                others[name] = f"a bundle that cannot be used: {exc.message}"
                continue
            if card.reranker is not None:
                crossing.append(name)
            else:
                others[name] = f"a bundle that is no cross-encoder: it has {_and(card.towers)}"
        return crossing, others

    def _load_cross_encoder(self, name: str) -> None:
        """Load a cross-encoder once; it runs where searches run."""
        if name in self._rerankers:
            return
        loaded = load_bundle(self.shelf.folder(name), device=self.settings.device)
        if loaded.reranker is None:
            raise BrokenBundle(f"bundle {name} is no cross-encoder")
        loaded.check().require(name)
        self._rerankers[name] = CrossEncoder(loaded.reranker)

    @property
    def probe_spaces(self) -> dict[str, str]:
        """Probe → name of the space that it looks in."""
        own = self.encoders
        return {
            "text2text": own.text.space.name,
            "text2image": own.words.space.name,
            "image2image": own.looks.space.name,
            "image2text": own.pictures.space.name,
            "composed": own.words.space.name,
        }

    def stage(self, engine: Searcher) -> Stage:
        """Make what answers within scenes, by asking an engine."""
        return Stage(
            engine,
            self.scene_file,
            index=self.index_store.live,
            looks=lambda: self.index_store.live().spec.picture[-1],
            tokens=query_tokens,
            types=self.settings.attributes,
            rerankers=lambda: self._rerankers,
            log=self.exposures.put,
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

    @cached_property
    def fetcher(self) -> Fetcher:
        """Pictures by URL, from public addresses only."""
        return GuardedFetcher(
            allow_hosts=self.settings.fetch_hosts,
            max_bytes=self.settings.max_picture_bytes,
            timeout_s=self.settings.fetch_timeout_s,
        )

    def keep_indexed(self, stop: threading.Event) -> None:
        """
        Settle changes until told to stop, also when the index can only be had later.

        Returns early when the index turns out to be for other bundles than before.
        """
        while not stop.is_set():
            try:
                with self._queue(stop) as queue:
                    self.worker(queue=queue).run(stop)
            except WrongSpace as exc:
                logger("worker").warning("another process has switched", error=str(exc))
                return
            except CrosslensError as exc:
                logger("worker").warning("no worker yet", error=str(exc))
                stop.wait(WORKER_AGAIN_S)

    @contextmanager
    def _queue(self, stop: threading.Event) -> Iterator[Queue]:
        """Open where changes come from; beside a broker, what is due is sent on its way."""
        if not self.settings.kafka_servers:
            yield self.catalog
            return
        from crosslens.indexing.kafka import KafkaQueue, Relay, make_topics

        broker = self._broker
        make_topics(broker)
        relay, ended = Relay(self.catalog, broker), threading.Event()
        thread = threading.Thread(target=relay.run, args=(ended,), name="relay")
        queue = KafkaQueue(self.catalog, broker)
        thread.start()
        self._lag = queue.lag
        try:
            yield queue
        finally:
            self._lag = lambda: 0
            ended.set()
            queue.close()
            thread.join()

    @property
    def _broker(self) -> Broker:
        from crosslens.indexing.kafka import Broker

        own = self.settings
        return Broker(
            own.kafka_servers,
            topic=own.kafka_topic,
            group=own.kafka_group,
            partitions=own.kafka_partitions,
            lease_s=own.kafka_lease_s,
            options=own.kafka_options,
        )

    def _look_at_the_clock(self) -> dict[str, Any]:
        ahead = self.catalog.clock_ahead_s()
        if abs(ahead) > CLOCKS_APART_S:
            side = "ahead of" if ahead > 0 else "behind"
            raise Unavailable(
                f"this machine's clock is {abs(ahead):.0f} s {side} the catalogue's server's",
                hint="set it; leases go by the server's, signed links and certificates by this one",
            )
        return {"seconds_ahead": round(ahead, 1)}

    @cached_property
    def _broker_probe(self) -> Callable[[], dict[str, Any]]:
        from crosslens.indexing.kafka import Lookout

        return Lookout(self._broker).look

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

    def http(
        self, *, open_door: bool = True, working: bool = True, answering: bool = True
    ) -> FastAPI:
        """
        Make the HTTP application; everything it needs is opened and loaded here.

        Args:
            open_door: whether anyone may do anything as long as there is no API key.
            working: whether it settles changes; else other processes do.
            answering: whether it has more paths than those that tell how it is.

        Raises:
            BrokenBundle, Unavailable, IndexBroken: a part cannot be had.
        """
        from crosslens.api.app import create_app
        from crosslens.api.services import Services
        from crosslens.api.serving import Serving
        from crosslens.settings import write_value

        home = self.settings.home
        serving = Serving(self, self.beside, lambda *chosen: write_value(home, *chosen))
        self._closing.callback(serving.close)
        services = Services(
            home=self.settings.home,
            keys_path=self.settings.keys_path,
            catalog=self.catalog,
            media=self.media,
            editor=self.editor,
            engine=serving,
            index_store=self.index_store,
            fetcher=self.fetcher,
            work=serving.work if working else None,
            attributes=self.settings.attributes,
            duplicates=self.duplicates,
            scenes=self.stage(serving),
            exposures=self.exposures,
            scan=lambda step: self.duplicate_scanner.scan(step),
            models=serving.models,
            bundles=serving.bundles,
            probes=self.probes(working=working),
            gauges={"queue_lag": lambda: self._lag()} if self.settings.kafka_servers else {},
            rebuild=serving.rebuild,
            use=serving.use,
            shelf=self.shelf,
            judged=SHIPPED_SETS,
            studio=self.studio,
        )
        bounds = _bounds(self.settings, open_door=open_door)
        sorts = {(True, True): "", (False, True): "-api", (True, False): "-worker"}
        self._trace("crosslens" + sorts.get((working, answering), ""))
        return create_app(services, bounds, only_health=not answering)

    def _trace(self, service: str) -> None:
        """Trace what this process does, if the settings say where to."""
        own = self.settings
        if own.traces_url:
            end = tracing.begin(service, url=own.traces_url, ratio=own.traces_ratio)
            self._closing.callback(end)

    def probes(self, *, working: bool = True) -> dict[str, Callable[[], dict[str, Any]]]:
        """Return what asks the parts elsewhere whether they answer; the broker's, if it works."""
        probes: dict[str, Callable[[], dict[str, Any]]] = {}
        if self.settings.catalog_url:
            probes["clock"] = self._look_at_the_clock
        if self.settings.encoder_url:
            probes["encoder"] = lambda: {"models": self.encode_client.names()}
        if self.settings.media_url:
            probes["media"] = self.media_bucket.probe
        if self.settings.kafka_servers and working:
            probes["kafka"] = lambda: self._broker_probe()
        return probes

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

    def purposes(self) -> dict[str, list[str]]:
        """Say which bundle is used for what."""
        return by_bundle(self.chosen)

    def bundles(self) -> dict[str, Model]:
        """Load the bundles in use; the cross-modal one comes first."""
        loaded = [self.bundle(name) for name in self.purposes()]
        return {model.card.name: model for model in loaded}

    def bundle(self, name: str) -> Model:
        """Load a bundle once, here or at the encode service; all callers share its towers."""
        if name not in self._loaded:
            self._loaded[name] = self._kept(self._opened_bundle(name))
        return self._loaded[name]

    def _opened_bundle(self, name: str) -> Model:
        if self.settings.encoder_url:
            return self.encode_client.model(name)
        folder = self.shelf.folder(name)
        loaded = load_bundle(folder, device=self.settings.device)
        return LoadedBundle(loaded, self.settings, self.threads)

    @cached_property
    def encode_client(self) -> EncodeClient:
        """The connection to the encode service."""
        from crosslens.encode.remote import EncodeClient

        own = self.settings
        return self._kept(
            EncodeClient(
                own.encoder_url,
                token=own.encoder_token,
                authority=own.encoder_ca,
                deadline_s=own.encode_timeout_s,
            )
        )

    def encode_server(self, *, open_door: bool = True) -> Server:
        """
        Make the encode service, with what the settings name loaded; it does not answer yet.

        Args:
            open_door: whether anyone may call as long as there is no API key.

        Raises:
            BrokenBundle: a bundle cannot be had.
            Unavailable: the address cannot be had.
        """
        from crosslens.rpc.remembered import Remembered
        from crosslens.rpc.server import Server
        from crosslens.rpc.service import Limits
        from crosslens.rpc.stock import Stock

        own = self.settings
        stock = self._kept(
            Stock(
                self.shelf, self._opened_bundle, self.depot, usual=own.cross_modal,
                always=tuple(by_bundle(self.named)),
                remembered=Remembered(own.home / "loaded-bundles"),
            )
        )  # fmt: skip
        stock.start()
        limits = Limits(
            calls=own.encode_queue,
            picture_bytes=own.max_picture_bytes,
            message_bytes=own.max_body_bytes,
        )
        host = f"[{own.host}]" if ":" in own.host else own.host
        door = _rpc_door(own.keys_path, open_door=open_door)
        at = f"{host}:{own.rpc_port}"
        status = None if own.rpc_status_port is None else (own.host, own.rpc_status_port)
        self._trace("crosslens-encoder")
        return Server(stock, door, address=at, limits=limits, tls=_tls(own), status=status)

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

    def _notes(self) -> tuple[str, ...]:
        left = self.mending.filling()
        return () if left is None else (str(left),)

    def _product_texts(self) -> dict[Space, ProductText]:
        """Return, per text space, what of a product its bundle reads."""
        self.encoders  # noqa: B018 - loads the bundles that the settings name
        cards = [bundle.card for bundle in self._loaded.values()]
        return {card.vector_space: partial(_product_text, card.text) for card in cards if card.text}

    def _kept(self, part: ClosableT) -> ClosableT:
        self._closing.callback(part.close)
        return part


class LoadedBundle:
    """
    A bundle whose towers are shared by all callers.

    Raises:
        BrokenBundle: on asking for a tower that the bundle does not have.
    """

    def __init__(self, bundle: OnnxBundle, settings: Settings, slots: int) -> None:
        self.card = bundle.card
        self.space = bundle.card.vector_space
        self._bundle = bundle
        self._settings = settings
        self._slots = slots
        self._batchers: list[Batcher] = []

    @cached_property
    def words(self) -> TextEncoder:
        """The text tower."""
        return BatchedText(self._text, self._batcher(self._text.run))

    @cached_property
    def pictures(self) -> PictureEncoder:
        """The picture tower."""
        return BatchedPictures(self._picture, self._batcher(self._picture.run))

    @property
    def _text(self) -> OnnxText:
        if self._bundle.text is None:
            raise BrokenBundle(f"bundle {self.card.name} has no text tower", hint=self._hint)
        return self._bundle.text

    @property
    def _picture(self) -> OnnxPictures:
        if self._bundle.picture is None:
            raise BrokenBundle(f"bundle {self.card.name} has no picture tower", hint=self._hint)
        return self._bundle.picture

    @property
    def _hint(self) -> str | None:
        crossing = self.card.reranker is not None
        return "it is a cross-encoder: name it as rank.reranker of a scene" if crossing else None

    def token_ids(self, texts: Sequence[str], *, queries: bool) -> list[Row]:
        """Cut words into token ids."""
        tower = self._text
        return tower.prepare_queries(texts) if queries else tower.prepare_items(texts)

    def text_inputs(self, texts: Sequence[str], *, queries: bool) -> dict[str, Row]:
        """Make of words what the tower takes."""
        return self._text.feeds(self.token_ids(texts, queries=queries))

    def picture_inputs(self, pictures: Sequence[bytes]) -> dict[str, Row]:
        """Make of pictures what the tower takes."""
        return self._picture.feeds(self._picture.prepare(pictures))

    def check(self) -> CheckReport:
        """
        Compare every digest and the golden vectors.

        Raises:
            BrokenBundle: a file is missing or altered, or the goldens cannot be read.
        """
        verify(self._bundle.folder)
        return self._bundle.check()

    def close(self) -> None:
        """Answer what was accepted, refuse the rest."""
        for batcher in self._batchers:
            batcher.close()

    def _batcher(self, run: Callable[[Sequence[Row]], Floats]) -> Batcher:
        settings = self._settings
        batcher = Batcher(
            run,
            slots=self._slots,
            max_waiting=settings.encode_queue,
            deadline_s=settings.encode_timeout_s,
        )
        self._batchers.append(batcher)
        return batcher


@contextmanager
def build(settings: Settings, **parts: Any) -> Iterator[App]:
    """Open an App, and close it whatever happens; `parts` swaps some, as tests do."""
    app = App(settings, **parts)
    try:
        yield app
    finally:
        app.close()


def _and(towers: Sequence[str]) -> str:
    return " and ".join(f"a {tower} tower" for tower in towers)


def _product_text(card: TextCard, product: Product) -> str:
    """Return what of a product a bundle's words are made of."""
    return card.product_text(title=product.fields.title, description=product.fields.description)


def _tls(settings: Settings) -> Tls | None:
    from crosslens.rpc.server import Tls

    certificate, key = settings.rpc_certificate, settings.rpc_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InvalidRequest("TLS needs both rpc_certificate and rpc_key")
    return Tls(certificate, key, settings.rpc_callers)


def _rpc_door(keys_path: Path, *, open_door: bool) -> Callable[[str | None, bool], None]:
    """Let in who has an API key, the same ones as over HTTP."""
    from crosslens.api.keys import KeyFile, Role

    keys = KeyFile(keys_path)

    def admit(token: str | None, admin: bool) -> None:
        if token is None and open_door and not keys.all():
            return
        key = keys.find(token or "")
        if key is None:
            message = "no API key" if token is None else "the API key is not known"
            raise Unauthenticated(message, hint="send authorization: Bearer KEY")
        needed = Role.ADMIN if admin else Role.READ
        if not key.role.permits(needed):
            raise Forbidden(f"this needs the role {needed}, the key has {key.role}")

    return admit


def _bounds(settings: Settings, *, open_door: bool) -> Bounds:
    from crosslens.api.services import Bounds

    return Bounds(
        max_body_bytes=settings.max_body_bytes,
        max_import_bytes=settings.max_import_bytes,
        max_pending_bytes=settings.max_pending_bytes,
        body_timeout_s=settings.body_timeout_s,
        patience_s=settings.request_patience_s,
        max_batch=settings.max_batch,
        max_queries=settings.max_queries,
        search_threads=settings.search_threads or max(2, os.cpu_count() or 1),
        searches=settings.searches,
        write_threads=settings.write_threads,
        writes=settings.writes,
        rate_per_s=settings.rate_per_s,
        burst=settings.rate_burst,
        cors_origins=settings.cors_origins,
        max_variant_bytes=settings.max_variant_bytes,
        open_door=open_door,
    )


def _zvec(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.zvec import ZvecStore

    return ZvecStore(settings.home / "index", spec)


def _milvus(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.milvus import Access, MilvusStore

    access = Access(
        settings.milvus_token,
        settings.milvus_ca,
        settings.milvus_timeout_s,
        settings.milvus_consistency,
    )
    prefix, graph = settings.milvus_prefix, settings.milvus_graph
    return MilvusStore(rest, spec, access=access, prefix=prefix, graph=graph)


def _named_milvus(settings: Settings, url: str, spec: IndexSpec) -> IndexStore:
    place, _, name = url.removeprefix("milvus:").rpartition("/")
    if not place or place.endswith("/") or not name:
        raise InvalidRequest(
            f"{url!r} names no collection",
            hint="for example milvus://localhost:19530/products or milvus:./products.db/products",
        )
    place = f"http:{place}" if place.startswith("//") else place
    return _milvus(settings.model_copy(update={"milvus_prefix": name}), place, spec)


def _memory(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.memory import MemoryStore

    return MemoryStore(spec)


def _dashvector(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.dashvector import DashVectorStore

    return DashVectorStore(
        rest,
        spec,
        key=settings.dashvector_key.get_secret_value(),
        training=StatisticsFile(settings.home / KEYWORDS),
        prefix=settings.dashvector_prefix,
    )


_INDEX_STORES = {"": _zvec, "milvus": _milvus, "dashvector": _dashvector, "memory": _memory}

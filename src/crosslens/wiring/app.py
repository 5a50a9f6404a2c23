"""One crosslens over one home."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from crosslens.catalog.media import MediaStore
from crosslens.catalog.store import CatalogStore
from crosslens.encode.choices import by_bundle, exchange
from crosslens.encode.encoder import Encoders
from crosslens.errors import Unavailable
from crosslens.evaluate.gatekeeping import Gatekeeper, read_gate
from crosslens.generate.means import Means, makers
from crosslens.generate.studio import Studio
from crosslens.indexing.rebuild import Progress, Rebuilt, rebuild
from crosslens.search.engine import Searcher
from crosslens.settings import Settings
from crosslens.telemetry import tracing
from crosslens.values import Space
from crosslens.vectors.index import IndexStore, VectorIndex
from crosslens.wiring.doors import bounds, rpc_door, tls
from crosslens.wiring.searching import SHIPPED_SETS, Searching

if TYPE_CHECKING:
    from fastapi import FastAPI

    from crosslens.rpc.server import Server

GATE: Final = "gate.yaml"
CLOCKS_APART_S: Final = 60.0


class App(Searching):
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
        super().__init__(settings)
        parts = {
            "catalog": catalog,
            "media": media,
            "encoders": encoders,
            "index_store": index_store,
            "chosen": chosen,
        }
        self.__dict__.update({name: part for name, part in parts.items() if part is not None})

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

    @cached_property
    def studio(self) -> Studio:
        """Draws pictures; what is named in the settings first, then the home's generators."""
        own = self.settings
        means = Means(
            named=own.generator, folders=self.generator_shelf.folders,
            threads=own.generator_threads, key=own.generator_key.get_secret_value(),
            model=own.generator_model, timeout_s=own.generator_timeout_s,
            device=own.generator_device, dtype=own.generator_dtype,
            offload=own.generator_offload, lora=own.generator_lora,
            safety=own.generator_safety, download=own.generator_download,
        )  # fmt: skip
        return Studio(makers(means), self.media, shared=bool(own.catalog_url))

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
            board=self.board,
        )
        bounded = bounds(self.settings, open_door=open_door)
        sorts = {(True, True): "", (False, True): "-api", (True, False): "-worker"}
        self._trace("crosslens" + sorts.get((working, answering), ""))
        return create_app(services, bounded, only_health=not answering)

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
        door = rpc_door(own.keys_path, open_door=open_door)
        at = f"{host}:{own.rpc_port}"
        status = None if own.rpc_status_port is None else (own.host, own.rpc_status_port)
        self._trace("crosslens-encoder")
        return Server(stock, door, address=at, limits=limits, tls=tls(own), status=status)

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

    def _look_at_the_clock(self) -> dict[str, Any]:
        ahead = self.catalog.clock_ahead_s()
        if abs(ahead) > CLOCKS_APART_S:
            side = "ahead of" if ahead > 0 else "behind"
            raise Unavailable(
                f"this machine's clock is {abs(ahead):.0f} s {side} the catalogue's server's",
                hint="set it; leases go by the server's, signed links and certificates by this one",
            )
        return {"seconds_ahead": round(ahead, 1)}

    def _trace(self, service: str) -> None:
        """Trace what this process does, if the settings say where to."""
        own = self.settings
        if own.traces_url:
            end = tracing.begin(service, url=own.traces_url, ratio=own.traces_ratio)
            self._closing.callback(end)


@contextmanager
def build(settings: Settings, **parts: Any) -> Iterator[App]:
    """Open an App, and close it whatever happens; `parts` swaps some, as tests do."""
    app = App(settings, **parts)
    try:
        yield app
    finally:
        app.close()

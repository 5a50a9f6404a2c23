"""The bundles of a shelf: loaded when first asked for, fetched and let go when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from crosslens.encode.cards import Card
from crosslens.encode.depots import Depot, pull
from crosslens.encode.manifests import check_bundle_name
from crosslens.encode.model import Model
from crosslens.encode.shelf import Shelf
from crosslens.errors import CrosslensError, InvalidRequest
from crosslens.rpc.remembered import Remembered
from crosslens.telemetry import logger


class Stock:
    """
    The `Models` of a shelf.

    Args:
        open: loads a bundle; the stock closes it.
        depot: opens where bundles are shared; the only place that one is ever fetched from.
        usual: the bundle of those who name none.
        always: bundles that are never let go.
        remembered: what was loaded by name, for the next start.
    """

    def __init__(
        self,
        shelf: Shelf,
        open: Callable[[str], Model],
        depot: Callable[[], Depot],
        *,
        usual: str,
        always: Collection[str],
        remembered: Remembered,
    ) -> None:
        self._shelf = shelf
        self._open = open
        self._depot = depot
        self._usual = usual
        self._always = frozenset({usual, *always})
        self._remembered = remembered
        self._loaded: dict[str, Model] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """
        Load what is always needed, and again what was loaded before the last stop.

        Raises:
            BrokenBundle, NotFound: a bundle that is always needed cannot be had.
        """
        for name in sorted(self._always):
            self._get(name)
        for name in self._remembered.names():
            try:
                self._get(name)
            except CrosslensError as exc:
                logger("rpc").warning("bundle not loaded again", bundle=name, error=exc.message)

    def names(self) -> list[str]:
        """List the bundles by name."""
        return self._shelf.names()

    def card(self, name: str) -> Card:
        """Read a card; raises NotFound."""
        return self._shelf.card(self._meant(name))

    def is_loaded(self, name: str) -> bool:
        """Say whether a bundle is in memory."""
        return self._meant(name) in self._loaded

    def model(self, name: str) -> Model:
        """
        Return a bundle, loaded if need be.

        Raises:
            InvalidRequest: not a name.
            NotFound: not on the shelf.
            BrokenBundle: it cannot be loaded.
        """
        return self._get(self._meant(name))

    def _get(self, name: str) -> Model:
        found = self._loaded.get(name)
        if found is not None:
            return found
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._open(name)
            return self._loaded[name]

    def load(self, name: str) -> Model:
        """
        Return a bundle that has passed its goldens, fetched from the depot if it is not here.

        It is in memory from now on, after a restart too.

        Raises:
            InvalidRequest: not a name, or bundles are shared nowhere.
            NotFound: neither on the shelf nor in the depot.
            BrokenBundle: it is altered, or its vectors are not its goldens.
        """
        meant = self._meant(name)
        if name and meant not in self.names():
            pull(self._depot(), meant, self._shelf.own / meant)
        model = self.model(name)
        model.check().require(meant)
        with self._lock:
            self._remembered.add(meant)
        return model

    def unload(self, name: str) -> None:
        """
        Let go of a bundle's memory; it stays on the shelf, and whoever asks for it loads it again.

        Raises:
            InvalidRequest: not a name, or of a bundle that the settings name.
            NotFound: not on the shelf.
        """
        meant = self._meant(name)
        if meant in self._always:
            raise InvalidRequest(
                f"bundle {meant!r} is named by the settings of this service, and stays loaded"
            )
        self._shelf.folder(meant)
        with self._lock:
            self._remembered.remove(meant)
            found = self._loaded.pop(meant, None)
        if found is not None:
            found.close()

    def close(self) -> None:
        """Let go of all bundles."""
        with self._lock:
            loaded, self._loaded = self._loaded, {}
        for model in loaded.values():
            model.close()

    def _meant(self, name: str) -> str:
        if not name:
            return self._usual
        check_bundle_name(name)  # a path would lead off the shelf
        return name

"""The bundles of a shelf, loaded when first asked for, fetched when an administrator says so."""

from __future__ import annotations

import threading
from collections.abc import Callable

from crosslens.encode.cards import Card
from crosslens.encode.depots import Depot, pull
from crosslens.encode.manifests import check_bundle_name
from crosslens.encode.model import Model
from crosslens.encode.shelf import Shelf


class Stock:
    """
    The `Models` of a shelf.

    Args:
        open: loads a bundle, once per name.
        depot: opens where bundles are shared; the only place that one is ever fetched from.
        usual: the bundle of those who name none.
    """

    def __init__(
        self, shelf: Shelf, open: Callable[[str], Model], depot: Callable[[], Depot], *, usual: str
    ) -> None:
        self._shelf = shelf
        self._open = open
        self._depot = depot
        self._usual = usual
        self._loaded: dict[str, Model] = {}
        self._lock = threading.Lock()

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
        meant = self._meant(name)
        found = self._loaded.get(meant)
        if found is not None:
            return found
        with self._lock:
            if meant not in self._loaded:
                self._loaded[meant] = self._open(meant)
            return self._loaded[meant]

    def load(self, name: str) -> Model:
        """
        Return a bundle that has passed its goldens, fetched from the depot if it is not here.

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
        return model

    def _meant(self, name: str) -> str:
        if not name:
            return self._usual
        check_bundle_name(name)  # a path would lead off the shelf
        return name

"""The shelf: where bundles lie, found by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crosslens.encode.bundles import read_card
from crosslens.encode.cards import CARD, Card
from crosslens.encode.depots import remove_folder
from crosslens.encode.manifests import check_bundle_name
from crosslens.errors import InvalidRequest, NotFound


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    Folders that hold bundles, one folder each; the first that has a name wins.

    A name with a path separator is the folder of a bundle itself.
    """

    folders: Sequence[Path]

    @property
    def own(self) -> Path:
        """The folder into which bundles are installed."""
        return self.folders[0]

    def remove(self, name: str) -> None:
        """
        Take an installed bundle off the disk.

        Raises:
            InvalidRequest: not a name, or of a bundle that was not installed here.
            NotFound: there is no such bundle.
        """
        check_bundle_name(name)
        if self.folder(name).parent != self.own:
            raise InvalidRequest(f"bundle {name!r} is built in; only installed ones are removed")
        remove_folder(self.own / name, name)

    def names(self) -> list[str]:
        """List the bundles by name."""
        found = (path.parent.name for folder in self.folders for path in folder.glob(f"*/{CARD}"))
        return sorted(set(found))

    def folder(self, name: str) -> Path:
        """
        Find a bundle's folder.

        Raises:
            NotFound: no bundle of that name; the message lists those there are.
        """
        if "/" in name or "\\" in name:
            places = [Path(name).expanduser()]
        else:
            places = [folder / name for folder in self.folders]
        for place in places:
            if (place / CARD).is_file():
                return place
        known = ", ".join(self.names()) or "none"
        raise NotFound(f"there is no bundle {name!r}; there are: {known}")

    def card(self, name: str) -> Card:
        """Read a bundle's card; raises NotFound or BrokenBundle."""
        return read_card(self.folder(name))

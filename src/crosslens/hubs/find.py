"""A name → a model folder: on this disk, downloaded before, or downloaded now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from crosslens.errors import InvalidRequest
from crosslens.hubs.fetch import Progress, fetch, fetched_before
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.listing import Hub, list_files
from crosslens.hubs.loading import convert_pickles, pickled_places


@dataclass(frozen=True, slots=True)
class Search:
    """
    Where models are looked for.

    Attributes:
        downloads: the folder of what is downloaded.
        revision: branch, tag or commit; empty: the main branch.
        endpoint: another address of the hub; empty: its own.
        offline: use only what is on this disk.
        pickled: take tensors out of pickled weights where there are no safe ones.
    """

    downloads: Path
    hub: Hub = Hub.HUGGINGFACE
    revision: str = ""
    endpoint: str = ""
    offline: bool = False
    pickled: bool = False

    def place(self, name: str) -> Path:
        """Return the folder of a model's download."""
        revision = self.revision.replace("/", "--") or "main"
        return self.downloads / self.hub / name.replace("/", "--") / revision


def find_model(
    client: httpx.Client,
    name: str,
    search: Search,
    *,
    progress: Progress = lambda done, total: None,
) -> ModelFolder:
    """
    Find a model: a folder if there is one of this path, else a name at the hub.

    Raises:
        InvalidRequest: a path that is no folder, a name that is none, pickled weights.
        NotFound: neither the disk nor the hub has it.
        Unavailable, BrokenBundle, StorageFull: as `fetch`.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return ModelFolder(path)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise InvalidRequest(
            f"{name!r} is no folder; allowed are the path of a folder, and OWNER/NAME at a hub"
        )
    if search.offline:
        return fetched_before(search.place(name))
    listing = list_files(
        client,
        search.hub,
        name,
        revision=search.revision,
        endpoint=search.endpoint,
        pickled=search.pickled,
    )
    return fetch(client, listing, search.place(name), progress=progress)


@contextmanager
def safe(folder: ModelFolder, *, pickled: bool) -> Iterator[ModelFolder]:
    """Yield the folder, or while the context lasts a copy of it with safe weights."""
    if not pickled or not pickled_places(folder):
        yield folder
        return
    with TemporaryDirectory() as scratch:
        yield convert_pickles(folder, Path(scratch) / "model")

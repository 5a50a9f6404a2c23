"""
Depots: where bundles lie for others, in a folder or a bucket.

In a bucket a file lies under its SHA-256 and the manifest, written last, says which files a bundle
is. So a bundle is replaced in one step: who reads meanwhile has the old one whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from crosslens.encode.arrivals import Arrival
from crosslens.encode.cards import CARD, Card
from crosslens.encode.manifests import (
    MAX_MANIFEST_BYTES,
    Manifest,
    check_bundle_name,
    manifest_of,
    parse_manifest,
)
from crosslens.encode.tables import Digest
from crosslens.errors import NotFound, Unavailable
from crosslens.objects import Bucket

_MANIFEST = "manifest.json"
_PIECE = 1 << 20
_ABANDONED_AFTER_S = 86_400.0  # a push that takes longer than a day has died


class Depot(Protocol):
    """Bundles by name, each whole or not there."""

    def names(self) -> list[str]:
        """List the bundles by name."""
        ...

    def manifest(self, name: str) -> Manifest:
        """
        Say which files a bundle has.

        Raises:
            NotFound: there is no such bundle.
            BrokenBundle: what is there is none.
        """
        ...

    def read(self, name: str, file: str, digest: Digest) -> Iterator[bytes]:
        """Yield the bytes of a file, piece by piece; the caller compares them with the digest."""
        ...

    def publish(self, name: str, folder: Path, manifest: Manifest) -> None:
        """
        Put a bundle there in one step, replacing one of that name.

        Raises:
            StorageFull, Unavailable: it is not there; what stood there still is.
        """
        ...

    def remove(self, name: str) -> None:
        """
        Take a bundle away.

        Raises:
            NotFound: there is no such bundle.
        """
        ...


def push(depot: Depot, folder: Path, name: str) -> Manifest:
    """
    Check a bundle and put it into a depot.

    Raises:
        InvalidRequest: not a name.
        NotFound, BrokenBundle: there is no bundle in the folder, or it is altered.
        StorageFull, Unavailable: it is not there; what stood there still is.
    """
    check_bundle_name(name)
    manifest = manifest_of(folder)
    depot.publish(name, folder, manifest)
    return manifest


def pull(depot: Depot, name: str, folder: Path) -> Card:
    """
    Fetch a bundle into a folder, checked byte by byte.

    Raises:
        NotFound: the depot has no such bundle.
        BrokenBundle: a file is not what its digest says; nothing is installed.
        StorageFull, Unavailable: it cannot be had; nothing is installed.
    """
    check_bundle_name(name)
    manifest = depot.manifest(name)
    with Arrival(folder, expected=manifest.bytes) as arrival:
        for file, digest in manifest.files.items():
            arrival.take_exactly(file, depot.read(name, file, digest), digest)
        return arrival.finish()


class FolderDepot:
    """A depot in a folder, which may be a shelf of another machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __repr__(self) -> str:
        return f"FolderDepot({str(self._root)!r})"

    def names(self) -> list[str]:
        """List the bundles by name."""
        return sorted(path.parent.name for path in self._root.glob(f"*/{CARD}"))

    def manifest(self, name: str) -> Manifest:
        """Hash what is there."""
        return manifest_of(self._folder(name))

    def read(self, name: str, file: str, digest: Digest) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        try:
            with (self._folder(name) / file).open("rb") as opened:
                while piece := opened.read(_PIECE):
                    yield piece
        except OSError as exc:
            raise Unavailable(f"bundle {name} cannot be read ({exc})", hint="try again") from exc

    def publish(self, name: str, folder: Path, manifest: Manifest) -> None:
        """Copy beside the place, then rename."""
        with Arrival(self._folder(name), expected=manifest.bytes) as arrival:
            for file, digest in manifest.files.items():
                own = FolderDepot(folder.parent)
                arrival.take_exactly(file, own.read(folder.name, file, digest), digest)
            arrival.finish()

    def remove(self, name: str) -> None:
        """Take a bundle away: out of sight first, then off the disk."""
        remove_folder(self._folder(name), name)

    def _folder(self, name: str) -> Path:
        check_bundle_name(name)
        return self._root / name


class BucketDepot:
    """A depot in a bucket: <name>/manifest.json and <name>/files/<sha256>."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def __repr__(self) -> str:
        return f"BucketDepot({str(self._bucket.place)!r})"

    def names(self) -> list[str]:
        """List the bundles by name."""
        keys = (stored.key.split("/") for stored in self._bucket.list())
        return sorted(parts[0] for parts in keys if len(parts) == 2 and parts[1] == _MANIFEST)

    def manifest(self, name: str) -> Manifest:
        """Read what was written last."""
        check_bundle_name(name)
        key = f"{name}/{_MANIFEST}"
        try:
            return parse_manifest(self._bucket.get(key, at_most=MAX_MANIFEST_BYTES))
        except NotFound as exc:
            known = ", ".join(self.names()) or "none"
            raise NotFound(
                f"there is no bundle {name!r} in {self._bucket.place}; there are: {known}"
            ) from exc

    def read(self, name: str, file: str, digest: Digest) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        return self._bucket.pieces(_key(name, digest))

    def publish(self, name: str, folder: Path, manifest: Manifest) -> None:
        """Send the files that are not there yet, then the manifest, then drop what is left over."""
        check_bundle_name(name)
        for file, digest in manifest.files.items():
            known = self._bucket.stored(_key(name, digest))
            if known is None or known.size != digest.bytes:
                self._bucket.upload(_key(name, digest), folder / file)
        kind = "application/json"
        self._bucket.put(f"{name}/{_MANIFEST}", manifest.dumps().encode(), kind=kind)
        self._drop_files(name, {_key(name, digest) for digest in manifest.files.values()})

    def remove(self, name: str) -> None:
        """Take the manifest away first, so that nobody finds a part."""
        self.manifest(name)
        self._bucket.delete(f"{name}/{_MANIFEST}")
        for stored in list(self._bucket.list(f"{name}/files/")):
            self._bucket.delete(stored.key)

    def _drop_files(self, name: str, kept: set[str]) -> None:
        """Drop files of former bundles, but none that a push or a pull under way may need."""
        for stored in list(self._bucket.list(f"{name}/files/")):
            if stored.key not in kept and stored.age_s > _ABANDONED_AFTER_S:
                self._bucket.delete(stored.key)


def remove_folder(folder: Path, name: str) -> None:
    """
    Take a bundle off a disk: its card first, so that nobody takes the rest for one.

    Raises:
        NotFound: there is no bundle.
        Unavailable: it cannot be removed.
    """
    try:
        (folder / CARD).unlink()
        shutil.rmtree(folder)
    except FileNotFoundError as exc:
        raise NotFound(f"there is no bundle {name!r} in {folder.parent}") from exc
    except OSError as exc:
        raise Unavailable(f"bundle {name} cannot be removed ({exc})") from exc


def _key(name: str, digest: Digest) -> str:
    return f"{name}/files/{digest.sha256}"

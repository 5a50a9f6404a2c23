"""Download a model: resumed where it stopped, every file compared with the hub's digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import httpx

from crosslens.disk import is_full
from crosslens.errors import BrokenBundle, NotFound, StorageFull, Unavailable
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.listing import Hub, Listing, RemoteFile, require_found, unreachable

TRIES = 5
_CHUNK = 1 << 20
_LISTING = ".listing.json"

Progress = Callable[[int, int], None]


def open_client() -> httpx.Client:
    """Open a client as a hub wants it: redirects followed, patience bounded."""
    return httpx.Client(follow_redirects=True, timeout=httpx.Timeout(30, connect=15))


def fetch(
    client: httpx.Client,
    listing: Listing,
    folder: Path,
    *,
    progress: Progress = lambda done, total: None,
) -> ModelFolder:
    """
    Bring a model's files into a folder; what is there already is not fetched again.

    Args:
        progress: told how many bytes of how many are there.

    Raises:
        Unavailable: the connection broke more often than is tolerated; the next call goes on.
        BrokenBundle: a file has another digest than the hub says.
        StorageFull: no room; what has been fetched stays, and the next call goes on.
    """
    total = sum(file.bytes for file in listing.files)
    done = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in listing.files:
            start = done
            _bring(client, listing, file, folder, lambda n, at=start: progress(at + n, total))  # type: ignore[misc]
            done += file.bytes
            progress(done, total)
        (folder / _LISTING).write_text(json.dumps(asdict(listing)), "utf-8")
    except OSError as exc:
        if is_full(exc):
            raise StorageFull(
                f"no room for {listing.name}: it needs {total:,} bytes in {folder}",
                hint="make room and give the same command again; it goes on where it stopped",
            ) from exc
        raise
    return ModelFolder(folder, listing.name, listing.source)


def fetched_before(folder: Path) -> ModelFolder:
    """
    Find a model that was fetched completely, without any connection.

    Raises:
        NotFound: it was not, or not all of it is there.
    """
    try:
        found = json.loads((folder / _LISTING).read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise NotFound(
            f"{folder} holds no complete download", hint="leave --offline out once"
        ) from exc
    files = tuple(RemoteFile(**file) for file in found.pop("files"))
    listing = Listing(**{**found, "hub": Hub(found["hub"]), "files": files})
    for file in files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise NotFound(f"{path} is missing or cut off", hint="leave --offline out once")
    return ModelFolder(folder, listing.name, listing.source)


def _bring(
    client: httpx.Client,
    listing: Listing,
    file: RemoteFile,
    folder: Path,
    report: Callable[[int], None],
) -> None:
    path = folder / file.path
    if path.is_file() and path.stat().st_size == file.bytes and _good(path, file):
        return
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    _download(client, listing, file, part, report)
    if not _good(part, file):
        part.unlink()
        raise BrokenBundle(
            f"{file.path} of {listing.name} arrived with another digest than {listing.hub} says",
            hint="give the same command again; if it stays so, the hub or a mirror is wrong",
        )
    part.replace(path)


def _download(
    client: httpx.Client,
    listing: Listing,
    file: RemoteFile,
    part: Path,
    report: Callable[[int], None],
) -> None:
    for attempt in range(TRIES):
        have = part.stat().st_size if part.is_file() else 0
        if have == file.bytes and part.is_file():
            return
        if have > file.bytes:
            part.unlink()
            have = 0
        try:
            _stream(client, listing.name, file, part, have, report)
        except httpx.HTTPError as exc:
            if attempt == TRIES - 1:
                raise _interrupted(file, part, exc) from exc
    have = part.stat().st_size if part.is_file() else 0
    if have != file.bytes:
        raise _interrupted(file, part, None)


def _interrupted(file: RemoteFile, part: Path, exc: Exception | None) -> Unavailable:
    have = part.stat().st_size if part.is_file() else 0
    if not have and exc is not None:
        return unreachable(file.url, exc)
    return Unavailable(
        f"the download of {file.path} broke off at {have:,} of {file.bytes:,} bytes",
        hint="give the same command again; it goes on where it stopped",
    )


def _stream(
    client: httpx.Client,
    name: str,
    file: RemoteFile,
    part: Path,
    have: int,
    report: Callable[[int], None],
) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", file.url, headers=headers) as answer:
        require_found(answer, name)
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as out:
            for chunk in answer.iter_bytes():
                out.write(chunk)
                report(out.tell())


def _good(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.bytes:
        return False
    if file.sha256:
        return _hash(path, hashlib.sha256()) == file.sha256
    if file.sha1:
        header = f"blob {file.bytes}\0".encode()
        return _hash(path, hashlib.sha1(header, usedforsecurity=False)) == file.sha1
    return True


def _hash(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

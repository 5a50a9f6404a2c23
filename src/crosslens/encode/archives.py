"""
A bundle as one file, to be carried: a plain tar whose first member is the manifest.

Nothing is unpacked by the archive's own words. Each header is read by itself and must be of a file
that the manifest names; what follows goes where the bundle goes, as far as the manifest promises.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from crosslens.encode.arrivals import Arrival
from crosslens.encode.cards import Card
from crosslens.encode.manifests import (
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    Manifest,
    manifest_of,
    parse_manifest,
)
from crosslens.errors import BrokenBundle

_FIRST = "manifest.json"
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20


def pack(folder: Path, out: BinaryIO) -> Manifest:
    """
    Check a bundle and write it as an archive.

    Raises:
        NotFound, BrokenBundle: there is no bundle in the folder, or it is altered.
    """
    manifest = manifest_of(folder)
    told = manifest.dumps().encode()
    _write(out, _FIRST, len(told), [told])
    for name, digest in manifest.files.items():
        with (folder / name).open("rb") as file:
            _write(out, name, digest.bytes, _read(file))
    out.write(bytes(2 * _BLOCK))
    return manifest


def unpack(source: BinaryIO, folder: Path) -> Card:
    """
    Read an archive, from a stream that may be hostile, into the place of a bundle.

    Raises:
        BrokenBundle: not an archive of ours; nothing is installed.
        StorageFull, Unavailable: no room, or the folder cannot be written; nothing is installed.
    """
    manifest = _manifest(source)
    waiting = dict(manifest.files)
    with Arrival(folder, expected=manifest.bytes) as arrival:
        for _ in range(MAX_FILES + 1):
            member = _next(source)
            if member is None:
                break
            promised = waiting.pop(member.name, None)
            if promised is None:
                raise BrokenBundle(f"the archive holds {member.name!r}, which is not promised")
            arrival.take_exactly(member.name, _content(source, member), promised)
        if waiting:
            raise BrokenBundle(f"the archive ends before {', '.join(sorted(waiting))}")
        return arrival.finish()


def _manifest(source: BinaryIO) -> Manifest:
    first = _next(source)
    if first is None or first.name != _FIRST or first.size > MAX_MANIFEST_BYTES:
        raise BrokenBundle(
            f"this is not the archive of a bundle: it does not begin with {_FIRST}",
            hint="make one with `crosslens model push NAME --to FILE.tar`",
        )
    return parse_manifest(b"".join(_content(source, first)))


def _next(source: BinaryIO) -> tarfile.TarInfo | None:
    header = source.read(_BLOCK)
    if not header.strip(b"\0"):  # a block of zeros ends an archive
        return None
    try:
        member = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
    except tarfile.HeaderError as exc:
        raise BrokenBundle(f"this is not the archive of a bundle ({exc})") from exc
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise BrokenBundle(
            f"the archive holds {member.name!r}, which is not a plain file",
            hint="links, folders and devices have no place in a bundle",
        )
    return member


def _content(source: BinaryIO, member: tarfile.TarInfo) -> Iterator[bytes]:
    left = member.size
    while left > 0:
        piece = source.read(min(left, _PIECE))
        if not piece:
            raise BrokenBundle(f"the archive ends within {member.name!r}")
        left -= len(piece)
        yield piece
    source.read(-member.size % _BLOCK)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _write(out: BinaryIO, name: str, size: int, pieces: Iterator[bytes] | list[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    out.write(member.tobuf(tarfile.GNU_FORMAT))
    for piece in pieces:
        out.write(piece)
    out.write(bytes(-size % _BLOCK))

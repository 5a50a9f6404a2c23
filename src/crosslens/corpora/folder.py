"""A folder of pictures: one product per picture, its path the key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crosslens.corpora.captions import Captions
from crosslens.corpora.mapping import NO_MAPPING, ColumnMapping
from crosslens.corpora.records import BadRecord, Entry, Record, Row, Where
from crosslens.corpora.rows import readable, to_record

SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".jp2"),
    }
)
MAGIC = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"),
    *(b"\0\0\0\x0cjP  ",),
)


def folder_entries(
    root: Path, captions: Captions | None = None, mapping: ColumnMapping = NO_MAPPING
) -> Iterator[Entry]:
    """
    Read every picture below a folder, in the order of its path.

    A picture is a file with a picture's extension, or one whose first bytes are a picture's under
    another extension. Hidden files and folders are left out. The key is the path relative to
    `root` with "/", so equal names in two folders stay apart. Links to folders inside `root` are
    not followed, those that lead outside are followed once.
    """
    captions = captions or Captions()
    yield from captions.bad
    for found in _walk(root, root, set()):
        if isinstance(found, BadRecord):
            yield found
        else:
            yield _entry(root, found, captions, mapping)
    yield from captions.unanswered()


def has_pictures(root: Path) -> bool:
    """Say whether a folder holds a picture (or something unreadable), without reading further."""
    return next(_walk(root, root, set()), None) is not None


def count_pictures(root: Path) -> int:
    """Count what `folder_entries` will yield for the folder itself."""
    return sum(1 for _ in _walk(root, root, set()))


def looks_like_picture(path: Path) -> bool:
    """Say whether the first bytes are those of a picture."""
    with path.open("rb") as file:
        head = file.read(16)
    return (
        head.startswith(MAGIC)
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head.startswith(b"BM") and head[6:10] == b"\0\0\0\0")
    )


def _entry(root: Path, path: Path, captions: Captions, mapping: ColumnMapping) -> Entry:
    key = path.relative_to(root).as_posix()
    where = Where(path)
    if any("\udc80" <= character <= "\udcff" for character in key):
        return BadRecord(where, "the file name is not UTF-8")
    row = captions.of(key)
    if row is None:
        title = readable(path.stem) or path.name
        return Record(where=where, key=key, title=title, pictures=(path,))
    columns = {field: name for field, name in mapping.columns.items() if field != "image"}
    values = {**row.values, "image": path.name}  # so that a caption may be missing
    entry = to_record(Row(row.where, values), replace(mapping, columns=columns))
    if isinstance(entry, BadRecord):
        return replace(entry, key=key)
    return replace(entry, key=key, pictures=(path,))


def _walk(root: Path, folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path | BadRecord]:
    try:
        status = folder.stat()
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as exc:
        yield BadRecord(Where(folder), f"the folder cannot be read: {exc.strerror}")
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if path.is_dir():
            if not (entry.is_symlink() and path.resolve().is_relative_to(root.resolve())):
                yield from _walk(root, path, seen)
        else:
            yield from _candidate(path)


def _candidate(path: Path) -> Iterator[Path | BadRecord]:
    named_so = path.suffix.lower() in SUFFIXES
    try:
        if named_so and not path.exists():
            yield BadRecord(Where(path), "the link leads nowhere")
        elif path.is_file() and (named_so or looks_like_picture(path)):
            yield path
    except OSError as exc:
        yield BadRecord(Where(path), f"the file cannot be read: {exc.strerror}")

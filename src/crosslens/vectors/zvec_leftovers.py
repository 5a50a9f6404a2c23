"""
What a process that was killed while it built graphs leaves in a collection of Zvec.

The engine builds beside what is in use and names the result in its manifest; what it does not
name, it never looks at again. Segments are folders with a number, their files are called after
the numbers of blocks. Layout of Zvec 0.8: where the manifest says anything else, all is left alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from crosslens.telemetry import logger

Message: TypeAlias = Mapping[int, list[int | bytes]]

# Numbers of fields in the manifest, which is a message of Protocol Buffers.
_SEGMENTS, _WRITING = 4, 5
_ID = 1
_BLOCKS, _KIND = 2, 2
_GRAPHS: Final = {3: "index", 4: "qindex"}
_GRAPH: Final = re.compile(r"\.(?P<sort>q?index)\.(?P<id>\d+)\.proxima$")
_UNFINISHED: Final = "*.tmp"

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def remove(collection: Path) -> None:
    """Remove what `leftovers` finds in a collection that is open here and not written yet."""
    for path in leftovers(collection):
        logger("index").info("removed what a killed process left", path=str(path))
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def leftovers(collection: Path) -> list[Path]:
    """List segments that were never finished, and segments and graphs that nothing names."""
    unfinished = [path for path in collection.glob(_UNFINISHED) if path.is_dir()]
    return unfinished + _unnamed(collection)


def _unnamed(collection: Path) -> list[Path]:
    manifests = list(collection.glob("manifest.*"))
    if len(manifests) != 1:
        return []
    try:
        named, writing = _named(manifests[0].read_bytes())
    except (ValueError, LookupError, TypeError):
        return []
    held = {int(path.name): path for path in collection.iterdir() if path.name.isdecimal()}
    if not named.keys() | {writing} <= held.keys():
        return []
    graphs = {id: _graphs(held[id]) for id in named}
    if any(named[id] - graphs[id].keys() for id in named):
        return []
    unnamed = [path for id, path in held.items() if id not in named and id != writing]
    for id, files in graphs.items():
        unnamed += [path for graph, path in files.items() if graph not in named[id]]
    return unnamed


def _graphs(segment: Path) -> dict[tuple[str, int], Path]:
    found = {path: _GRAPH.search(path.name) for path in segment.iterdir()}
    return {(match["sort"], int(match["id"])): path for path, match in found.items() if match}


def _named(manifest: bytes) -> tuple[dict[int, set[tuple[str, int]]], int]:
    """Return the graphs of each finished segment, and the segment that is being written."""
    whole = _message(manifest)
    named = {}
    for segment in map(_inner, whole.get(_SEGMENTS, ())):
        blocks = map(_inner, segment.get(_BLOCKS, ()))
        kinds = [(_number(block, _KIND), _number(block, _ID)) for block in blocks]
        named[_number(segment, _ID)] = {(_GRAPHS[k], id) for k, id in kinds if k in _GRAPHS}
    return named, _number(_inner(whole[_WRITING][0]), _ID)


def _number(message: Message, field: int) -> int:
    value = message.get(field, [0])[-1]  # what is 0 is not written
    if isinstance(value, bytes):
        raise TypeError("bytes where a number belongs")
    return value


def _inner(value: int | bytes) -> Message:
    if isinstance(value, int):
        raise TypeError("a number where a message belongs")
    return _message(value)


def _message(content: bytes) -> Message:
    fields: dict[int, list[int | bytes]] = {}
    for field, value in _fields(content):
        fields.setdefault(field, []).append(value)
    return fields


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            number, at = _varint(content, at)
            yield field, number
            continue
        if wire == _BYTES:
            length, at = _varint(content, at)
        else:
            length = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}[wire]
        if at + length > len(content):
            raise ValueError("cut short")
        yield field, content[at : at + length]
        at += length


def _varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at

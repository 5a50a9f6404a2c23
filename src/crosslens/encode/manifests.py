"""What travels when a bundle does: every file with its digest, nothing else, within bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crosslens.encode.bundles import verify
from crosslens.encode.cards import CARD
from crosslens.encode.folders import digest_of
from crosslens.encode.tables import Digest
from crosslens.errors import BrokenBundle, InvalidRequest

MAX_FILES = 64
MAX_BYTES = 64 * 2**30
MAX_MANIFEST_BYTES = 100_000
MAX_CARD_BYTES = 1_000_000

_FORMAT = 1
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    The files of a bundle, its card among them.

    Raises:
        BrokenBundle: a name that is more than a name, too many files or bytes, or no card.
    """

    files: Mapping[str, Digest]

    def __post_init__(self) -> None:
        if len(self.files) > MAX_FILES:
            raise BrokenBundle(
                f"a bundle of {len(self.files)} files, at most {MAX_FILES} are taken"
            )
        for name in self.files:
            check_file_name(name)
        if CARD not in self.files:
            raise BrokenBundle(f"a bundle without {CARD}")
        if self.files[CARD].bytes > MAX_CARD_BYTES or self.bytes > MAX_BYTES:
            raise BrokenBundle(f"a bundle of {self.bytes:,} bytes, at most {MAX_BYTES:,} are taken")

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(digest.bytes for digest in self.files.values())

    def dumps(self) -> str:
        """Write it as JSON."""
        files = {name: [d.sha256, d.bytes] for name, d in sorted(self.files.items())}
        return json.dumps({"format": _FORMAT, "files": files}, indent=1)


def parse_manifest(text: bytes) -> Manifest:
    """
    Read the JSON of a manifest.

    Raises:
        BrokenBundle: it is not one, or names what must not travel.
    """
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT:
            raise BrokenBundle(f"a manifest of format {told['format']!r}, this version reads 1")
        return Manifest({name: Digest(*entry) for name, entry in told["files"].items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise BrokenBundle(f"the manifest of a bundle cannot be read: {exc}") from exc


def manifest_of(folder: Path) -> Manifest:
    """
    Check a bundle on disk and say what of it travels: its card, what the card lists, its notes.

    Raises:
        NotFound: there is no bundle.
        BrokenBundle: it is incomplete or altered, or holds what is no plain file.
    """
    verify(folder)
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    for path in paths:
        if path.is_symlink() or not path.is_file():
            raise BrokenBundle(f"{path} is not a plain file", hint="a bundle holds nothing else")
    return Manifest({path.name: digest_of(path) for path in paths})


def check_file_name(name: object) -> None:
    """
    Refuse what could lead out of a folder, or hides in it.

    Raises:
        BrokenBundle: more than a plain name.
    """
    if not isinstance(name, str) or not _PLAIN.match(name):
        raise BrokenBundle(
            f"a bundle with a file {str(name)[:100]!r}",
            hint="allowed are plain names of A-Z, a-z, 0-9, dot, dash, underscore; no folders",
        )


def check_bundle_name(name: str) -> None:
    """
    Refuse a name that is no folder's of its own.

    Raises:
        InvalidRequest: more than a plain name.
    """
    if not _PLAIN.match(name):
        raise InvalidRequest(
            f"bundle name is {name[:100]!r}",
            hint="allowed are up to 100 of A-Z, a-z, 0-9, dot, dash, underscore",
        )

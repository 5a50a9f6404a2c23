"""A bundle on disk: a folder that is an encoder, complete and unaltered or not accepted."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from crosslens.encode.cards import Card, Digest, format_card, parse_card
from crosslens.encode.goldens import Goldens, dump_goldens, load_goldens
from crosslens.errors import BrokenBundle, NotFound, StorageFull

CARD, GOLDENS = "card.toml", "goldens.npz"
HASHED_ON_LOAD = 64 * 2**20

_NOTES = (".md", ".txt")
_FETCH_AGAIN = "fetch or export the bundle again"


def read_card(folder: Path) -> Card:
    """
    Read the card of a bundle.

    Raises:
        NotFound: there is no bundle.
        BrokenBundle: the card cannot be read; the message names the key.
    """
    try:
        return parse_card((folder / CARD).read_text("utf-8"))
    except FileNotFoundError as exc:
        raise NotFound(
            f"{folder} is not a bundle: it has no {CARD}",
            hint="name a folder that `crosslens model export` or `crosslens train` wrote",
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise BrokenBundle(f"{folder / CARD} cannot be read: {exc}") from exc


def read_goldens(folder: Path) -> Goldens:
    """
    Read the goldens of a bundle.

    Raises:
        BrokenBundle: there are none, or they cannot be read.
    """
    try:
        return load_goldens((folder / GOLDENS).read_bytes())
    except OSError as exc:
        raise BrokenBundle(f"{folder / GOLDENS} cannot be read: {exc}", hint=_FETCH_AGAIN) from exc


def verify(folder: Path, *, largest: int | None = None) -> Card:
    """
    Check that a bundle is complete and unaltered, and return its card.

    Args:
        largest: hash only files up to so many bytes; of larger ones only the size is compared.

    Raises:
        NotFound: there is no bundle.
        BrokenBundle: a file is missing, altered or not listed; the message names it.
    """
    card = read_card(folder)
    for name in (*card.files, GOLDENS):
        if name not in card.digests:
            raise BrokenBundle(f"{folder}: {CARD} has no digest of {name}", hint=_FETCH_AGAIN)
    for name, digest in card.digests.items():
        _verify_file(folder / name, digest, largest)
    _refuse_unlisted(folder, card)
    return card


def _verify_file(path: Path, digest: Digest, largest: int | None) -> None:
    if not path.is_file():
        raise BrokenBundle(f"{path} is missing", hint=_FETCH_AGAIN)
    size = path.stat().st_size
    if size != digest.bytes:
        raise BrokenBundle(
            f"{path} has {size:,} bytes, its card says {digest.bytes:,}", hint=_FETCH_AGAIN
        )
    if (largest is None or size <= largest) and digest_of(path) != digest:
        raise BrokenBundle(f"{path} was altered: its SHA-256 is not the card's", hint=_FETCH_AGAIN)


def _refuse_unlisted(folder: Path, card: Card) -> None:
    for path in folder.iterdir():
        known = path.name in card.digests or path.name in (CARD, "LICENSE")
        if not known and path.suffix not in _NOTES and not path.name.startswith("."):
            raise BrokenBundle(
                f"{path} does not belong to the bundle: its card does not list it",
                hint="remove it; a bundle holds no pickles and no unlisted weights",
            )


def digest_of(path: Path) -> Digest:
    """Hash a file, in pieces."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Digest(sha256, path.stat().st_size)


def write_bundle(
    folder: Path, card: Card, *, files: Mapping[str, bytes | Path], goldens: Goldens
) -> Card:
    """
    Write a bundle: beside its place first, then renamed, so that nobody sees a part of it.

    A bundle that stood there before is replaced.

    Args:
        files: content or path per file name; every file that the card names.

    Returns:
        The card as it was written, digests included.

    Raises:
        BrokenBundle: a file that the card names is not given, or the folder cannot be written.
        StorageFull: no room; nothing is left behind.
    """
    missing = [name for name in card.files if name not in files]
    if missing:
        raise BrokenBundle(f"bundle {card.name}: the card names {missing[0]}, which is not given")
    with drafted(folder, f"bundle {card.name}") as draft:
        digests = fill(draft, {**files, GOLDENS: dump_goldens(goldens)})
        written = replace(card, digests=digests)
        (draft / CARD).write_text(format_card(written), "utf-8")
        verify(draft)
    return written


@contextlib.contextmanager
def drafted(folder: Path, what: str) -> Iterator[Path]:
    """
    Lend a folder beside a place; it gets that place at the end, or nothing of it stays.

    Args:
        what: is written, for messages.

    Raises:
        BrokenBundle: the folder cannot be written.
        StorageFull: no room.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp keeps others out
        put_in_place(draft, folder)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no room for {what} in {folder.parent}") from exc
        raise BrokenBundle(f"{what} cannot be written to {folder}: {exc}") from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def fill(draft: Path, files: Mapping[str, bytes | Path]) -> dict[str, Digest]:
    """Write files, each from its content or a path; return their digests."""
    for name, content in files.items():
        if isinstance(content, Path):
            shutil.copyfile(content, draft / name)
        else:
            (draft / name).write_bytes(content)
    return {name: digest_of(draft / name) for name in files}


def put_in_place(draft: Path, folder: Path) -> None:
    """Give a finished draft its name, in one step; what stood there before is gone afterwards."""
    if not folder.exists():
        draft.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent)) / "old"
    folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)

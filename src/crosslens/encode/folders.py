"""Models on disk, of any kind: a folder with a card, complete and unaltered or not accepted."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from crosslens.disk import is_full
from crosslens.encode.tables import Digest, check_file
from crosslens.errors import BrokenBundle, NotFound, StorageFull

GOLDENS = "goldens.npz"
Arrays = np.lib.npyio.NpzFile

_NOTES = (".md", ".txt")
_Golden = TypeVar("_Golden")


class AnyCard(Protocol):
    """What a folder says of itself; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that it needs, without the card and the goldens."""
        ...

    @property
    def digests(self) -> Mapping[str, Digest]:
        """Of every file but the card."""
        ...


CardT = TypeVar("CardT", bound=AnyCard)


@dataclass(frozen=True, slots=True)
class Kind(Generic[CardT]):
    """
    A kind of model, as it lies on disk.

    Attributes:
        noun: what one is called.
        card: name of the card.
        parse, format: text of the card → card, and back.
        made_by: the command that writes one.
    """

    noun: str
    card: str
    parse: Callable[[str], CardT]
    format: Callable[[CardT], str]
    made_by: str

    @property
    def again(self) -> str:
        """What helps where a folder is not what it should be."""
        return f"fetch or export the {self.noun} again"

    def read(self, folder: Path) -> CardT:
        """
        Read the card of a folder.

        Raises:
            NotFound: there is none.
            BrokenBundle: it cannot be read; the message names the key.
        """
        try:
            return self.parse((folder / self.card).read_text("utf-8"))
        except FileNotFoundError as exc:
            raise NotFound(
                f"{folder} is not a {self.noun}: it has no {self.card}",
                hint=f"name a folder that {self.made_by} wrote",
            ) from exc
        except (OSError, UnicodeDecodeError) as exc:
            raise BrokenBundle(f"{folder / self.card} cannot be read: {exc}") from exc

    def verify(self, folder: Path, *, largest: int | None = None) -> CardT:
        """
        Check that a folder is complete and unaltered, and return its card.

        Args:
            largest: hash only files up to so many bytes; of larger ones only the size is compared.

        Raises:
            NotFound: there is none.
            BrokenBundle: a file is missing, altered or not listed; the message names it.
        """
        card = self.read(folder)
        for name in (*card.files, GOLDENS):
            if name not in card.digests:
                what = f"{folder}: {self.card} has no digest of {name}"
                raise BrokenBundle(what, hint=self.again)
        for name, digest in card.digests.items():
            check_file("digests", name)
            self._verify_file(folder / name, digest, largest)
        self._refuse_unlisted(folder, card)
        return card

    def _verify_file(self, path: Path, digest: Digest, largest: int | None) -> None:
        if not path.is_file():
            raise BrokenBundle(f"{path} is missing", hint=self.again)
        size = path.stat().st_size
        if size != digest.bytes:
            raise BrokenBundle(
                f"{path} was altered: it has {size:,} bytes, its card says {digest.bytes:,}",
                hint=self.again,
            )
        if (largest is None or size <= largest) and digest_of(path) != digest:
            raise BrokenBundle(
                f"{path} was altered: its SHA-256 is not the card's", hint=self.again
            )

    def _refuse_unlisted(self, folder: Path, card: CardT) -> None:
        for path in folder.iterdir():
            known = path.name in card.digests or path.name in (self.card, "LICENSE")
            if not known and path.suffix not in _NOTES and not path.name.startswith("."):
                raise BrokenBundle(
                    f"{path} does not belong to the {self.noun}: its card does not list it",
                    hint=f"remove it; a {self.noun} holds no pickles and no unlisted weights",
                )

    def goldens(self, folder: Path, make: Callable[[Arrays], _Golden]) -> _Golden:
        """
        Read the goldens of a folder.

        Raises:
            BrokenBundle: there are none, or they cannot be read.
        """
        path = folder / GOLDENS
        try:
            return unpacked(path.read_bytes(), make)
        except OSError as exc:
            raise BrokenBundle(f"{path} cannot be read: {exc}", hint=self.again) from exc
        except BrokenBundle as exc:
            raise BrokenBundle(f"{folder}: {exc.message}", hint=self.again) from exc

    def write(self, folder: Path, card: CardT, files: Mapping[str, bytes | Path]) -> CardT:
        """
        Write a folder: beside its place first, then renamed, so that nobody sees a part of it.

        What stood there before is replaced.

        Args:
            files: content or path per file name; every file that the card names, and the goldens.

        Returns:
            The card as it was written, digests included.

        Raises:
            BrokenBundle: a file that the card names is not given, or the folder cannot be written.
            StorageFull: no room; nothing is left behind.
        """
        what = f"{self.noun} {folder.name}"
        missing = [name for name in (*card.files, GOLDENS) if name not in files]
        if missing:
            raise BrokenBundle(f"{what}: the card names {missing[0]}, which is not given")
        with _drafted(folder, what) as draft:
            written = replace(card, digests=_filled(draft, files))
            (draft / self.card).write_text(self.format(written), "utf-8")
            self.verify(draft)
        return written


def unpacked(content: bytes, make: Callable[[Arrays], _Golden]) -> _Golden:
    """
    Read the arrays of a `goldens.npz`; nothing is unpickled.

    Raises:
        BrokenBundle: not such a file, or `make` lacks something.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return make(arrays)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as exc:
        raise BrokenBundle(f"{GOLDENS} cannot be read: {exc}") from exc


def packed(**arrays: Any) -> bytes:
    """Write the arrays of a `goldens.npz`: plain ones, nothing pickled."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def require_close(what: str, difference: float, tolerance: float) -> None:
    """
    Stop at a model that is not what its exporter measured; NaN is not close.

    Raises:
        BrokenBundle: the largest difference from its goldens is more than they allow.
    """
    if not difference <= tolerance:
        raise BrokenBundle(
            f"{what} does not pass its goldens: max difference {difference:.2g}, allowed is "
            f"{tolerance:.2g}",
            hint="fetch or export it again",
        )


def digest_of(path: Path) -> Digest:
    """Hash a file, in pieces."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Digest(sha256, path.stat().st_size)


@contextlib.contextmanager
def _drafted(folder: Path, what: str) -> Iterator[Path]:
    """Lend a folder beside a place; it gets that place at the end, or nothing of it stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp keeps others out
        put_in_place(draft, folder)
    except OSError as exc:
        if is_full(exc):
            raise StorageFull(f"no room for {what} in {folder.parent}") from exc
        raise BrokenBundle(f"{what} cannot be written to {folder}: {exc}") from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _filled(draft: Path, files: Mapping[str, bytes | Path]) -> dict[str, Digest]:
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

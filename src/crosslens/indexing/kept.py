"""Encoded vectors kept on disk, so that what was encoded once is not encoded again."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from crosslens.telemetry import logger
from crosslens.values import Modality, Space
from crosslens.vectors.index import IndexSpec

Half: TypeAlias = NDArray[np.float16]
Known: TypeAlias = Mapping[bytes, Half]
"""Vectors of a product in one column, by the digest of what was encoded."""
_T = TypeVar("_T")

DIGEST: Final = 16  # bytes
REST_S: Final = 60.0  # after a failure
_CODE: Final = 1  # raised when words or pictures are read another way: what is kept is void then
_AT_ONCE: Final = 500  # products in one statement
_PAGE: Final = 16_384  # bytes: a vector takes about one thousand
_LOG_PAGES: Final = 1_000  # until what is in the log is moved to its place


def digest_of(text: str) -> bytes:
    """Return what a text is known by."""
    content = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


class KeptVectors:
    """
    Vectors by column, product and digest of what was encoded, at 16-bit precision.

    One row per product and column, replaced when the product changes: never larger than the
    catalogue. It only saves work: what fails here is logged, and encoded again.

    Args:
        folder: holds a file per column, which is a collection's space; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._columns: dict[Path, _Column] = {}
        self._lock = threading.Lock()

    def of(self, modality: Modality, space: Space, product_ids: Sequence[int]) -> dict[int, Known]:
        """Return what is known of products; those of which nothing is are left out."""
        return self._column(self._file(modality, space)).read(product_ids)

    def keep(
        self, modality: Modality, space: Space, rows: Mapping[int, Sequence[tuple[bytes, Half]]]
    ) -> None:
        """Keep digest and vector of all that products have in a column, in place of before."""
        self._column(self._file(modality, space)).write(rows)

    def forget(self, product_ids: Sequence[int]) -> None:
        """Drop products from every column."""
        for file in self._files():
            self._column(file).delete(product_ids)

    def only(self, spec: IndexSpec) -> None:
        """Drop the columns that an index of this spec does not have."""
        columns = [(Modality.TEXT, space) for space in spec.text]
        columns += [(Modality.PICTURE, space) for space in spec.picture]
        self._drop(self._files() - {self._file(*column) for column in columns})

    def clear(self) -> None:
        """Drop everything."""
        self._drop(self._files())

    def close(self) -> None:
        """Release the files."""
        with self._lock:
            for column in self._columns.values():
                column.close()
            self._columns.clear()

    def _drop(self, files: set[Path]) -> None:
        with self._lock:
            for file in files:
                self._columns.pop(file, _Column(file)).remove()

    def _files(self) -> set[Path]:
        return set(self._folder.glob("*.db"))

    def _file(self, modality: Modality, space: Space) -> Path:
        name = f"{_CODE} {space.name} {space.dim}".encode()
        return self._folder / f"{modality}-{hashlib.blake2b(name, digest_size=8).hexdigest()}.db"

    def _column(self, file: Path) -> _Column:
        with self._lock:
            return self._columns.setdefault(file, _Column(file))


class _Column:
    """One file; a failure lets it rest for a while, and a damaged file is begun anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._rests_until = 0.0

    def read(self, product_ids: Sequence[int]) -> dict[int, Known]:
        def found(connection: sqlite3.Connection) -> dict[int, Known]:
            return {
                product_id: _unpacked(digests, vectors)
                for statement, part in _selections(product_ids)
                for product_id, digests, vectors in connection.execute(statement, part)
            }

        return self._tried(found, {}) if product_ids else {}

    def write(self, rows: Mapping[int, Sequence[tuple[bytes, Half]]]) -> None:
        def written(connection: sqlite3.Connection) -> None:
            packed = [(product_id, *_packed(row)) for product_id, row in rows.items()]
            with connection:
                connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", packed)

        if rows:
            self._tried(written, None)

    def delete(self, product_ids: Sequence[int]) -> None:
        def deleted(connection: sqlite3.Connection) -> None:
            gone = [(product_id,) for product_id in product_ids]
            with connection:
                connection.executemany("DELETE FROM kept WHERE product_id = ?", gone)

        if product_ids:
            self._tried(deleted, None)

    def remove(self) -> None:
        """Remove the file and what SQLite keeps beside it."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(f"{self._file.name}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _tried(self, action: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        try:
            with self._lock:
                if monotonic() < self._rests_until:
                    return otherwise
                if self._connection is None:
                    self._connection = _connected(self._file)
                return action(self._connection)
        except (sqlite3.Error, OSError, ValueError) as exc:
            self._fail(exc)
            return otherwise

    def _fail(self, exc: Exception) -> None:
        self._rests_until = monotonic() + REST_S
        logger("kept vectors").warning("not used for a while", error=str(exc))
        if type(exc) in (sqlite3.DatabaseError, ValueError):  # damaged, not busy or full
            self.remove()


def _connected(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, check_same_thread=False)  # a lock keeps threads apart
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS kept (product_id INTEGER PRIMARY KEY, "
            "digests BLOB NOT NULL, vectors BLOB NOT NULL)"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def _selections(product_ids: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    for at in range(0, len(product_ids), _AT_ONCE):
        part = product_ids[at : at + _AT_ONCE]
        slots = ", ".join("?" * len(part))
        yield f"SELECT * FROM kept WHERE product_id IN ({slots})", part  # noqa: S608


def _packed(row: Sequence[tuple[bytes, Half]]) -> tuple[bytes, bytes]:
    vectors = [vector for _, vector in row]
    return b"".join(digest for digest, _ in row), np.array(vectors, dtype=np.float16).tobytes()


def _unpacked(digests: bytes, vectors: bytes) -> Known:
    rows = np.frombuffer(vectors, np.float16).reshape(len(digests) // DIGEST, -1)
    lengths = np.linalg.norm(rows.astype(np.float32), axis=1)
    if not np.all(np.abs(lengths - 1.0) < 1e-2):  # also false for NaN
        raise ValueError("kept vectors are not of length 1")
    return {digests[n * DIGEST : (n + 1) * DIGEST]: row for n, row in enumerate(rows)}

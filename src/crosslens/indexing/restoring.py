"""Bring an exported catalogue back as it was: same ids, same keys, retired products included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crosslens.catalog.editing import Outcome, Result
from crosslens.catalog.media import digest
from crosslens.catalog.product import Picture, Product, ProductFields
from crosslens.catalog.races import until_won
from crosslens.catalog.store import CatalogStore, Transaction
from crosslens.corpora.exports import ExportedRecord, exported_entries, is_export, read_cover
from crosslens.corpora.records import BadRecord, Record, Where
from crosslens.errors import Conflict, CrosslensError, InvalidRequest
from crosslens.indexing.importing import BATCH, Importer
from crosslens.pictures import inspect


def whole_export(path: Path, catalog: CatalogStore) -> Iterable[ExportedRecord] | None:
    """
    Return everything of an export where it can come back as it was, else None.

    So it can into a catalogue that never held a product, and into one that holds what an
    interrupted import of the same export left.

    Raises:
        InvalidRequest: the export is damaged; also while reading on.
    """
    if not is_export(path) or not _fits(catalog, list(islice(_unharmed(path), BATCH))):
        return None
    return _unharmed(path)


def _unharmed(folder: Path) -> Iterator[ExportedRecord]:
    for entry in exported_entries(folder, read_cover(folder)):
        if isinstance(entry, BadRecord):
            raise _damaged(entry.where, entry.reason)
        yield entry


def _fits(catalog: CatalogStore, first: Sequence[ExportedRecord]) -> bool:
    summary = catalog.summary()
    ever = summary.products + summary.retired
    known = catalog.read([record.id for record in first])
    expected = min(ever, len(first))
    return len(known) == expected and all(
        _is_as_exported(known[record.id], record) for record in first if record.id in known
    )


@dataclass(frozen=True, slots=True)
class Restorer(Importer):
    """An importer of `whole_export`, which keeps ids by storing products in their order."""

    def _outcomes(self, records: Sequence[Record]) -> list[Outcome]:
        """
        Store a batch.

        Raises:
            InvalidRequest: the export is damaged; what came before it is stored.
            Conflict: the catalogue holds other products; nothing of the batch is stored.
        """
        exported = [record for record in records if isinstance(record, ExportedRecord)]
        shown = list(self.pool.map(self._kept, exported))

        def write() -> list[Outcome]:
            with self.editor.store.transaction() as writes:
                known = writes.read([record.id for record in exported])
                return [
                    _restored(writes, record, pictures, known)
                    for record, pictures in zip(exported, shown, strict=True)
                ]

        return until_won(write)

    def _kept(self, record: ExportedRecord) -> tuple[Picture, ...]:
        """Check and keep a product's pictures."""
        pairs = zip(record.pictures, record.digests, strict=True)
        return tuple(self._picture(record, path, sha256) for path, sha256 in pairs)

    def _picture(self, record: ExportedRecord, path: Path, sha256: str) -> Picture:
        try:
            content = path.read_bytes()
            facts = inspect(content, self.editor.limits)
        except OSError as exc:
            raise _damaged(record.where, f"{path} cannot be read: {exc.strerror}") from exc
        except CrosslensError as exc:
            raise _damaged(record.where, f"{path}: {exc.message}") from exc
        if digest(content) != sha256:
            raise _damaged(record.where, f"{path} is not the picture that it is named after")
        self.editor.media.put(content)
        return Picture(sha256, facts.width, facts.height, facts.format, facts.size)


def _restored(
    writes: Transaction,
    record: ExportedRecord,
    pictures: tuple[Picture, ...],
    known: dict[int, Product],
) -> Outcome:
    if (there := known.get(record.id)) is not None:
        if not _is_as_exported(there, record):
            raise Conflict(
                f"{record.where}: product {record.id} of this catalogue is another one",
                hint="import into a home of its own: crosslens --home DIR import …",
            )
        return Outcome(record.key, Result.UNCHANGED, there)
    product = writes.insert(_fields(record), pictures)
    if product.id != record.id:
        raise Conflict(
            f"{record.where}: product {record.id} would get the id {product.id}",
            hint="nobody else may add products while an export is brought back",
        )
    if record.retired:
        product = writes.retire(product.id)
    return Outcome(record.key, Result.ADDED, product)


def _fields(record: ExportedRecord) -> ProductFields:
    try:
        return ProductFields(record.title, record.description, record.attributes, record.source_key)
    except InvalidRequest as exc:
        raise _damaged(record.where, exc.message) from exc


def _is_as_exported(product: Product, record: ExportedRecord) -> bool:
    fields = product.fields
    shown = () if product.retired else tuple(picture.sha256 for picture in product.pictures)
    return (
        fields.source_key == record.source_key
        and fields.title == record.title
        and fields.description == record.description
        and dict(fields.attributes) == dict(record.attributes)
        and (product.retired, shown) == (record.retired, record.digests)
    )


def _damaged(where: Where, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"{where}: the export is damaged: {reason}",
        hint="what stands before this line is imported; mend the export and repeat the command",
    )

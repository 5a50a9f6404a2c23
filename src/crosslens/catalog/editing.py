"""What users do to the catalogue: add, edit, remove, import, sweep. Checks first, then stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack

from crosslens.catalog.media import MediaStore, digest
from crosslens.catalog.product import (
    MAX_PICTURES,
    MAX_SOURCE_KEY,
    Picture,
    Product,
    ProductFields,
    check_text,
    checked_attributes,
)
from crosslens.catalog.races import until_won
from crosslens.catalog.receipts import Receipting
from crosslens.catalog.store import CatalogStore, Transaction
from crosslens.errors import Conflict, InvalidRequest, NotFound, UnreadablePicture
from crosslens.pictures import DEFAULT, Limits, inspect
from crosslens.telemetry import tracing

WrittenT = TypeVar("WrittenT", "Product", "list[Outcome]")


class Edits(TypedDict, total=False):
    """
    What to change of a product; what is left out stays.

    `attributes` replaces them all; `merge_attributes` sets some, where None deletes one.
    """

    title: str
    description: str
    attributes: Mapping[str, Any]
    merge_attributes: Mapping[str, Any]
    pictures: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class MissingPicture:
    """A picture that could not be read where it was promised, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One product to import, not yet checked; `key` is its source key."""

    key: str
    title: str
    description: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    pictures: Sequence[bytes | MissingPicture] = ()


class Result(StrEnum):
    """What became of an entry."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"  # a later entry of the batch has the same key
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry, with the product or the reason why there is none."""

    key: str
    result: Result
    product: Product | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Valid:
    key: str
    fields: ProductFields
    pictures: tuple[Picture, ...]


_Upload: TypeAlias = tuple[Picture, bytes]


@dataclass(frozen=True, slots=True)
class Editor:
    """
    The use cases of writing. Picture bytes go to the media store before any row names them, so a
    failure leaves at most bytes that `sweep` finds.
    """

    store: CatalogStore
    media: MediaStore
    limits: Limits = DEFAULT

    def add(
        self,
        fields: ProductFields,
        pictures: Sequence[bytes] = (),
        *,
        receipt: Receipting | None = None,
    ) -> Product:
        """
        Store a new product.

        Args:
            receipt: what to keep with it, so that its repetition can be told from a new one.

        Raises:
            UnreadablePicture: one of the pictures; nothing is stored.
            Conflict: the source key, or the key of the receipt, is taken.
            StorageFull: no room; no row is written.
        """
        shown = self._keep(self._inspected(pictures))

        def write(writes: Transaction) -> Product:
            product = writes.insert(fields, shown)
            if receipt is not None:
                writes.keep(receipt(product))
            return product

        return self._written(write)

    def edit(
        self, product_id: int, *, revision: int | None = None, **edits: Unpack[Edits]
    ) -> Product:
        """
        Change what is named and leave the rest; an edit that changes nothing writes nothing.

        Args:
            revision: the revision that the caller saw; another one is a conflict.

        Raises:
            InvalidRequest: a field is not valid, or is none that can be edited.
            UnreadablePicture: one of the pictures; nothing is stored.
            NotFound: no such product, or it is retired.
            Conflict: `revision` is given and is not the current one.
        """
        _check_names(edits)
        _edited(_live(self.store, product_id).fields, edits)
        shown = self._keep(self._inspected(edits["pictures"])) if "pictures" in edits else None

        def write(writes: Transaction) -> Product:
            current = _live(writes, product_id)
            fields = _edited(current.fields, edits)
            pictures = current.pictures if shown is None else shown
            if revision in (None, current.revision) and _is_same(current, fields, pictures):
                return current
            return writes.update(product_id, fields, pictures, revision=revision)

        return self._written(write)

    def remove(self, product_id: int, *, revision: int | None = None) -> Product:
        """
        Retire a product; `sweep` later deletes pictures that no other product uses.

        Raises:
            NotFound: no such product, or it is retired already.
            Conflict: `revision` is given and is not the current one.
        """
        return self._written(lambda writes: writes.retire(product_id, revision=revision))

    def restore(self, product_id: int) -> Product:
        """
        Bring a removed product back as it was; one that is there is returned as it is.

        Raises:
            NotFound: there never was such a product.
            Conflict: one of its pictures has been swept away meanwhile.
        """

        def write(writes: Transaction) -> Product:
            product = writes.read([product_id]).get(product_id)
            if product is None:
                raise NotFound(f"there never was a product {product_id}")
            if not product.retired:
                return product
            self._require_pictures(product)
            return writes.update(product_id, product.fields, product.pictures)

        return self._written(write)

    def put_many(self, entries: Sequence[Entry]) -> list[Outcome]:
        """
        Import a batch in one transaction: one outcome per entry, in order.

        A known key changes its product, also a retired one, which comes back; an equal entry
        writes no row. Of entries with the same key the last valid one counts. An entry with an
        unreadable picture fails as a whole, so that no product silently lacks one; a bad entry
        never spoils the others.

        Raises:
            StorageFull: no room; no row is written.
        """
        checked = self._checked(entries)
        last = {valid.key: valid for valid in checked if isinstance(valid, _Valid)}

        def write(writes: Transaction) -> list[Outcome]:
            known = writes.by_source_keys(list(last))
            return [_outcome(writes, entry, last, known) for entry in checked]

        return self._written(write)

    def _written(self, action: Callable[[Transaction], WrittenT]) -> WrittenT:
        """Do an action in a transaction, again if the database undid it in favour of another."""

        def attempt() -> WrittenT:
            with self.store.transaction() as writes:
                return action(writes)

        with tracing.span("catalog.write"):
            written = until_won(attempt)
            if tracing.is_on():
                tracing.touched(_touched(written))
            return written

    def _require_pictures(self, product: Product) -> None:
        for picture in product.pictures:
            try:
                self.media.put(self.media.get(picture.sha256))  # young again: no sweep takes it
            except NotFound as exc:
                raise Conflict(
                    f"product {product.id} cannot come back: its pictures have been deleted",
                    hint="add it again",
                ) from exc

    def _checked(self, entries: Sequence[Entry]) -> list[_Valid | Outcome]:
        """Check each entry and keep its pictures; those that its product has are not decoded."""
        fields = [_fields(entry) for entry in entries]
        keys = [valid.source_key for valid in fields if isinstance(valid, ProductFields)]
        known = self.store.by_source_keys([key for key in keys if key is not None])
        return [
            self._valid(entry, told, known) if isinstance(told, ProductFields) else told
            for entry, told in zip(entries, fields, strict=True)
        ]

    def _valid(
        self, entry: Entry, fields: ProductFields, known: Mapping[str, Product]
    ) -> _Valid | Outcome:
        shown = known[entry.key].pictures if entry.key in known else ()
        try:
            return _Valid(entry.key, fields, self._keep(self._inspected(entry.pictures, shown)))
        except UnreadablePicture as exc:
            return _failed(entry, exc)

    def _inspected(
        self, contents: Sequence[bytes | MissingPicture], known: Sequence[Picture] = ()
    ) -> list[_Upload]:
        if len(contents) > MAX_PICTURES:
            raise UnreadablePicture(
                f"a product has at most {MAX_PICTURES} pictures, these are {len(contents):,}"
            )
        seen = {picture.sha256: picture for picture in known}
        uploads = []
        for number, content in enumerate(contents, 1):
            try:
                uploads.append(self._upload(content, seen))
            except UnreadablePicture as exc:
                message = f"picture {number} of {len(contents)}: {exc.message}"
                raise UnreadablePicture(message, hint=exc.hint) from exc
        return uploads

    def _upload(self, content: Any, seen: Mapping[str, Picture]) -> _Upload:
        if isinstance(content, MissingPicture):
            raise UnreadablePicture(f"{content.name}: {content.reason}")
        if isinstance(content, bytes) and (known := seen.get(digest(content))):
            return known, content
        facts = inspect(content, self.limits)
        picture = Picture(digest(content), facts.width, facts.height, facts.format, facts.size)
        return picture, content

    def _keep(self, uploads: Sequence[_Upload]) -> tuple[Picture, ...]:
        for _, content in uploads:
            self.media.put(content)  # also what is known: a stat, and a lost file comes back
        return tuple(picture for picture, _ in uploads)


def sweep(store: CatalogStore, media: MediaStore, *, older_than_s: float = 3_600.0) -> int:
    """
    Delete pictures that no live product uses; return how many.

    Args:
        older_than_s: younger ones may belong to a write that is still under way.
    """
    unused = set(media.digests(older_than_s=older_than_s))
    unused.difference_update(store.pictures_in_use())  # read second, so that new uses count
    for sha256 in unused:
        media.delete(sha256, older_than_s=older_than_s)
    return len(unused)


def _touched(written: Product | list[Outcome]) -> dict[int, int]:
    """Return product → revision of what was written."""
    outcomes = written if isinstance(written, list) else []
    products = [written] if isinstance(written, Product) else [one.product for one in outcomes]
    return {product.id: product.revision for product in products if product is not None}


def _live(reader: CatalogStore | Transaction, product_id: int) -> Product:
    product = reader.read([product_id]).get(product_id)
    if product is None or product.retired:
        raise NotFound(f"there is no product {product_id}")
    return product


def _edited(fields: ProductFields, edits: Edits) -> ProductFields:
    attributes = edits.get("attributes", fields.attributes)
    if "merge_attributes" in edits:
        attributes = checked_attributes(attributes) | _mapping(edits["merge_attributes"])
    return ProductFields(
        edits.get("title", fields.title),
        edits.get("description", fields.description),
        attributes,
        fields.source_key,
    )


def _mapping(attributes: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(attributes, Mapping):
        raise InvalidRequest(f"merge_attributes must be an object, not {type(attributes).__name__}")
    return dict(attributes)


def _check_names(edits: Edits) -> None:
    if unknown := set(edits) - Edits.__optional_keys__:
        raise InvalidRequest(
            f"{', '.join(sorted(unknown))} cannot be edited; "
            f"what can be is {', '.join(sorted(Edits.__optional_keys__))}"
        )


def _fields(entry: Entry) -> ProductFields | Outcome:
    try:
        check_text("key", entry.key, 1, MAX_SOURCE_KEY)
        return ProductFields(entry.title, entry.description, entry.attributes, entry.key)
    except InvalidRequest as exc:
        return _failed(entry, exc)


def _failed(entry: Entry, exc: InvalidRequest) -> Outcome:
    return Outcome(str(entry.key), Result.FAILED, reason=exc.message)


def _outcome(
    writes: Transaction,
    entry: _Valid | Outcome,
    last: Mapping[str, _Valid],
    known: Mapping[str, Product],
) -> Outcome:
    if isinstance(entry, Outcome):
        return entry
    if last[entry.key] is not entry:
        reason = "a later entry of the batch has the same key"
        return Outcome(entry.key, Result.REPLACED, reason=reason)
    product = known.get(entry.key)
    if product is None:
        added = writes.insert(entry.fields, entry.pictures)
        return Outcome(entry.key, Result.ADDED, added)
    if not product.retired and _is_same(product, entry.fields, entry.pictures):
        return Outcome(entry.key, Result.UNCHANGED, product)
    changed = writes.update(product.id, entry.fields, entry.pictures)
    return Outcome(entry.key, Result.CHANGED, changed)


def _is_same(product: Product, fields: ProductFields, pictures: Sequence[Picture]) -> bool:
    """Compare exactly: to Python 1.0 and True are equal, to a filter they are not."""
    return (product.fields, product.pictures) == (fields, tuple(pictures)) and all(
        type(value) is type(fields.attributes[name])
        for name, value in product.fields.attributes.items()
    )

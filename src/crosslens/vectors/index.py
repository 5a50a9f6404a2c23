"""The vector index: nearest neighbours and keyword search, derived from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from crosslens.errors import UnusableVector, WrongSpace
from crosslens.values import Attributes, AttributeType, Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors.filters import Filter

RowKey: TypeAlias = tuple[int, int]
"""A row of a collection: product id, and position of the picture (0 in the text collection)."""


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """
    What an index holds: one column per space and collection, one per filterable attribute.

    Attributes:
        text: spaces of the text collection, a row per product; the keyword field is always there.
        picture: spaces of the picture collection, a row per picture.
        attributes: filterable attributes, copied to both collections.
    """

    text: tuple[Space, ...]
    picture: tuple[Space, ...]
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)

    def column(self, modality: Modality, space: Space) -> int:
        """
        Return the position of a space among the columns of a collection.

        Raises:
            WrongSpace: the collection has no column of that space.
        """
        columns = self.text if modality is Modality.TEXT else self.picture
        if space not in columns:
            known = ", ".join(map(str, columns)) or "none"
            raise WrongSpace(
                f"the {modality} collection has no vectors of space {space}; it has {known}",
                hint="run `crosslens index rebuild` after changing a bundle",
            )
        return columns.index(space)

    def require(self, rows: ProductRows) -> None:
        """
        Check that a product brings one text vector per text space and as many pictures per space.

        Raises:
            WrongSpace: the vectors are not of the spec's spaces, in its order.
            UnusableVector: the numbers of rows disagree.
        """
        for name, wanted, given in (
            ("text", self.text, rows.text),
            ("picture", self.picture, rows.pictures),
        ):
            spaces = tuple(vectors.space for vectors in given)
            if spaces != wanted:
                raise WrongSpace(
                    f"product {rows.product_id} brings {name} vectors of "
                    f"{', '.join(map(str, spaces)) or 'no space'}; the index keeps "
                    f"{', '.join(map(str, wanted)) or 'none'}",
                    hint="run `crosslens index rebuild` after changing a bundle",
                )
        if {len(vectors) for vectors in rows.text} - {1}:
            raise UnusableVector(f"product {rows.product_id} needs one text vector per space")
        if len({len(vectors) for vectors in rows.pictures}) > 1:
            raise UnusableVector(
                f"product {rows.product_id} has other numbers of pictures in other spaces"
            )


@dataclass(frozen=True, slots=True, eq=False)
class ProductRows:
    """
    Everything the index keeps of one product at one revision.

    Attributes:
        text: one vector of shape [1, dim] per text space, in the order of the spec.
        pictures: one Vectors of shape [P, dim] per picture space, in the order of the spec; P may
            be 0. Row p is the product's picture at position p.
        tokens: the keyword field, already cut and folded; may be empty.
    """

    product_id: int
    revision: int
    text: tuple[Vectors, ...]
    pictures: tuple[Vectors, ...]
    tokens: Sequence[str]
    attributes: Attributes

    @property
    def picture_count(self) -> int:
        """How many pictures the product has."""
        return len(self.pictures[0]) if self.pictures else 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per collection."""

    products: int
    pictures: int


class VectorIndex(Protocol):
    """
    Find products near a vector or by keywords.

    Written rows are found at once. All methods may be called from many threads; reads never wait
    for `optimize`. Every search orders by falling score, ties by rising product id, and returns
    each product at most once, with its best row. Where equals are cut off by `limit`, which of them
    stay is the engine's choice.
    """

    @property
    def spec(self) -> IndexSpec:
        """What this index was built to hold."""
        ...

    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """
        Write products, replacing every earlier row of theirs, surplus pictures included.

        Raises:
            WrongSpace: the vectors are not of the spec's spaces.
            StorageFull, Unavailable: nothing is acknowledged; the caller tries again.
        """
        ...

    def delete(self, product_ids: Sequence[int]) -> None:
        """Forget products; unknown ids are no error."""
        ...

    def nearest(
        self, query: Vectors, modality: Modality, *, limit: int, where: Filter | None = None
    ) -> list[list[Candidate]]:
        """
        Find the products nearest to each query vector: one list per row of `query`.

        Scores are cosines in [-1, 1].

        Raises:
            WrongSpace: the collection has no column of the query's space.
            InvalidFilter: the filter names an attribute that the spec does not declare.
        """
        ...

    def matching(
        self, tokens: Sequence[str], *, limit: int, where: Filter | None = None
    ) -> list[Candidate]:
        """
        Find products that hold any of the tokens, best BM25 score (> 0) first.

        Raises:
            InvalidFilter: the filter names an attribute that the spec does not declare.
        """
        ...

    def vectors(
        self, keys: Sequence[RowKey], modality: Modality, space: Space
    ) -> dict[RowKey, Floats]:
        """
        Return the stored vectors of rows, of length 1; rows that are not held are left out.

        Raises:
            WrongSpace: the collection has no column of that space.
        """
        ...

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """
        Yield (product id, revision, pictures) of everything held, for `audit`.

        The revision is -1 where the rows of a product disagree with each other, as after a crash
        between the two collections.
        """
        ...

    def counts(self) -> Counts:
        """Count rows."""
        ...

    def needs_optimize(self) -> bool:
        """Say whether enough was written since the last `optimize` to be worth another; cheap."""
        ...

    def optimize(self) -> None:
        """Build what makes searching fast; searching and writing go on meanwhile."""
        ...

    def close(self) -> None:
        """Release files and connections; using the index afterwards is an error."""
        ...


@dataclass(frozen=True, slots=True)
class Damage:
    """
    An index that could not be read, and was exchanged for an empty one that is being filled.

    Attributes:
        reason: what was wrong with it.
        since: when that was found, in seconds since 1970.
        kept: where its files are until the new one holds everything; empty: nowhere.
    """

    reason: str
    since: float
    kept: str


class Draft(Protocol):
    """A new index beside the live one."""

    @property
    def index(self) -> VectorIndex:
        """The index to fill."""
        ...

    def take_over(self) -> None:
        """Become the live index in one step; the old one is dropped once its readers are done."""
        ...

    def discard(self) -> None:
        """Drop the draft; the live index is untouched."""
        ...


class IndexStore(Protocol):
    """Where indexes live: one is live, others may be drafts."""

    def live(self) -> VectorIndex:
        """
        Return the live index, creating an empty one of the wanted spec if there is none.

        One that cannot be read is set aside, and an empty one begun in its place: the catalogue
        has everything it needs. The object may be called during and after a switch: it forwards
        to whatever is live.

        Raises:
            Unavailable: another process holds the index.
            IndexBroken: it cannot be read, and is not ours to set aside.
        """
        ...

    @property
    def doubtful(self) -> bool:
        """
        Say whether the live index may lack what was written to it, so that an audit is due.

        So it is after a process was killed, after a failure of the engine, and where the index is
        new.
        """
        ...

    @property
    def damage(self) -> Damage | None:
        """Say what the live index stands in for until it holds everything again."""
        ...

    def begin_anew(self, reason: str) -> None:
        """Set the live index aside and go on with an empty one of the wanted spec."""
        ...

    def trust(self) -> None:
        """Say that the live index holds what the catalogue holds; what was set aside is removed."""
        ...

    def draft(self) -> Draft:
        """Create an empty index of the wanted spec beside the live one; leftovers are removed."""
        ...

    def wanted(self) -> IndexSpec:
        """Return the spec that the settings ask for; differs from live().spec until a rebuild."""
        ...

    def want(self, spec: IndexSpec) -> None:
        """Ask for another spec from the next draft on, as a change of settings does."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...

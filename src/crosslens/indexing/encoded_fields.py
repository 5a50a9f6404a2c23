"""Which field of an entry is encoded by what, and into which field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from crosslens.corpora.picture_values import PictureValues
from crosslens.corpora.records import Row
from crosslens.corpora.shards import SUFFIX, Column
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.errors import InvalidRequest
from crosslens.values import Floats, Modality

Inputs: TypeAlias = str | list[bytes]
"""What of one entry is encoded: words, or pictures."""


class EncodedField(Protocol):
    """A field that is made of another one."""

    @property
    def column(self) -> Column:
        """What the sheet says of it."""
        ...

    def inputs(self, row: Row) -> Inputs:
        """
        Return what of an entry is to be encoded.

        Raises:
            ValueError, OSError: there is nothing, or it cannot be read.
        """
        ...

    def encode(self, inputs: Sequence[Any]) -> list[Floats]:
        """
        Encode entries: float32 [dim] each of words, [P, dim] of pictures.

        Raises:
            UnreadablePicture: one of the pictures.
        """
        ...

    def told(self, row: Row, vectors: Floats) -> Floats | None:
        """Return what is written of an entry: one vector, several, or None for an empty list."""
        ...


@dataclass(frozen=True, slots=True)
class WordField:
    """Words of the field `source` → a vector in the field `name`."""

    source: str
    name: str
    encoder: TextEncoder

    @property
    def column(self) -> Column:
        """What the sheet says of it."""
        space = self.encoder.space
        return Column(self.name, self.source, Modality.TEXT, space.name, space.dim)

    def inputs(self, row: Row) -> str:
        """Return the words; see EncodedField."""
        value = row.values.get(self.source)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{self.source} holds no words")
        return value

    def encode(self, inputs: Sequence[str]) -> list[Floats]:
        """Encode words as the catalogue's are; see EncodedField."""
        return list(self.encoder.encode_items(inputs).array)

    def told(self, row: Row, vectors: Floats) -> Floats | None:
        """Return the vector."""
        return vectors


@dataclass(frozen=True, slots=True)
class PictureField:
    """Pictures that the field `source` names, one or a list → as many vectors in `name`."""

    source: str
    name: str
    encoder: PictureEncoder

    @property
    def column(self) -> Column:
        """What the sheet says of it."""
        space = self.encoder.space
        return Column(self.name, self.source, Modality.PICTURE, space.name, space.dim)

    def inputs(self, row: Row) -> list[bytes]:
        """Read the pictures; see EncodedField."""
        value = row.values.get(self.source)
        if value is None:
            raise ValueError(f"{self.source} holds no picture")
        values = PictureValues()
        if value != []:
            values.add(self.source, value)
        if values.urls:
            raise ValueError(f"{self.source} is a URL; download it first")
        return [_content(path) for path in values.resolved(row.where.file.parent)] + values.contents

    def encode(self, inputs: Sequence[list[bytes]]) -> list[Floats]:
        """Encode pictures; see EncodedField."""
        vectors = self.encoder.encode_pictures([part for shown in inputs for part in shown]).array
        parts, start = [], 0
        for shown in inputs:
            parts.append(vectors[start : start + len(shown)])
            start += len(shown)
        return parts

    def told(self, row: Row, vectors: Floats) -> Floats | None:
        """Return one vector for one picture, a list for a list."""
        if isinstance(row.values.get(self.source), list | tuple):
            return vectors if len(vectors) else None
        only: Floats = vectors[0]
        return only


def parsed(option: str, usual: str) -> tuple[str, str, str]:
    """
    Read an option of the form `field`, `field:name_emb`, `field@bundle` or `field:name_emb@bundle`.

    Args:
        usual: the bundle where none is named.

    Returns:
        Field, name of the field of vectors, bundle.

    Raises:
        InvalidRequest: there is no field, or the name does not end in `_emb`.
    """
    names, _, bundle = option.partition("@")
    source, _, name = names.partition(":")
    name = name or f"{source}{SUFFIX}"
    if not source or not name.endswith(SUFFIX):
        raise InvalidRequest(
            f"{option!r} is not field, field:name_emb or field:name_emb@bundle",
            hint="for example --text title --pictures image:image_emb@crosslens-mini",
        )
    return source, name, bundle or usual


def fields(
    texts: Sequence[str],
    pictures: Sequence[str],
    usual: str,
    words: Callable[[str], TextEncoder],
    looks: Callable[[str], PictureEncoder],
) -> list[EncodedField]:
    """
    Read the options of `crosslens build`.

    Args:
        words, looks: the towers of a bundle, by its name.

    Raises:
        InvalidRequest: nothing is to be encoded, or a field of vectors is named twice.
    """
    made: list[EncodedField] = []
    for source, name, bundle in (parsed(option, usual) for option in texts):
        made.append(WordField(source, name, words(bundle)))
    for source, name, bundle in (parsed(option, usual) for option in pictures):
        made.append(PictureField(source, name, looks(bundle)))
    names = [field.column.field for field in made]
    if not made or len(set(names)) < len(names):
        raise InvalidRequest(
            "name at least one field to encode, and each field of vectors once",
            hint="for example --text title --pictures image",
        )
    return made


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ValueError(f"{path} cannot be read: {exc.strerror}") from exc

"""What a Milvus can do: versions differ in more than speed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from crosslens.errors import Unavailable

OLDEST: Final = (2, 3, 2)  # the first with lists, upserts and cosines
_MANY_VECTORS: Final = (2, 4, 0)
_NULLS_AND_BM25: Final = (2, 5, 0)


@dataclass(frozen=True, slots=True)
class Abilities:
    """
    What a server has; what it lacks, other columns and this process stand in for.

    Attributes:
        lite: it is Milvus Lite, which searches row by row in one process.
        many_vectors: a collection may have several columns of vectors.
        nulls: a column may be without a value.
        bm25: a function scores keywords.
    """

    lite: bool = False
    many_vectors: bool = True
    nulls: bool = True
    bm25: bool = True


def abilities_of(version: str, *, lite: bool = False) -> Abilities:
    """
    Return what a server of a version can do; one that tells no number is taken for new.

    Raises:
        Unavailable: it is too old.
    """
    if lite or version.startswith("milvus_lite"):
        return Abilities(lite=True)
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    number = tuple(int(part or 99) for part in found.groups()) if found else _NULLS_AND_BM25
    if number < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Unavailable(
            f"the Milvus server is {version}, needed is {oldest} or newer",
            hint="update it, or use Zvec or Milvus Lite: leave index_url empty, or name a file",
        )
    new = number >= _NULLS_AND_BM25
    return Abilities(many_vectors=number >= _MANY_VECTORS, nulls=new, bm25=new)

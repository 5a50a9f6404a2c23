"""Goldens: inputs with the vectors that they must give, so that a bundle can prove itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import numpy as np

from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.encode.folders import Arrays, packed, require_close
from crosslens.encode.pairs import PairScorer
from crosslens.errors import BrokenBundle
from crosslens.values import Floats

QUERY, ITEM = "query", "item"


@dataclass(frozen=True, slots=True, eq=False)
class Goldens:
    """
    Inputs and the vectors that the exporter measured for them.

    Attributes:
        texts, text_roles, text_vectors: T texts, "query" or "item" each, float32 [T, dim].
        pictures, picture_vectors: P encoded pictures, float32 [P, dim].
        pairs, pair_scores: questions with a text each, float32 [N], of a cross-encoder.
        tolerance: the largest absolute difference that a component may show.

    Raises:
        BrokenBundle: the parts do not fit each other.
    """

    texts: tuple[str, ...] = ()
    text_roles: tuple[str, ...] = ()
    text_vectors: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    pictures: tuple[bytes, ...] = ()
    picture_vectors: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    pairs: tuple[tuple[str, str], ...] = ()
    pair_scores: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.text_roles) == len(self.text_vectors):
            raise BrokenBundle("goldens: texts, text_role and text_vectors differ in length")
        if len(self.pictures) != len(self.picture_vectors):
            raise BrokenBundle("goldens: pictures and picture_vectors differ in length")
        if len(self.pairs) != len(self.pair_scores):
            raise BrokenBundle("goldens: pairs and pair_scores differ in length")
        if not set(self.text_roles) <= {QUERY, ITEM}:
            raise BrokenBundle("goldens: text_role holds something other than query and item")
        if any(text.endswith("\0") for text in (*self.texts, *chain(*self.pairs))):
            raise BrokenBundle("goldens: a text ends with a null character, which NumPy drops")
        if not 0 < self.tolerance < 1:
            raise BrokenBundle(f"goldens: tolerance is {self.tolerance}, allowed is 0 < t < 1")


def dump_goldens(goldens: Goldens) -> bytes:
    """Write `goldens.npz`: plain arrays, nothing pickled."""
    offsets = np.cumsum([0, *map(len, goldens.pictures)], dtype=np.int64)
    return packed(
        texts=np.array(goldens.texts, dtype=np.str_),
        text_role=np.array(goldens.text_roles, dtype=np.str_),
        text_vectors=np.asarray(goldens.text_vectors, np.float32),
        pictures=np.frombuffer(b"".join(goldens.pictures), np.uint8),
        picture_offsets=offsets,
        picture_vectors=np.asarray(goldens.picture_vectors, np.float32),
        tolerance=np.float64(goldens.tolerance),
        **_pair_arrays(goldens),
    )


def _pair_arrays(goldens: Goldens) -> dict[str, Any]:
    if not goldens.pairs:
        return {}
    return {
        "pairs": np.array(goldens.pairs, dtype=np.str_),
        "pair_scores": np.asarray(goldens.pair_scores, np.float32),
    }


def goldens_of(arrays: Arrays) -> Goldens:
    """Take goldens from their arrays; KeyError or BrokenBundle where they are not such ones."""
    buffer, offsets = arrays["pictures"].tobytes(), arrays["picture_offsets"].tolist()
    paired = "pairs" in arrays
    return Goldens(
        pairs=tuple((str(a), str(b)) for a, b in arrays["pairs"]) if paired else (),
        pair_scores=np.asarray(arrays["pair_scores"] if paired else (), np.float32),
        texts=tuple(map(str, arrays["texts"])),
        text_roles=tuple(map(str, arrays["text_role"])),
        text_vectors=np.asarray(arrays["text_vectors"], np.float32),
        pictures=tuple(buffer[a:b] for a, b in pairwise(offsets)),
        picture_vectors=np.asarray(arrays["picture_vectors"], np.float32),
        tolerance=float(arrays["tolerance"]),
    )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """
    How far a tower is from its goldens.

    Attributes:
        compared: how many vectors.
        max_difference: largest absolute difference of a component.
        worst_cosine: between a vector and its golden; 1 when nothing was compared.
        tolerance: what `max_difference` may be.
    """

    compared: int
    max_difference: float
    worst_cosine: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the bundle is what its exporter measured; false where nothing was compared."""
        return self.compared > 0 and self.max_difference <= self.tolerance  # false for NaN

    def __str__(self) -> str:
        if not self.compared:
            return "no goldens to compare with"
        return (
            f"{self.compared} golden vectors, largest difference {self.max_difference:.1e} "
            f"(allowed {self.tolerance:.0e})"
        )

    def require(self, name: str) -> None:
        """
        Stop at a failed check.

        Raises:
            BrokenBundle: the vectors are not those of the goldens, or there are none.
        """
        if not self.compared:
            raise BrokenBundle(f"bundle {name} has no goldens", hint="export it again")
        require_close(f"bundle {name}", self.max_difference, self.tolerance)


def check_goldens(
    goldens: Goldens, *, text: TextEncoder | None, pictures: PictureEncoder | None
) -> CheckReport:
    """Encode the goldens, one by one and together, and compare; a missing tower is left out."""
    pairs: list[tuple[Floats, Floats]] = []
    if text is not None:
        pairs += _text_pairs(goldens, text)
    if pictures is not None:
        whole = pictures.encode_pictures(goldens.pictures).array
        singles = _singles([pictures.encode_pictures([p]).array for p in goldens.pictures], whole)
        pairs += [(whole, goldens.picture_vectors), (singles, goldens.picture_vectors)]
    return _report(pairs, goldens.tolerance)


def check_pairs(goldens: Goldens, scorer: PairScorer) -> CheckReport:
    """Score the golden pairs, one by one and those of one question together, and compare."""
    singles = [float(scorer.scores(question, [text])[0]) for question, text in goldens.pairs]
    questions = dict.fromkeys(question for question, _ in goldens.pairs)
    together = np.empty(len(goldens.pairs), np.float32)
    for asked in questions:
        rows = [n for n, (question, _) in enumerate(goldens.pairs) if question == asked]
        together[rows] = scorer.scores(asked, [goldens.pairs[n][1] for n in rows])
    off = np.abs(np.stack([np.array(singles, np.float32), together]) - goldens.pair_scores)
    worst = float(off.max()) if off.size else 0.0
    return CheckReport(len(goldens.pairs), worst, 1.0, goldens.tolerance)


def _text_pairs(goldens: Goldens, text: TextEncoder) -> list[tuple[Floats, Floats]]:
    pairs = []
    for role, encode in ((QUERY, text.encode_queries), (ITEM, text.encode_items)):
        rows = [row for row, found in enumerate(goldens.text_roles) if found == role]
        words = [goldens.texts[row] for row in rows]
        whole = encode(words).array
        singles = _singles([encode([word]).array for word in words], whole)
        pairs += [(whole, goldens.text_vectors[rows]), (singles, goldens.text_vectors[rows])]
    return pairs


def _singles(parts: Sequence[Floats], like: Floats) -> Floats:
    return np.concatenate(parts) if parts else like


def _report(pairs: Sequence[tuple[Floats, Floats]], tolerance: float) -> CheckReport:
    compared, difference, cosine = 0, 0.0, 1.0
    for found, golden in pairs:
        if not len(golden):
            continue
        if found.shape != golden.shape:
            raise BrokenBundle(f"goldens are {list(golden.shape)}, vectors {list(found.shape)}")
        compared += len(golden)
        difference = float(np.maximum(difference, np.abs(found - golden).max()))  # NaN stays
        cosine = float(np.minimum(cosine, np.einsum("nd,nd->n", found, golden).min()))
    return CheckReport(compared, difference, cosine, tolerance)

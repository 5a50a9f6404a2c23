"""Validation: does a phrase find the right products among pictures, and a picture its words?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from crosslens.train.augment import normalise
from crosslens.train.losses import BELONGS
from crosslens.train.model import DualEncoder
from crosslens.train.source import Rows, Source, Style, ask, relate
from crosslens.train.tokens import encode
from crosslens.values import Floats

CHUNK = 128
DEPTH = 10
_SEED = 20_000


@dataclass(frozen=True, slots=True)
class Recall:
    """
    Shares in [0, 1] of the questions whose first answer, or one of the first ten, is right.

    Any product that agrees in everything the words mention is right.
    """

    at_1: float
    at_10: float


def validate(
    model: DualEncoder,
    tokenizer: Tokenizer,
    source: Source,
    *,
    gallery: int,
    style: Style = Style.FULL,
) -> dict[str, Recall]:
    """
    Search the held-out products by words, and their words by picture.

    Args:
        gallery: at most so many products, and so many texts, are searched.

    Returns:
        `text2image/zh`, `image2text/zh` … for each language that the products have words in.
    """
    rows = source.shelf.validation[:gallery]
    pictures = embed_pictures(model, source, rows)
    found: dict[str, Recall] = {}
    for language in source.languages:
        rng = np.random.default_rng(_SEED)
        asked = ask(source, rows, rng, style=style, languages=(language,))
        if not len(asked.rows):
            continue
        words = embed_texts(model, tokenizer, list(asked.texts))
        right = relate(source.shelf, asked, rows) == BELONGS
        found[f"text2image/{language}"] = recall(words @ pictures.T, right)
        found[f"image2text/{language}"] = recall(pictures @ words.T, right.T)
    return found


def recall(scores: Floats, right: NDArray[np.bool_]) -> Recall:
    """
    Measure rankings by score; rows of [Q, K] without a right answer are left out.

    Ties are resolved against us: equal scores count as ranked before.
    """
    asked = right.any(1)
    best = np.where(right, scores, -np.inf).max(1)  # [Q]
    ahead = ((scores >= best[:, None]) & ~right).sum(1)
    return Recall(
        at_1=float((ahead[asked] < 1).mean()) if asked.any() else 0.0,
        at_10=float((ahead[asked] < DEPTH).mean()) if asked.any() else 0.0,
    )


def embed_pictures(model: DualEncoder, source: Source, rows: Rows) -> Floats:
    """Encode the portraits of products: [P, dim]."""
    device = next(model.parameters()).device
    parts = []
    with torch.no_grad():
        for start in range(0, len(rows), CHUNK):
            values = normalise(source.portraits(rows[start : start + CHUNK]))
            parts.append(model.picture(values.to(device)).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)


def embed_texts(model: DualEncoder, tokenizer: Tokenizer, texts: list[str]) -> Floats:
    """Encode texts: [T, dim]."""
    device = next(model.parameters()).device
    parts = []
    with torch.no_grad():
        for start in range(0, len(texts), CHUNK):
            ids, mask = encode(tokenizer, texts[start : start + CHUNK])
            vectors = model.text(
                torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
            )
            parts.append(vectors.cpu().numpy())
    return np.concatenate(parts).astype(np.float32)

"""A trained run → a bundle: both towers as ONNX that agrees with PyTorch, or no bundle at all."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from crosslens.encode.bundles import write_bundle
from crosslens.encode.cards import Card, PictureCard, TextCard
from crosslens.encode.goldens import ITEM, QUERY, Goldens
from crosslens.encode.pixels import Pixels
from crosslens.encode.words import Words
from crosslens.train.augment import MEAN, STD
from crosslens.train.checkpoint import Trained, halfway, load_trained
from crosslens.train.config import ModelConfig
from crosslens.train.model import DualEncoder
from crosslens.train.settle import settle, write_graphs
from crosslens.values import Floats

GOLDEN_TOLERANCE = 1e-3

GOLDEN_TEXTS = (
    "red striped t-shirt", "A LEATHER HANDBAG, brown", "size 42 running shoes", "",
    "红色条纹T恤", "藏青色真皮双肩包", "玻璃花瓶 带盖", "ＳＩＺＥ　１００％纯棉",
)  # fmt: skip


def export(  # noqa: PLR0913 - what to write, and what to say of it
    checkpoint: Path,
    folder: Path,
    *,
    name: str,
    about: str,
    licence: str = "Apache-2.0",
    notes: Mapping[str, Any] | None = None,
    halved: bool = True,
    between: Path | None = None,
) -> Card:
    """
    Turn a run's best model into a bundle.

    Kernels and matrices are rounded to float16 and stored so, which halves the files; everything
    is computed in float32, with exactly these rounded weights. The space is named after them, so
    that another training never passes for this one, whatever the name.

    Args:
        checkpoint: the run's folder.
        folder: becomes the bundle; what stood there is replaced.
        notes: more for the card's [training], such as the command and its metrics.
        between: a run that this one started from; what is written lies halfway between both.
        halved: round and store kernels and matrices as float16; without, files are twice as large.

    Raises:
        NotFound: there is no run, or it has saved nothing yet.
        InvalidRequest: a file of the run is damaged, or nothing lies between the two runs.
        BrokenBundle: the exported towers differ from PyTorch; nothing is written.
    """
    trained = load_trained(checkpoint)
    if between is not None:
        trained = halfway(trained, load_trained(between))
    model = settle(trained.model, rounded=halved)
    tokenizer = trained.tokenizer.to_str()
    shape = model.config
    card = Card(
        name=name,
        about=about,
        licence=licence,
        space=f"{name}@{fingerprint(model, tokenizer)}/fp32",
        precision="fp32",
        dim=shape.dim,
        languages=("zh", "en"),
        text=_text_card(shape),
        picture=_picture_card(shape),
        training=_training(trained, notes or {}, halved=halved),
    )
    with tempfile.TemporaryDirectory() as scratch:
        text, picture = write_graphs(model, Path(scratch), halved=halved)
        files: dict[str, bytes | Path] = {
            "text.onnx": text, "picture.onnx": picture, "tokenizer.json": tokenizer.encode(),
        }  # fmt: skip
        goldens = _goldens(model, tokenizer)
        return write_bundle(folder, card, files=files, goldens=goldens)


def _goldens(model: DualEncoder, tokenizer: str) -> Goldens:
    """Measure in PyTorch what the bundle must give, through the card's own preparation."""
    words = Words(_text_card(model.config), tokenizer)
    pixels = Pixels(_picture_card(model.config))
    ids, mask = (torch.from_numpy(part) for part in words.pad(words.rows(GOLDEN_TEXTS)))
    pictures = tuple(golden_pictures())
    values = torch.from_numpy(np.stack(pixels.rows(pictures)))
    return Goldens(
        texts=GOLDEN_TEXTS,
        text_roles=tuple((QUERY, ITEM)[place % 2] for place in range(len(GOLDEN_TEXTS))),
        text_vectors=_vectors(model.text(ids, mask)),
        pictures=pictures,
        picture_vectors=_vectors(model.picture(values)),
        tolerance=GOLDEN_TOLERANCE,
    )


def _vectors(found: Tensor) -> Floats:
    return np.asarray(found.detach().numpy(), np.float32)


def golden_pictures() -> Iterable[bytes]:
    """Draw four small pictures of gradients and blocks, as PNG: wide, high, square and tiny."""
    for seed, (height, width) in enumerate(((60, 90), (90, 60), (128, 128), (9, 7))):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        smooth = coarse.resize((width, height), Image.Resampling.BICUBIC)
        smooth.paste((200, 40, 40), (width // 4, height // 4, width // 2, height // 2))
        out = io.BytesIO()
        smooth.save(out, "PNG")
        yield out.getvalue()


def fingerprint(model: DualEncoder, tokenizer: str) -> str:
    """Name the towers and their tokenizer by 8 hex digits that depend on every weight."""
    digest = hashlib.sha256(tokenizer.encode())
    for name, values in sorted(model.state_dict().items()):
        if name.startswith(("picture.", "text.")):
            digest.update(name.encode())
            digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def _training(trained: Trained, notes: Mapping[str, Any], *, halved: bool) -> dict[str, Any]:
    stored = "float16" if halved else "float32"
    return {
        "weights": f"stored as {stored}, computed in float32",
        "steps": trained.step,
        "data": trained.about["provenance"],
        "settings": _plain(trained.about["train"]),
        **notes,
    }


def _text_card(shape: ModelConfig) -> TextCard:
    return TextCard(max_tokens=shape.max_tokens)


def _picture_card(shape: ModelConfig) -> PictureCard:
    return PictureCard(width=shape.picture_px, height=shape.picture_px, mean=MEAN, std=STD)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what decides the outcome, and no path of this machine."""
    left_out = {"folder", "start_from", "tensorboard", "threads", "log_every"}
    return {k: v for k, v in settings.items() if k not in left_out}

"""Words and pictures of the real world through the served preparation and through the reference."""

from __future__ import annotations

import gzip
import io
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers as library
from PIL import Image
from tokenizers.pre_tokenizers import ByteLevel

from crosslens.encode.cards import TextCard
from crosslens.encode.words import Words
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.pictures import picture_card, require_same_pixels
from crosslens.hubs.words import (
    HARD_TEXTS,
    Reference,
    load_tokenizer,
    longest,
    require_same_ids,
    tokenizer_json,
)

pytestmark = [pytest.mark.hub, pytest.mark.shared_data]

PICTURES = 12


def titles(shared_data: Path) -> list[str]:
    with (shared_data / "cmrc2018_zh_dev" / "queries.jsonl").open(encoding="utf-8") as file:
        chinese = [json.loads(line)["text"] for line in islice(file, 100)]
    with (shared_data / "cranfield_en" / "corpus.jsonl").open(encoding="utf-8") as file:
        english = [json.loads(line)["text"] for line in islice(file, 100)]
    return [*HARD_TEXTS, *chinese, *english]


def compare(folder: Path, texts: list[str], most: int) -> None:
    tokenizer = load_tokenizer(ModelFolder(folder))
    card = TextCard(max_tokens=longest(tokenizer, most))
    words = Words(card, tokenizer_json(tokenizer))
    require_same_ids(Reference(tokenizer, card), words, texts)


@pytest.mark.parametrize("lower", [True, False])
def test_chinese_clips_vocabulary_cuts_words_alike(tmp_path: Path, shared_data: Path, lower: bool):
    content = (shared_data / "vocab" / "cn_clip_vocab.txt").read_text("utf-8")
    (tmp_path / "vocab.txt").write_text(content, "utf-8")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "chinese_clip"}))
    if not lower:
        told = {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    compare(tmp_path, titles(shared_data), 52)


def test_clips_merges_cut_words_alike(tmp_path: Path, shared_data: Path):
    packed = (shared_data / "vocab" / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    merges = gzip.decompress(packed).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = sorted(ByteLevel.alphabet())
    names = [*letters, *(f"{letter}</w>" for letter in letters)]
    names += ["".join(merge.split()) for merge in merges]
    names += ["<|startoftext|>", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({name: n for n, name in enumerate(names)}))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), "utf-8")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    compare(tmp_path, titles(shared_data), 77)


SQUARE = {"height": 224, "width": 224}
PROCESSORS: dict[str, Any] = {
    "clip": lambda: library.CLIPImageProcessorPil(),
    "clip at 336": lambda: library.CLIPImageProcessorPil(
        size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
    ),
    "chinese-clip": lambda: library.ChineseCLIPImageProcessorPil(size=SQUARE, do_center_crop=False),
    "siglip": lambda: library.SiglipImageProcessorPil(size=SQUARE),
    "siglip 2, bilinear": lambda: library.SiglipImageProcessorPil(size=SQUARE, resample=2),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_photos_become_the_same_pixels(shared_data: Path, name: str):
    processor = PROCESSORS[name]()
    card = picture_card(processor, side=336 if "336" in name else 224)
    paths = sorted((shared_data / "grocery_mit").rglob("*.jpg"))[:PICTURES]
    worst = require_same_pixels(processor, card, [*map(plain, paths), *odd_sizes()])
    assert worst == pytest.approx(0, abs=1e-6)


def plain(path: Path) -> bytes:
    """The photo as it lies on its sensor: the reference knows no EXIF, we turn such pictures."""
    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(out, "PNG", compress_level=0)
    return out.getvalue()


def odd_sizes() -> list[bytes]:
    found = []
    for n, size in enumerate(((1, 1), (3, 500), (500, 3), (224, 224), (225, 223), (337, 1000))):
        pixels = np.random.default_rng(n).integers(0, 256, (size[1], size[0], 3), np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        found.append(out.getvalue())
    return found

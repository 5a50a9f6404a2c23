"""The tokenizer of a trained text tower: Chinese by character, everything else by sub-word."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from crosslens.errors import InvalidRequest

PAD, START = "[PAD]", "[CLS]"
Ids = NDArray[np.int64]

_PRINTABLE = [chr(code) for code in range(0x21, 0x7F) if chr(code) == chr(code).lower()]
_BYTES = [f"<0x{value:02X}>" for value in range(256)]
_CHINESE = Regex(r"\p{Han}")
_GB2312_ROWS = range(0xB0, 0xF8)


def train_tokenizer(texts: Iterable[str], *, vocabulary: int, max_tokens: int) -> Tokenizer:
    """
    Learn sub-words from texts.

    Every printable ASCII character and every Chinese character of GB 2312 is a token of its own,
    and what is left falls back to its UTF-8 bytes, so that no text is ever unknown.

    Args:
        vocabulary: most tokens; sub-words fill what the characters leave.
        max_tokens: longest encoding, the leading [CLS] included; longer texts are cut.

    Raises:
        InvalidRequest: the vocabulary is too small for the characters alone.
    """
    fixed = [PAD, START, *_BYTES]
    letters = [*_PRINTABLE, *common_characters()]
    if vocabulary < len(fixed) + len(letters):
        raise InvalidRequest(
            f"vocabulary is {vocabulary}, allowed: {len(fixed) + len(letters)} or more",
            hint="every common Chinese character has a token of its own",
        )
    draft = _prepared(Tokenizer(models.BPE()))
    draft.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=fixed,
            initial_alphabet=letters,
            show_progress=False,
            min_frequency=3,
        ),
    )
    return _finished(json.loads(draft.to_str())["model"], max_tokens)


def common_characters() -> list[str]:
    """List the 6,763 Chinese characters of GB 2312, commoner half first."""
    cells = (bytes([row, cell]) for row in _GB2312_ROWS for cell in range(0xA1, 0xFF))
    decoded = (pair.decode("gb2312", errors="ignore") for pair in cells)
    return [character for character in decoded if character]


def load_tokenizer(text: str) -> Tokenizer:
    """
    Read a `tokenizer.json`.

    Raises:
        InvalidRequest: it is not one.
    """
    try:
        return Tokenizer.from_str(text)
    except Exception as exc:
        raise InvalidRequest(f"tokenizer.json cannot be read: {exc}") from exc


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[Ids, Ids]:
    """Encode texts to ids and mask, int64 [N, L] each, padded at the end to the longest."""
    found = tokenizer.encode_batch(list(texts))
    ids = np.array([one.ids for one in found], np.int64)
    return ids, np.array([one.attention_mask for one in found], np.int64)


def _prepared(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(_CHINESE, "isolated"),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    return tokenizer


def _finished(model: dict[str, Any], max_tokens: int) -> Tokenizer:
    """Rebuild with byte fallback and without special tokens, which a user's text could spell."""
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges, byte_fallback=True))
    start = model["vocab"][START]
    _prepared(tokenizer).post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, start)]
    )
    tokenizer.enable_padding(pad_id=model["vocab"][PAD], pad_token=PAD)
    tokenizer.enable_truncation(max_tokens)
    return tokenizer

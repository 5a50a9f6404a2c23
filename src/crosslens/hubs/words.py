"""The reference's tokenizer → `tokenizer.json`, and whether both cut words alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from crosslens.encode.cards import Side, TextCard
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.hubs.folder import ORIGINAL, ModelFolder
from crosslens.hubs.loading import quiet
from crosslens.hubs.originals import original_tokenizer
from crosslens.hubs.pieces import siglip_tokenizer

HARD_TEXTS = (
    "红色连衣裙", "Nike Air Max 90 男子跑步鞋 US 9.5", "iPhone15 Pro Max 256GB 钛金属",
    "café crème brûlée", "ＡＢＣ１２３全角　空格", "繁體中文測試：藍色連衣裙", "a photo of a cat",
    "Women's dress — size M/L, 100% cotton!!", "😀 emoji 👗裙子 👨‍👩‍👧‍👦",
    "  多  空格\t制表\n换行 ",
    "½ kg 5㎡ ² ﬁne", "ÅNGSTRÖM naïve", "don't won't it's", "日本語のワンピース", "한국어 원피스",
    "x" * 120, "supercalifragilistic" * 12, "", " ", "3.5mm耳机/USB-C转接头", "T恤衫-白色(M)",
    "\u200b零宽\ufeff字符", "bell\x07 null-free \x1b[31m control\x85 end", "𠮷野家",
    "İstanbul ΑΒΓ Straße",
    "word " * 700, "长" * 700, "[CLS] <s> </s> <|endoftext|> [MASK] <pad>",
    "e\u0301 combining n\u0303",
    "$1,299.00 €15 ￥99", "http://example.org/a?b=c&d=%E7%BA%A2", "مرحبا بالعالم", "नमस्ते दुनिया",
)  # fmt: skip

_NO_LIMIT = 1_000_000  # the library writes 1e30 where a length is not known


@dataclass(frozen=True, slots=True)
class Reference:
    """The library's own tokenizer, and how the model's authors call it."""

    tokenizer: PreTrainedTokenizerBase
    card: TextCard
    lowercase: bool = False

    def encode(self, text: str) -> list[int]:
        """Cut a text into ids, padded to the fixed length if there is one."""
        padding: Any = "max_length" if self.card.pad_to else False
        found = self.tokenizer(
            text.lower() if self.lowercase else text,
            truncation=True,
            max_length=self.card.max_tokens,
            padding=padding,
        )
        return list(map(int, found["input_ids"]))


def load_tokenizer(folder: ModelFolder) -> PreTrainedTokenizerBase:
    """
    Load the reference's tokenizer.

    Raises:
        InvalidRequest: there is none, or it needs code from the hub.
    """
    try:
        with quiet():
            if folder.architecture == ORIGINAL:
                return original_tokenizer(folder)
            found = AutoTokenizer.from_pretrained(
                str(folder.path), local_files_only=True, trust_remote_code=False
            )
    except Exception as exc:
        raise InvalidRequest(f"the tokenizer of {folder.name} cannot be loaded: {exc}") from exc
    if not isinstance(found, PreTrainedTokenizerBase):
        raise InvalidRequest(f"{folder.name} has no tokenizer")
    return found


def longest(tokenizer: PreTrainedTokenizerBase, *limits: int | None) -> int:
    """Return how many tokens an input may have: the least of what is known, 512 if nothing is."""
    stated = (*limits, int(tokenizer.model_max_length))
    return min((limit for limit in stated if limit and 0 < limit < _NO_LIMIT), default=512)


def tokenizer_json(tokenizer: PreTrainedTokenizerBase, *, lowercase: bool = False) -> str:
    """
    Write a tokenizer for serving, without the library.

    Args:
        lowercase: lower-case first, as sentence-transformers can be told to.

    Raises:
        InvalidRequest: it is of a kind that cannot be written.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        own = Tokenizer.from_str(backend.to_str())
    elif type(tokenizer).__name__ == "SiglipTokenizer":
        own = siglip_tokenizer(tokenizer)
    else:
        raise InvalidRequest(f"{type(tokenizer).__name__} cannot be written as tokenizer.json")
    if lowercase:
        steps = [normalizers.Lowercase(), *([own.normalizer] if own.normalizer else [])]
        own.normalizer = normalizers.Sequence(steps)
    own.no_truncation()
    own.enable_padding(pad_id=_pad_id(tokenizer), pad_token=str(tokenizer.pad_token or "[PAD]"))
    return json.dumps(json.loads(own.to_str()), ensure_ascii=False)


def _pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(tokenizer.pad_token_id) if tokenizer.pad_token_id is not None else 0


def pad_side(tokenizer: PreTrainedTokenizerBase) -> Side:
    """Return where the reference pads."""
    return Side(str(tokenizer.padding_side))


def require_same_ids(reference: Reference, words: Words, texts: Sequence[str]) -> None:
    """
    Compare the served tokenizer with the reference on hard texts, queries and items.

    Raises:
        BrokenBundle: one differs; the message shows it.
    """
    if not hasattr(reference.tokenizer, "backend_tokenizer"):
        names = reference.tokenizer.all_special_tokens  # rebuilt: one written out is mere text
        texts = [text for text in texts if not any(name in text for name in names)]
    for prefix in {reference.card.query_prefix, reference.card.item_prefix}:
        for text in texts:
            wanted = reference.encode(prefix + text)
            rows = words.rows([text], prefix=prefix)
            found = words.pad(rows)[0][0].tolist()
            if wanted != found and wanted:  # an input of no token at all gets one of padding
                raise BrokenBundle(
                    f"the tokenizer cuts {prefix + text!r:.80} into {found[:16]}, "
                    f"the reference into {wanted[:16]}"
                )

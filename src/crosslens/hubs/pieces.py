"""A SentencePiece model → a tokenizer of `tokenizers`, with what SigLIP puts before it."""

from __future__ import annotations

import string
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from crosslens.errors import InvalidRequest

_PIECE, _NORMALIZER = 1, 3  # fields of sentencepiece_model.proto
_CHARS_MAP = 2
_UNKNOWN = 2  # type of a piece
_SPACE = "▁"


def siglip_tokenizer(reference: Any) -> Tokenizer:
    """
    Rebuild SigLIP's tokenizer: lower case, no ASCII punctuation, single spaces, then SentencePiece.

    Args:
        reference: the library's slow tokenizer.

    Raises:
        InvalidRequest: its vocabulary cannot be read.
    """
    pieces, chars_map = read_pieces(Path(reference.vocab_file).read_bytes())
    own = Tokenizer(Unigram(*_vocabulary(pieces)))
    own.normalizer = normalizers.Sequence(_normalizers(reference, chars_map))
    own.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="never")
    end = str(reference.eos_token)
    own.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, reference.eos_token_id)]
    )
    own.add_special_tokens(
        [AddedToken(str(t), special=True, normalized=False, lstrip=True, rstrip=True)
         for t in (reference.eos_token, reference.unk_token)]
    )  # fmt: skip
    return own


def _normalizers(reference: Any, chars_map: bytes) -> list[Any]:
    marks = Regex(f"[{''.join(map(_escaped, string.punctuation))}]")
    steps: list[Any] = [normalizers.Lowercase()] if reference.do_lower_case else []
    steps += [normalizers.Replace(_SPACE, " "), normalizers.Replace(marks, "")]
    steps += [normalizers.Precompiled(chars_map)] if chars_map else []
    steps += [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    return [*steps, normalizers.Prepend(_SPACE)]


def _escaped(mark: str) -> str:
    return f"\\{mark}"


def _vocabulary(pieces: list[tuple[str, float, int]]) -> tuple[list[tuple[str, float]], int]:
    unknown = next((n for n, (_, _, kind) in enumerate(pieces) if kind == _UNKNOWN), 0)
    return [(text, score) for text, score, _ in pieces], unknown


def read_pieces(content: bytes) -> tuple[list[tuple[str, float, int]], bytes]:
    """
    Read the pieces (text, score, type) and the character map of a SentencePiece model.

    Raises:
        InvalidRequest: the bytes are not such a model.
    """
    pieces: list[tuple[str, float, int]] = []
    chars_map = b""
    try:
        for field, value in _fields(content):
            if field == _PIECE:
                pieces.append(_piece(value))
            elif field == _NORMALIZER:
                chars_map = dict(_fields(value)).get(_CHARS_MAP, b"")
    except (IndexError, ValueError, TypeError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"the SentencePiece model cannot be read: {exc}") from exc
    if not pieces:
        raise InvalidRequest("the SentencePiece model has no pieces")
    return pieces, chars_map


def _piece(content: bytes) -> tuple[str, float, int]:
    found = dict(_fields(content))
    (score,) = struct.unpack("<f", found.get(2, bytes(4)))
    return bytes(found[1]).decode("utf-8"), float(score), int(found.get(3, 1))


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Walk over the fields of a protobuf message: number, and an integer or bytes."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(content, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            if kind != 2:
                raise ValueError(f"wire type {kind}")
            size, at = _varint(content, at)
        if at + size > len(content):
            raise ValueError("it ends early")
        yield tag >> 3, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7

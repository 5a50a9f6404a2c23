from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.errors import InvalidRequest
from crosslens.hubs.pieces import read_pieces


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(text: str, score: float, kind: int) -> bytes:
    parts = field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score)
    return field(1, parts + varint(3 << 3) + varint(kind))


def test_pieces_scores_types_and_the_character_map_are_read():
    content = piece("<unk>", 0.0, 2) + piece("▁红", -1.5, 1) + field(3, field(2, b"map"))
    assert read_pieces(content) == ([("<unk>", 0.0, 2), ("▁红", -1.5, 1)], b"map")


def test_fields_of_no_interest_are_passed_over():
    content = varint(9 << 3) + varint(300) + piece("a", 0.0, 1) + varint(8 << 3 | 1) + bytes(8)
    assert read_pieces(content)[0] == [("a", 0.0, 1)]


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_and_nothing_else(content: bytes):
    try:
        pieces, _ = read_pieces(content)
    except InvalidRequest:
        return
    assert pieces


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_model_that_ends_early_is_refused(cut: int):
    content = piece("a piece", -1.0, 1)
    with pytest.raises(InvalidRequest):
        read_pieces(content[:-cut])

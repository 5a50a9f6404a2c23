"""Receipts: what a write answered, so that whoever sends it again gets the same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from crosslens.catalog.product import Product

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    The answer to a write, kept in the same transaction as what it wrote.

    Attributes:
        caller, key: whose it is, and what they call this write; 64 and 200 characters at most.
        fingerprint: SHA-256 of what was asked, in hexadecimal.
        status, headers, content: the answer.
    """

    caller: str
    key: str
    fingerprint: str
    status: int
    headers: Mapping[str, str]
    content: bytes


Receipting: TypeAlias = Callable[[Product], Receipt]
"""Makes the receipt for a product that was written."""

"""Find products by picture, by words, or by "like this, but red"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosslens.client import AsyncClient, Client

# ONNX Runtime reports each session to its makers unless this stands there when it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # noqa: TID251 - it has no other switch

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for, since nothing else needs it."""
    if name in ("AsyncClient", "Client"):
        from crosslens import client

        return getattr(client, name)
    raise AttributeError(f"module 'crosslens' has no attribute {name!r}")

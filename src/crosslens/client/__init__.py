"""The service from Python: `Client`, and `AsyncClient` to be awaited."""

from crosslens.client.answers import (
    Answer,
    BatchResult,
    Hit,
    ImportJob,
    Picture,
    Product,
    ProductPage,
    Readiness,
)
from crosslens.client.blocking import Client
from crosslens.client.retrying import Patience
from crosslens.client.waiting import AsyncClient

__all__ = [
    "Answer",
    "AsyncClient",
    "BatchResult",
    "Client",
    "Hit",
    "ImportJob",
    "Patience",
    "Picture",
    "Product",
    "ProductPage",
    "Readiness",
]

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
from crosslens.client.tending import (
    AskedQuery,
    Compared,
    EvaluationRun,
    IndexState,
    JudgedSet,
    Model,
    Task,
    TrafficStep,
)
from crosslens.client.waiting import AsyncClient

__all__ = [
    "Answer",
    "AskedQuery",
    "AsyncClient",
    "BatchResult",
    "Client",
    "Compared",
    "EvaluationRun",
    "Hit",
    "ImportJob",
    "IndexState",
    "JudgedSet",
    "Model",
    "Patience",
    "Picture",
    "Product",
    "ProductPage",
    "Readiness",
    "Task",
    "TrafficStep",
]

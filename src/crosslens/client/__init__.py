"""The service from Python: `Client`, and `AsyncClient` to be awaited."""

from crosslens.client.answers import (
    Answer,
    BatchResult,
    GeneratedPicture,
    Hit,
    ImportJob,
    Picture,
    Product,
    ProductPage,
    Readiness,
)
from crosslens.client.blocking import Client
from crosslens.client.generating import Generated, GeneratorInfo
from crosslens.client.retrying import Patience
from crosslens.client.shaping import (
    DuplicateCluster,
    DuplicatePage,
    ExperimentsReport,
    GoldenQuery,
    JudgingCandidate,
    SceneInfo,
    SceneLayer,
    SceneList,
    SuggestedTitle,
    UntitledPage,
)
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
    "DuplicateCluster",
    "DuplicatePage",
    "EvaluationRun",
    "ExperimentsReport",
    "Generated",
    "GeneratedPicture",
    "GeneratorInfo",
    "GoldenQuery",
    "Hit",
    "ImportJob",
    "IndexState",
    "JudgedSet",
    "JudgingCandidate",
    "Model",
    "Patience",
    "Picture",
    "Product",
    "ProductPage",
    "Readiness",
    "SceneInfo",
    "SceneLayer",
    "SceneList",
    "SuggestedTitle",
    "Task",
    "TrafficStep",
    "UntitledPage",
]

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import structlog

from service import Served, served


@pytest.fixture(autouse=True)
def log() -> Iterator[StringIO]:
    """All that is logged, debug lines too."""
    lines = StringIO()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=repr),
        ],
        logger_factory=structlog.PrintLoggerFactory(lines),
    )
    yield lines
    structlog.reset_defaults()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Served]:
    """An empty house with its door open."""
    with served(tmp_path) as door:
        yield door

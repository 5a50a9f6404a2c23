from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service import Served, served


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Served]:
    """An empty house with its door open."""
    with served(tmp_path) as door:
        yield door

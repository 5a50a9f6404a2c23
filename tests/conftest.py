from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "home", capsys)


@pytest.fixture
def shared_data() -> Path:
    """The real data sets beside the repository; tests that need them skip where they are absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets (../shared/data) are not on this machine")
    return SHARED

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import servers
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-servers",
        action="store_true",
        help="fail, instead of skipping, what needs a server that is not installed",
    )


@pytest.fixture(scope="session")
def mysql(request: pytest.FixtureRequest) -> Iterator[servers.SqlServer]:
    """A MariaDB of our own."""
    yield from _server(request, servers.mariadb)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[servers.SqlServer]:
    """A PostgreSQL of our own."""
    yield from _server(request, servers.postgres)


@pytest.fixture(scope="session")
def mysql_catalog(mysql: servers.SqlServer) -> str:
    """The URL of a database for tests that empty it first."""
    return mysql.new_database()


@pytest.fixture(scope="session")
def postgres_catalog(postgres: servers.SqlServer) -> str:
    """The URL of a database for tests that empty it first."""
    return postgres.new_database()


def _server(
    request: pytest.FixtureRequest, start: Callable[[], AbstractContextManager[servers.SqlServer]]
) -> Iterator[servers.SqlServer]:
    try:
        with start() as server:
            yield server
    except servers.Absent as exc:
        if request.config.getoption("--require-servers"):
            pytest.fail(str(exc))
        pytest.skip(str(exc))

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import hypothesis
import pytest

from shell import Shell

if TYPE_CHECKING:  # drivers take a while to import, and most tests need none
    import servers
    from crosslens.objects import Bucket
    from dashvector_stand_in import StandIn
    from milvus_server import MilvusServer

hypothesis.settings.register_profile(  # machines may be busy
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

_corners = count(1)
T = TypeVar("T")
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
    import servers

    yield from _server(request, servers.mariadb)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[servers.SqlServer]:
    """A PostgreSQL of our own."""
    import servers

    yield from _server(request, servers.postgres)


@pytest.fixture(scope="session")
def dashvector_service() -> Iterator[StandIn]:
    """A stand-in for DashVector, which speaks its HTTP interface."""
    import dashvector_stand_in

    with dashvector_stand_in.running() as service:
        yield service


@pytest.fixture(scope="session")
def milvus_server(request: pytest.FixtureRequest) -> Iterator[MilvusServer]:
    """A Milvus of our own."""
    import milvus_server

    yield from _server(request, milvus_server.milvus)


@pytest.fixture(scope="session")
def mysql_catalog(mysql: servers.SqlServer) -> str:
    """The URL of a database for tests that empty it first."""
    return mysql.new_database()


@pytest.fixture(scope="session")
def postgres_catalog(postgres: servers.SqlServer) -> str:
    """The URL of a database for tests that empty it first."""
    return postgres.new_database()


@pytest.fixture(scope="session")
def s3() -> Iterator[servers.S3Server]:
    """A store that speaks S3."""
    import servers

    with servers.s3() as server:
        yield server


@pytest.fixture(scope="session")
def whole_bucket(s3: servers.S3Server) -> Iterator[Bucket]:
    """A bucket that tests share, since a client takes a while to make."""
    from crosslens.objects import Bucket, Place

    bucket = Bucket(Place.of(s3.new_bucket()), endpoint=s3.endpoint)
    yield bucket
    bucket.close()


@pytest.fixture
def bucket(whole_bucket: Bucket) -> Bucket:
    """An empty corner of it."""
    return whole_bucket.at(f"corner {next(_corners)} 角落")


def _server(
    request: pytest.FixtureRequest, start: Callable[[], AbstractContextManager[T]]
) -> Iterator[T]:
    from servers import Absent

    try:
        with start() as server:
            yield server
    except Absent as exc:
        if request.config.getoption("--require-servers"):
            pytest.fail(str(exc))
        pytest.skip(str(exc))

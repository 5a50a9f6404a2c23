"""A service whose servers are away, full or out of step: what it answers, and who says so."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import servers
from crosslens.catalog.memory import MemoryCatalog
from crosslens.settings import load
from crosslens.wiring import build
from shell import Shell

OWN = {"index_url": "memory:"}
FULL = ["--innodb-data-file-path=ibdata1:12M", "--innodb-file-per-table=0"]


@dataclass
class Restarted:
    """A MariaDB that this test alone stops and starts again."""

    server: servers.SqlServer
    running: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.running.kill()
        self.running.wait()

    def start(self, *options: str) -> None:
        command, folder = [*self.server.command, *options], self.server.folder
        with (folder / "log").open("ab") as log:
            self.running = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        servers.await_port(self.server.port, self.running, folder)


@pytest.fixture(scope="module")
def mariadb(request: pytest.FixtureRequest) -> Iterator[Restarted]:
    try:
        with servers.mariadb(durable=True) as server:
            own = Restarted(server, server.process)
            yield own
            own.stop()
    except servers.Absent as exc:
        if request.config.getoption("--require-servers"):
            raise
        pytest.skip(str(exc))


@contextmanager
def service(home: Path, url: str) -> Iterator[TestClient]:
    with build(load(home, catalog_url=url, **OWN)) as app:
        door = TestClient(app.http(), base_url="http://localhost", raise_server_exceptions=False)
        with door:
            yield door


@pytest.mark.mysql
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # PyMySQL forgets a socket
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_catalogue_that_goes_away_is_named_and_used_again_when_it_is_back(
    mariadb: Restarted, shell: Shell, tmp_path: Path
) -> None:
    url = mariadb.server.new_database()
    with service(tmp_path / "served", url) as http:
        assert http.post("/product", json={"title": "red shoe"}).status_code == 201
        assert http.get("/ready").status_code == 200
        mariadb.stop()
        ready = http.get("/ready")
        assert ready.status_code == 503
        told = ready.json()["checks"]["catalog"]
        assert "the catalogue's server does not answer" in told["error"]
        assert "is it running" in told["hint"]
        assert servers.PASSWORD not in ready.text
        refused = http.post("/product", json={"title": "lost"})
        assert refused.status_code == 503
        assert refused.json()["code"] == "unavailable"
        shell.home.mkdir()
        (shell.home / "crosslens.toml").write_text(f'catalog_url = "{url}"\n', "utf-8")
        ran = shell("doctor")
        assert ran.code == 1
        assert "BAD  catalogue" in ran.out
        assert "is it running" in ran.out
        mariadb.start()
        assert http.get("/ready").status_code == 200
        assert http.post("/product", json={"title": "blue shoe"}).status_code == 201
        titles = [each["title"] for each in http.get("/product/list").json()["products"]]
        assert sorted(titles) == ["blue shoe", "red shoe"]


@pytest.mark.mysql
def test_a_server_whose_disk_is_full_refuses_whole_writes_and_goes_on_serving(
    mariadb: Restarted, tmp_path: Path
) -> None:
    mariadb.stop()
    mariadb.start(*FULL)
    url = mariadb.server.new_database()
    with service(tmp_path / "served", url) as http:
        stored, answer = 0, http.get("/ready")
        for n in range(400):
            long = {"title": f"shoe {n}", "description": "word " * 12_000}
            answer = http.post("/product", json=long)
            if answer.status_code != 201:
                break
            stored += 1
        assert answer.status_code == 507, answer.text
        assert answer.json()["code"] == "storage_full"
        assert http.get("/ready").json()["checks"]["catalog"]["products"] == stored
        assert http.post("/search", json={"words": "shoe"}).status_code == 200
    mariadb.stop()
    mariadb.start()


class Hasty(MemoryCatalog):
    """A catalogue whose server is an hour behind this machine."""

    def clock_ahead_s(self) -> float:
        return 3_600.0


def test_a_clock_that_is_far_from_the_servers_is_said(tmp_path: Path) -> None:
    own = load(tmp_path, catalog_url=f"sqlite:///{tmp_path / 'catalog.db'}", **OWN)
    for catalog, ok in ((MemoryCatalog(), True), (Hasty(), False)):
        with (
            build(own, catalog=catalog) as app,
            TestClient(app.http(), base_url="http://localhost") as http,
        ):
            told = http.get("/ready").json()["checks"]["clock"]
            assert told["ok"] is ok
            assert ok or "3600 s ahead of the catalogue's server's" in told["error"]

"""One catalogue on MariaDB and one Milvus, shared by processes that each do one sort of work."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

import servers
from processes import eventually, milvus, started
from shell import Shell


@pytest.mark.mysql
@pytest.mark.milvus
@pytest.mark.slow
def test_work_is_shared_and_a_killed_worker_is_missed_by_nobody(
    mysql: servers.SqlServer, tmp_path: Path
) -> None:
    with milvus(tmp_path / "milvus") as index_url:
        shared = {
            "catalog_url": mysql.new_database(),
            "index_url": index_url,
            "lease_s": "3",
        }
        with started("encoder", tmp_path / "encoder", {}) as encoder:
            shared["encoder_url"] = encoder.url
            with (
                started("api", tmp_path / "api", shared) as api,
                started("worker", tmp_path / "one", shared) as one,
                started("worker", tmp_path / "two", shared) as two,
                httpx.Client(base_url=api.url, timeout=60) as http,
            ):
                assert http.get("/ready").json()["checks"]["worker"] == {
                    "ok": True,
                    "elsewhere": True,
                }
                add(http, 0, 40)
                assert one.stop(signal.SIGKILL) != 0
                add(http, 40, 60)
                http.delete("/product/1")
                eventually(lambda: settled(http))
                found = http.post("/search", json={"words": "shoe", "limit": 100}).json()
                assert {hit["product_id"] for hit in found["hits"]} == set(range(2, 61))
                told = httpx.get(f"{two.url}/ready").json()
                assert told["status"] == "ready"
                assert told["checks"]["encoder"]["ok"]
                assert httpx.get(f"{two.url}/product/list").status_code == 404
                for process in (api, two, encoder):
                    assert process.stop() == 0, process.log.read_text("utf-8")


def add(http: httpx.Client, first: int, last: int) -> None:
    products = [{"title": f"shoe {n}", "source_key": str(n)} for n in range(first, last)]
    answer = http.post("/product/batch", json={"products": products})
    assert answer.status_code == 200, answer.text
    assert answer.json()["stored"] == last - first, answer.text


def settled(http: httpx.Client) -> bool:
    changes = http.get("/ready").json()["checks"]["changes"]
    return not changes["waiting"] + changes["leased"]


@pytest.mark.parametrize("sort", ["api", "worker"])
def test_what_cannot_be_shared_is_not_served_by_several(shell: Shell, sort: str) -> None:
    ran = shell("serve", sort)
    assert ran.code == 2
    assert "catalog_url" in ran.err


def test_options_of_another_process_are_not_lost_silently(shell: Shell) -> None:
    ran = shell("serve", "--port", "0", "encoder")
    assert ran.code == 2
    assert "stand after" in ran.err

"""`crosslens serve` as a process: it starts, stops, is killed and comes back with everything."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from crosslens.client import Client, Patience
from crosslens.errors import CrosslensError
from crosslens.settings import write_missing
from fakes import jpeg
from service import Server, base64_of
from shell import Shell

KILLS = int(os.environ.get("CROSSLENS_TEST_KILLS", "10"))  # noqa: TID251 - a long run has more
WRITERS = 4


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    write_missing(home, attributes={"colour": "keyword", "price": "number"})
    return home


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with Server(home) as running:
        yield running


def test_a_product_is_found_over_http_by_words_and_by_picture(server: Server) -> None:
    with server.client() as http:
        red = {"title": "red cotton shirt", "pictures": [base64_of(jpeg((205, 30, 30)))]}
        blue = {"title": "blue cotton shirt", "pictures": [base64_of(jpeg((30, 60, 200)))]}
        for body in (red, blue):
            assert http.post("/product", json=body).status_code == 201
        settled(http)
        words = http.post("/search", json={"words": "blue shirt"}).json()["hits"]
        assert words[0]["title"] == "blue cotton shirt"
        picture = http.post("/search", json={"pictures": red["pictures"]}).json()["hits"]
        assert picture[0]["title"] == "red cotton shirt"
        assert http.get("/ready").json()["status"] == "ready"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_what_was_begun_and_leaves_everything_consistent(
    home: Path, shell: Shell, number: int
) -> None:
    with Server(home) as server, server.client() as http:
        stored: list[int] = []
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                try:
                    answer = http.post("/product", json={"title": "shirt"})
                except httpx.TransportError:
                    return
                if answer.status_code == 201:
                    stored.append(answer.json()["product_id"])

        writers = [threading.Thread(target=write) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(0.5)
        code, err = server.stop(number)
        stop.set()
        for writer in writers:
            writer.join()
    assert code == 0, err
    assert "Traceback" not in err
    shell.json("index", "work")
    audit = shell.json("index", "audit")
    assert (audit["missing"], audit["stale"], audit["orphaned"]) == (0, 0, 0)
    assert len(stored) <= audit["products"] <= len(stored) + WRITERS


def test_the_service_does_not_listen_to_the_world_without_a_key(shell: Shell) -> None:
    ran = shell("serve", "--host", "0.0.0.0", "--port", "0")
    assert ran.code == 2
    assert "crosslens key new" in ran.err


def test_with_a_key_it_listens_and_asks_for_it(home: Path, shell: Shell) -> None:
    made = shell.json("key", "new", "--role", "write", "--name", "shop")
    assert [key["name"] for key in shell.json("key", "list")["keys"]] == ["shop"]
    with Server(home, arguments=("--host", "0.0.0.0")) as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/product/list").status_code == 401
        with Client(url, key=made["key"]) as client:
            assert client.add_product("hat").title == "hat"
        shell("key", "revoke", made["id"])
        time.sleep(1.2)
        with Client(url, key=made["key"]) as client, pytest.raises(CrosslensError, match="key"):
            client.products()


def test_a_port_that_is_taken_is_said(server: Server, tmp_path: Path, shell: Shell) -> None:
    port = server.url.rsplit(":", 1)[1]
    ran = Shell(tmp_path / "other", shell.capture)("serve", "--port", port)
    assert ran.code == 1
    assert f"port {port}" in ran.err


def test_a_second_service_over_the_same_home_says_who_has_the_index(
    server: Server, home: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "crosslens", "--home", home, "serve", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "in use by" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_a_service_killed_under_write_load_loses_nothing_it_acknowledged(
    home: Path, shell: Shell
) -> None:
    random.seed(7)
    acknowledged: dict[str, str] = {}
    starts = []
    for life in range(KILLS):
        server = Server(home)
        starts.append(server.start())
        killer = threading.Timer(random.uniform(0.1, 0.8), server.kill)
        killer.start()
        with ThreadPoolExecutor(WRITERS) as pool:
            jobs = [pool.submit(_write, server.url, f"{life}-{n}") for n in range(WRITERS)]
            for job in jobs:
                acknowledged.update(job.result())
        killer.join()
    assert acknowledged
    with Server(home) as server, Client(server.url) as client:
        held = {product.source_key: product.title for product in client.all_products()}
        lost = {key for key, title in acknowledged.items() if held.get(key) != title}
        assert not lost
    _end_leases(home)
    shell.json("index", "work")
    audit = shell("index", "audit", "--json").json
    assert (audit["missing"], audit["stale"], audit["orphaned"]) == (0, 0, 0), audit
    print(f"{len(acknowledged)} acknowledged writes, starts {min(starts):.2f}–{max(starts):.2f} s")


def _write(url: str, who: str) -> dict[str, str]:
    """Add, edit, and put in batches until the service is gone; return what it acknowledged."""
    done: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=30) as http:
        try:
            for n in range(10_000):
                key = f"{who}-{n}"
                body = {"title": "shirt", "source_key": key, "pictures": [base64_of(jpeg())]}
                made = http.post("/product", json=body)
                done[key] = "shirt"
                path = made.headers["location"]
                if n % 2:
                    # from here until it is acknowledged, either title is right
                    done.pop(key)
                    http.patch(path, json={"title": f"hat {n}"})
                    done[key] = f"hat {n}"
                rows = [{"source_key": f"{key}-{m}", "title": "sock"} for m in range(5)]
                http.post("/product/batch", json={"products": rows}).raise_for_status()
                done |= {row["source_key"]: "sock" for row in rows}
        except httpx.TransportError:
            return done
    return done


@pytest.mark.slow
def test_400_users_get_an_answer_or_are_told_when_to_come_again(home: Path) -> None:
    (home / "crosslens.toml").write_text("searches = 100\n", "utf-8")
    with Server(home) as server, Client(server.url) as client:
        list(client.put_products({"source_key": str(n), "title": f"shirt {n}"} for n in range(500)))
        client.wait_until_indexed()
        before = _memory(server)
        answers = asyncio.run(_crowd(server.url, users=400, seconds=4.0))
        after = _memory(server)
        started = time.perf_counter()
        assert client.search("shirt 7").hits
        recovered = time.perf_counter() - started
    statuses = {status for status, _ in answers}
    assert statuses == {200, 429}
    assert all(retry and int(retry) >= 1 for status, retry in answers if status == 429)
    assert recovered < 1.0
    assert after - before < 300, f"memory rose from {before} to {after} MB"


async def _crowd(url: str, *, users: int, seconds: float) -> list[tuple[int, str | None]]:
    answers: list[tuple[int, str | None]] = []
    due = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=users, max_keepalive_connections=users)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http:

        async def user(number: int) -> None:
            asked = 0
            while time.monotonic() < due:
                asked += 1
                body = {"words": f"shirt {number} {asked}"}
                answer = await http.post("/search", json=body)
                answers.append((answer.status_code, answer.headers.get("retry-after")))
                if answer.status_code == 429:
                    await asyncio.sleep(0.2)

        await asyncio.gather(*map(user, range(users)))
    return answers


def test_a_client_waits_for_a_service_that_is_just_starting(home: Path) -> None:
    with Server(home) as server:
        server.kill()
        port = server.url.rsplit(":", 1)[1]
        patient = Client(server.url, patience=Patience(tries=40, first_s=0.1, longest_s=0.5))
        with patient as client, ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.products)
            again = Server(home, arguments=("--port", port))
            with again:
                assert answer.result(60).total == 0


def settled(http: httpx.Client) -> None:
    for _ in range(600):
        changes = http.get("/ready").json()["checks"]["changes"]
        if not changes["waiting"] + changes["leased"]:
            return
        time.sleep(0.05)
    raise AssertionError("changes are not settled")


def _memory(server: Server) -> float:
    """Resident megabytes of the service."""
    assert server.process is not None
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _end_leases(home: Path) -> None:
    """Let the leases of the dead run out at once."""
    with closing(sqlite3.connect(home / "catalog.db")) as connection:
        connection.execute("UPDATE changes SET due_at = 0, lease_until = 0 WHERE state = 1")
        connection.commit()

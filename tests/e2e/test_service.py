"""`crosslens serve` as a process: it starts, stops, is killed and comes back with everything."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx
import pytest

from crosslens import settings, wiring
from crosslens.client import Client, Patience
from crosslens.corpora.sources import open_source
from crosslens.errors import CrosslensError
from crosslens.settings import write_missing
from fakes import jpeg
from service import Server, base64_of
from shell import Shell

KILLS = int(os.environ.get("CROSSLENS_TEST_KILLS", "10"))  # noqa: TID251 - a long run has more
PRODUCTS = int(os.environ.get("CROSSLENS_TEST_PRODUCTS", "0"))  # noqa: TID251
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


def test_a_service_over_a_damaged_index_starts_answers_and_mends_itself(home: Path) -> None:
    with Server(home) as server, Client(server.url) as client:
        list(client.put_products({"source_key": str(n), "title": f"shirt {n}"} for n in range(40)))
        client.wait_until_indexed()
        server.stop(signal.SIGTERM)
    for manifest in (home / "index").glob("generation-*/text/manifest.*"):
        os.truncate(manifest, 99)
    with Server(home) as server, server.client() as http:
        assert http.get("/ready").status_code == 200
        assert http.post("/search", json={"words": "shirt"}).status_code == 200
        until = time.monotonic() + 120
        while "filling" in (index := http.get("/ready").json()["checks"]["index"]):
            assert time.monotonic() < until, index
        assert index["products"] == 40
        _, err = server.stop(signal.SIGTERM)
    assert "index set aside" in err
    with Server(home) as server:
        assert "index set aside" not in server.stop(signal.SIGTERM)[1]


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
        timeout=300,
        check=False,
    )
    assert ran.returncode == 1
    assert "in use by" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_a_service_killed_under_write_load_loses_nothing_it_acknowledged(
    home: Path, shell: Shell, tmp_path: Path
) -> None:
    """
    Kill it as often as CROSSLENS_TEST_KILLS says, over as many products as CROSSLENS_TEST_PRODUCTS.
    """
    random.seed(7)
    _fill(home, tmp_path, PRODUCTS)
    acknowledged: dict[str, str] = {}
    starts, spent, said = [], [], []
    for life in range(KILLS):
        server = Server(home)
        starts.append(server.start())
        spent.append(_cpu_seconds(server))
        begun = threading.Event()
        if life % 2:  # mending what the last kill left goes on; else, writes do
            begun.set()
        with ThreadPoolExecutor(WRITERS) as pool:
            names = [f"{life}-{n}" for n in range(WRITERS)]
            jobs = [pool.submit(_write, server.url, name, begun) for name in names]
            begun.wait(60)
            time.sleep(random.uniform(0.05, 0.8))
            said.append(server.kill())
            for job in jobs:
                acknowledged.update(job.result())
    assert acknowledged
    with Server(home) as server, Client(server.url) as client:
        assert httpx.get(f"{server.url}/ready").status_code == 200
        held = {product.source_key: product.title for product in client.all_products()}
        lost = {key for key, title in acknowledged.items() if held.get(key) != title}
        assert not lost
    shell.json("index", "work")
    audit = shell("index", "audit", "--json").json
    assert (audit["missing"], audit["stale"], audit["orphaned"]) == (0, 0, 0), audit
    assert audit["products"] >= PRODUCTS + len(acknowledged)
    aside = sum("index set aside" in lines for lines in said)
    print(
        f"{KILLS} kills over {PRODUCTS} products, {len(acknowledged)} writes acknowledged, 0 lost; "
        f"an index set aside {aside} times; "
        f"ready after {median(starts):.2f} s (at most {max(starts):.2f}), "
        f"{median(spent):.2f} CPU s (at most {max(spent):.2f})"
    )


def _fill(home: Path, folder: Path, products: int) -> None:
    """Import products with pictures of a few hundred colours."""
    if not products:
        return
    for n in range(250):
        (folder / f"{n}.jpg").write_bytes(jpeg((n, n * 7 % 251, n * 13 % 251)))
    records = [
        {"key": f"old-{n}", "title": f"coat {n}", "pictures": [f"{n % 250}.jpg"], "colour": "red"}
        for n in range(products)
    ]
    source = folder / "products.jsonl"
    source.write_text("\n".join(map(json.dumps, records)), "utf-8")
    with wiring.build(settings.load(home)) as app:
        tally, _ = app.import_all(open_source(source))
    assert tally.stored == products, tally


def _cpu_seconds(server: Server) -> float:
    """What the service has used so far."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write(url: str, who: str, begun: threading.Event) -> dict[str, str]:
    """Add, edit, and put in batches until the service is gone; return what it acknowledged."""
    done: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=30) as http:
        try:
            for n in range(10_000):
                key = f"{who}-{n}"
                body = {"title": "shirt", "source_key": key, "pictures": [base64_of(jpeg())]}
                made = http.post("/product", json=body)
                done[key] = "shirt"
                begun.set()
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
        assert client.search("shirt 7").hits
    statuses = {status for status, _ in answers}
    assert statuses == {200, 429}
    assert all(retry and int(retry) >= 1 for status, retry in answers if status == 429)
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
        patient = Client(server.url, patience=Patience(tries=400, first_s=0.1, longest_s=0.5))
        with patient as client, ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.products)
            again = Server(home, arguments=("--port", port))
            with again:
                assert answer.result(240).total == 0


def settled(http: httpx.Client) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
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

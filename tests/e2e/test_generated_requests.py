"""
Generated requests, those that fit the OpenAPI document and those that break it.

CROSSLENS_TEST_REQUESTS says how many; without it as many rounds over all paths as fit into some
seconds, one at least, and always the same requests.
"""

from __future__ import annotations

import itertools
import json
import os
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings

from crosslens.api.keys import KeyFile, Role
from crosslens.client import Client
from crosslens.settings import write_missing
from fakes import jpeg
from service import Server

REQUESTS = int(os.environ.get("CROSSLENS_TEST_REQUESTS", "0"))  # noqa: TID251 - a long run has more
SECONDS = 40
AT_ONCE = 100 if REQUESTS else 8  # requests to one path before the next has its turn
LONGEST_ADDRESS = 5_000  # characters of a query; beyond, servers hang up
LONGEST_S = 30

schemathesis = pytest.importorskip("schemathesis")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@dataclass
class Asked:
    """What was answered so far."""

    statuses: Counter[int] = field(default_factory=Counter)
    by_path: dict[str, Counter[int]] = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")

    def note(self, path: str, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.by_path.setdefault(path, Counter())[status] += 1
        self.slowest = max(self.slowest, (seconds, path))


@pytest.mark.timeout(0 if REQUESTS else 300)
def test_nothing_that_fits_or_breaks_the_document_breaks_the_service(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_missing(home, attributes={"colour": "keyword", "price": "number"})
    with warnings.catch_warnings(), Server(home) as server:
        warnings.simplefilter("ignore")
        fill(server.url)
        keys = {role: KeyFile(home / "keys.json").new(role)[1] for role in (Role.WRITE, Role.ADMIN)}
        time.sleep(1.1)  # until the service has seen them
        asked = ask_all(
            server.url, {role: {"Authorization": f"Bearer {key}"} for role, key in keys.items()}
        )
        with server.client() as http:
            assert http.get("/health").elapsed.total_seconds() < 1
        code, err = server.stop(15)
    report(asked)
    assert (code, "Traceback" in err) == (0, False), err[-5_000:]
    assert max(asked.statuses) < 500
    assert asked.statuses.total() > 300
    assert {200, 201, 404, 422} <= set(asked.statuses)
    assert asked.statuses[401] < asked.statuses.total() / 4, "most must get past the door"


def fill(url: str) -> None:
    with Client(url) as client:
        for n in range(20):
            attributes = {"colour": "red", "price": n}
            client.add_product("red shoe", attributes=attributes, pictures=[jpeg((n, 9, 9))])


def ask_all(url: str, who: dict[Role, dict[str, str]]) -> Asked:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    asked, due = Asked(), time.monotonic() + SECONDS
    for round_ in itertools.count():
        for operation in operations:
            for mode in schemathesis.GenerationMode:
                ask_about(operation, mode, round_, who, asked)
        late = time.monotonic() > due
        print(f"round {round_ + 1}: {asked.statuses.total():,} requests", flush=True)
        if asked.statuses.total() >= REQUESTS if REQUESTS else late:
            return asked
    raise AssertionError("unreachable")


def ask_about(
    operation: Any, mode: Any, round_: int, who: dict[Role, dict[str, str]], asked: Asked
) -> None:
    """Ask one path, a number of times."""
    # an admin may import any file of this machine, which is not for chance to choose
    headers = who[Role.WRITE if operation.path == "/import" else Role.ADMIN]

    @seed(round_)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer(case, headers, asked)

    try:
        ask()
    except Exception as exc:
        if type(exc).__name__ not in ("Unsatisfiable", "SkipTest"):
            raise


def answer(case: Any, headers: dict[str, str], asked: Asked) -> None:
    started = time.perf_counter()
    try:
        response = case.call(timeout=LONGEST_S, headers=headers)
    except requests.ConnectionError:
        if len(str(case.query)) > LONGEST_ADDRESS:
            return
        raise
    where = f"{case.method} {case.path}"
    asked.note(where, response.status_code, time.perf_counter() - started)
    shown = (case.as_curl_command()[:2_000], response.text[:2_000])
    assert response.status_code < 500, shown
    if response.status_code >= 400:
        assert json.loads(response.content)["status"] == response.status_code, shown


def report(asked: Asked) -> None:
    print(f"{asked.statuses.total():,} requests, statuses {dict(sorted(asked.statuses.items()))}")
    print(f"slowest {asked.slowest[0]:.2f} s, {asked.slowest[1]}")
    for path, statuses in sorted(asked.by_path.items()):
        print(f"  {path}: {dict(sorted(statuses.items()))}")

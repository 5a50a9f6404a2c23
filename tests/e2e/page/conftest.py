"""One service, one page, one browser for all tests of the page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crosslens.client import Client
from crosslens.settings import write_missing
from drawing import write_scribble
from service import Server

CHROMIUM = "/usr/bin/chromium"
PRODUCTS = 160
SCENES = """
scenes:
  tested:
    match: {probes: {keyword: 1}}
    layers:
      - name: ranking
        experiments:
          - {name: base, ratio: 1}
          - {name: turned, ratio: 1, rank: {diversity: 0.9, depth: 10}}
"""
ATTRIBUTES = {
    **dict.fromkeys(("category", "colour", "pattern", "material"), "keyword"),
    "price": "number",
}


@dataclass
class Shop:
    """A service over a part of the sample shop, and its page."""

    home: Path
    server: Server
    page_url: str = ""
    clients: list[Client] = field(default_factory=list)

    @property
    def client(self) -> Client:
        if not self.clients:
            self.clients.append(Client(self.server.url))
        return self.clients[0]

    @property
    def port(self) -> str:
        return self.server.url.rsplit(":", 1)[1]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("page") / "home"
    write_missing(home, attributes=ATTRIBUTES)
    (home / "scenes.yaml").write_text(SCENES, "utf-8")
    write_scribble(home / "generators" / "scribble")
    (home / "generators" / "broken").mkdir()
    (home / "generators" / "broken" / "card.toml").write_text("nothing", "utf-8")
    sample = _part_of_sample(home.parent / "sample")
    subprocess.run(_crosslens(home, "import", str(sample)), check=True, capture_output=True)
    server = Server(home)
    server.start()
    shop = Shop(home, server)
    shop.client.generator()  # loaded when first asked for, longer than a page waits on a busy day
    try:
        with _page(home, server.url) as url:
            shop.page_url = url
            yield shop
    finally:
        for client in shop.clients:
            client.close()
        shop.server.kill()


class _page:  # noqa: N801 - a context manager, used as a function
    def __init__(self, home: Path, service: str) -> None:
        options = ["page", "--url", service, "--port", "0"]
        self._process = subprocess.Popen(
            _crosslens(home, *options),
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        return found[0]

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)


def _crosslens(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "crosslens", "--home", str(home), *arguments]


def _part_of_sample(folder: Path) -> Path:
    import crosslens.bundled

    sample = Path(crosslens.bundled.__file__).parent / "sample"
    (folder / "images").mkdir(parents=True)
    rows = (sample / "items.jsonl").read_text("utf-8").splitlines()[:PRODUCTS]
    (folder / "items.jsonl").write_text("\n".join(rows), "utf-8")
    for row in map(json.loads, rows):
        for name in (row["image"], *row["other_images"]):
            shutil.copyfile(sample / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def chromium(request: pytest.FixtureRequest) -> Iterator[Any]:
    """
    Debian's Chromium, driven by Playwright.

    Ended with its module, since Playwright keeps an event loop running, beside which no test that
    comes later could run one of its own.
    """
    absent = "Chromium is not installed" if not Path(CHROMIUM).exists() else ""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent = "Playwright is not installed"
    if absent and request.config.getoption("--require-servers"):
        pytest.fail(absent)
    if absent:
        pytest.skip(absent)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody with a browser; what the page asks of other hosts and what breaks is noted."""

    page: Any
    base: str
    foreign: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = (self.base, self.base.replace("http", "ws"), "data:", "blob:")
        self.page.on(
            "request", lambda r: None if r.url.startswith(own) else self.foreign.append(r.url)
        )
        self.page.on("pageerror", lambda exc: self.broken.append(str(exc)))

    def open(self, path: str = "/") -> None:
        self.page.goto(self.base + path)
        self.page.wait_for_selector(".part h1")

    def titles(self) -> list[str]:
        return [title.inner_text() for title in self.page.query_selector_all(".card .title")]

    def found(self, address: str) -> list[str]:
        """Wait for the answer to the question of an address, and return its titles."""
        self.page.wait_for_selector(f'.part.results[data-ready*="{address}"]')
        return self.titles()

    def ask(self, words: str) -> None:
        box = self.page.get_by_role("searchbox")
        box.fill(words)
        box.press("Enter")

    def within(self, seconds: float, holds: Any) -> None:
        due = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < due, "not in time"
            self.page.wait_for_timeout(50)


@pytest.fixture
def visit(chromium: Any, shop: Shop) -> Iterator[Any]:
    """Make visitors; each has a browser context of its own."""
    contexts, visitors = [], []

    def make(*, locale: str = "en-US", width: int = 1280, dark: bool = False) -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            locale=locale,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        visitors.append(Visitor(context.new_page(), shop.page_url))
        return visitors[-1]

    yield make
    for context in contexts:
        context.close()
    for visitor in visitors:
        assert visitor.foreign == [], "no other host is asked"
        assert visitor.broken == [], "no script breaks"


@pytest.fixture
def visitor(visit: Any) -> Visitor:
    return visit()

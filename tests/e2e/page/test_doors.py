"""`crosslens demo`: API and page opened in one go, ended in one go."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from shell import start
from tiny_bundle import write_tiny

pytest.importorskip("streamlit")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of both demos: the second finds the shop of the first."""
    return tmp_path_factory.mktemp("doors") / "home"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(autouse=True)
def apart(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSLENS_CROSS_MODAL", str(tiny))
    for name in ("CROSSLENS_PORT", "CROSSLENS_PAGE_PORT"):
        monkeypatch.setenv(name, "0")


def test_the_demo_opens_api_and_page_and_ctrl_c_ends_both(home: Path) -> None:
    demo = start(home, "demo")
    urls = _urls(demo)
    try:
        assert httpx.get(f"{urls['API']}/ready").json()["status"] == "ready"
        assert "<title>" in httpx.get(urls["page"]).text
    finally:
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, err
    assert "Traceback" not in err
    for url in urls.values():
        with pytest.raises(httpx.TransportError):
            httpx.get(url)


def test_the_page_ends_with_a_demo_that_was_killed(home: Path) -> None:
    demo = start(home, "demo")
    page = _urls(demo)["page"]
    demo.kill()
    due = time.monotonic() + 20
    while _answers(page):
        assert time.monotonic() < due, "the page outlives the demo"
        time.sleep(0.1)
    demo.communicate(timeout=20)


def _urls(demo: subprocess.Popen[str]) -> dict[str, str]:
    urls: dict[str, str] = {}
    assert demo.stdout is not None
    for line in demo.stdout:
        if found := re.search(r"the (API|page) is ready on (http://[\d.:]+)", line):
            urls[found[1]] = found[2]
        if len(urls) == 2:
            return urls
    raise AssertionError(demo.communicate())


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code > 0
    except httpx.TransportError:
        return False

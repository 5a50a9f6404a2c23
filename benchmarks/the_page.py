"""
How long a visitor waits: for the first useful paint, and for an answer.

    python benchmarks/the_page.py

Starts a service over the sample catalogue and its page, and looks at it in Chromium. Prints wall
clock and the CPU seconds that service and page spent per answer, which a busy machine does not
stretch.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CHROMIUM = "/usr/bin/chromium"
WORDS = (
    *("red backpack", "floral dress", "polka dot high heels", "green mug", "striped cushion"),
    *("sunglasses", "toy car", "蓝色雨伞", "皮质沙发", "红色格子双肩包"),
)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """A running service and its page: addresses and process ids."""

    service: str
    page: str
    processes: tuple[int, int]


@contextmanager
def running(home: Path) -> Iterator[Place]:
    """Run the demo's shop and page on free ports until the end."""
    command = [sys.executable, "-m", "crosslens", "--home", str(home)]
    subprocess.run([*command, "demo", "--no-serve"], check=True, stdout=subprocess.DEVNULL)
    with _started([*command, "serve", "--port", "0"]) as (service, first):
        page = [*command, "page", "--port", "0", "--url", service]
        with _started(page) as (url, second):
            yield Place(service, url, (first, second))


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "no address"
        yield found[0], process.pid
    finally:
        process.terminate()
        process.communicate(timeout=30)


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with (
        TemporaryDirectory(prefix="crosslens-") as folder,
        running(Path(folder)) as place,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        _first_paints(browser, place, rounds)
        _answers(browser, place, rounds)
        browser.close()


def _first_paints(browser: Any, place: Place, rounds: int) -> None:
    cold, warm = [], []
    for _ in range(rounds):
        context = browser.new_context()
        page = context.new_page()
        cold.append(_until_useful(page, place.page))
        warm.append(_until_useful(page, place.page))
        context.close()
    _say("box and pictures are there, empty cache", cold)
    _say("box and pictures are there, warm cache", warm)


def _until_useful(page: Any, url: str) -> float:
    started = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("input[type=search]")
    page.wait_for_function(
        """() => [...document.querySelectorAll('*')].some(n => [...(n.shadowRoot?.querySelectorAll(
        '.frame img') || [])].some(i => i.complete && i.naturalWidth))"""
    )
    return 1e3 * (time.perf_counter() - started)


def _answers(browser: Any, place: Place, rounds: int) -> None:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(place.page)
    box = page.get_by_role("searchbox")
    _ask(page, box, "warm up")
    before, took = [_cpu_s(pid) for pid in place.processes], []
    for number in range(rounds):
        took += [_ask(page, box, f"{words} {number}") for words in WORDS]
    spent = [_cpu_s(pid) - then for pid, then in zip(place.processes, before, strict=True)]
    _say("answer to a question, cards in place", took)
    service, own = (1e3 * each / len(took) for each in spent)
    print(f"CPU per answer: service {service:.0f} ms, page {own:.0f} ms")
    print(f"load while measuring: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _ask(page: Any, box: Any, words: str) -> float:
    from urllib.parse import quote_plus

    box.fill(words)
    started = time.perf_counter()
    box.press("Enter")
    page.wait_for_selector(f'.part.results[data-ready*="q={quote_plus(words)}"]')
    return 1e3 * (time.perf_counter() - started)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _say(what: str, times: list[float]) -> None:
    print(
        f"{what}: median {statistics.median(times):.0f} ms, "
        f"fastest {min(times):.0f}, slowest {max(times):.0f} (n={len(times)})"
    )


if __name__ == "__main__":
    main()

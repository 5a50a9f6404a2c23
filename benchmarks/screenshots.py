"""
Take the pictures of the docs from the real page over the sample catalogue.

    make screenshots

Writes docs/pictures/*.webp. Needs the extra `ui`, Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from crosslens.client import Client
from the_page import CHROMIUM, running

DOCS = Path(__file__).parent.parent / "docs" / "pictures"
LARGEST = 250_000


@dataclass(frozen=True)
class Shot:
    """One picture: of an address, in a window, after something was done there."""

    name: str
    path: str
    width: int = 1600
    height: int = 1000
    dark: bool = False
    locale: str = "en-US"
    click: str = ""


SHOTS = (
    Shot("search", "/?q=red+backpack", click=".card .below button:last-child"),
    Shot("search-dark", "/?q=blue+mug&is=pattern%3Afloral&is=pattern%3Astriped", dark=True),
    Shot("search-zh", "/?q=%E7%BA%A2%E8%89%B2%E9%AB%98%E8%B7%9F%E9%9E%8B", locale="zh-CN"),
    Shot("search-phone", "/?q=sunglasses", width=390, height=844),
    Shot("catalogue", "/catalogue"),
    Shot("catalogue-phone", "/catalogue", width=390, height=844, dark=True),
    Shot("edit", "/catalogue?product=12", width=1280, height=860),
    Shot("system", "/system", height=1280),
    Shot("quality", "/quality", height=1400),
)


def main() -> None:
    """Start a service and a page over the sample, and look at every address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of pictures")
    only = parser.parse_args().only
    with TemporaryDirectory(prefix="crosslens-") as folder, running(Path(folder)) as place:
        _be_busy(place.service)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for shot in SHOTS:
                if not only or shot.name in only:
                    _take(browser, place.page, shot)
            browser.close()


def _be_busy(service: str) -> None:
    """Let there be something to see: searches, an audit, two evaluations."""
    with Client(service) as client:
        for words in ("hat", "red mug", "蓝色雨伞", "floral dress", "手表") * 6:
            client.search(words)
        client.wait_for_task(client.start_audit().task)
        for kind in ("text2image", "hybrid"):
            client.wait_for_task(client.start_evaluation("sample", kind=kind).task)


def _take(browser: Any, base: str, shot: Shot) -> None:
    with _window(browser, shot) as page:
        page.goto(base + shot.path)
        page.wait_for_selector(".part h1")
        page.wait_for_load_state("networkidle")
        if shot.click:
            page.locator(shot.click).first.click()
        page.wait_for_timeout(800)
        picture = Image.open(io.BytesIO(page.screenshot()))
    DOCS.mkdir(parents=True, exist_ok=True)
    file = DOCS / f"{shot.name}.webp"
    for quality in (88, 80, 70, 60):
        picture.convert("RGB").save(file, quality=quality, method=6)
        if file.stat().st_size <= LARGEST:
            break
    print(f"{file.relative_to(DOCS.parent.parent)}: {file.stat().st_size / 1e3:.0f} kB")


@contextmanager
def _window(browser: Any, shot: Shot) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=2 if shot.width < 600 else 1,
        color_scheme="dark" if shot.dark else "light",
        locale=shot.locale,
        reduced_motion="reduce",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


if __name__ == "__main__":
    main()

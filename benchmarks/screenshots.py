"""
Take the pictures of the docs from the real page over the sample catalogue.

    make screenshots

Writes docs/pictures/*.webp. Needs the extra `ui`, Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from PIL import Image, ImageOps
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
    wait: str = ""


SIDES = urlencode({"a": '["shop","ranking","base"]', "b": '["shop","ranking","diverse"]'})
SCENES = """
scenes:
  shop:
    layers:
      - name: ranking
        experiments:
          - {name: base, ratio: 0.5}
          - {name: diverse, ratio: 0.3, rank: {diversity: 0.5}}
          - {name: by-words, ratio: 0.2, match: {alpha: 0}}
"""
CLICKS = {"base": 0.3, "diverse": 0.42, "by-words": 0.2}
DRAWN_ZH = "/draw?" + urlencode({"q": "红色双肩包", "n": 2, "seed": 1})
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
    Shot("judging", "/judging?set=golden&q=red+backpack", height=1050),
    Shot("judging-phone", "/judging?set=golden&q=red+backpack", width=390, height=844),
    Shot("experiments", "/experiments", height=1000),
    Shot("beside", f"/beside?q=backpack&{SIDES}", height=1100),
    Shot("draw", "/draw?q=blue+striped+t-shirt&n=4&seed=3", click=".go", wait=".made img"),
    Shot("draw-zh", DRAWN_ZH, 390, 844, dark=True, locale="zh-CN", click=".go", wait=".made img"),
    Shot("imagine", "/?q=red+striped+t-shirt&imagine=1", wait=".imagined img"),
    Shot("duplicates", "/duplicates", height=1150),
    Shot("duplicates-zh", "/duplicates?view=untitled", width=390, height=844, locale="zh-CN"),
)


def main() -> None:
    """Start a service and a page over the sample, and look at every address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of pictures")
    only = parser.parse_args().only
    with TemporaryDirectory(prefix="crosslens-") as folder, running(Path(folder)) as place:
        (Path(folder) / "scenes.yaml").write_text(SCENES, "utf-8")
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
        _experiment(client)
        _judge(client)
        _double(client)


def _experiment(client: Client) -> None:
    """Ask within a scene as many people do, and click now and then."""
    draw = random.Random(5)
    while not any(scene.name == "shop" for scene in client.scenes().scenes):
        time.sleep(0.5)
    for user in range(600):
        answer = client.search(draw.choice(("hat", "mug", "雨伞")), scene="shop", user=f"u{user}")
        if draw.random() < CLICKS[answer.experiments["ranking"]]:
            client.feedback(answer.answer_id, (answer.hits[0].product.id, "click"))


def _judge(client: Client) -> None:
    """Judge by attributes: right in both, in one, or in none."""
    wanted = (("floral dress", "dress", "pink"), ("蓝色雨伞", "umbrella", "blue"))
    for words, kind, colour in (*wanted, ("red backpack", "backpack", "red")):
        for found in client.judging_candidates("golden", words, limit=10)[:7]:
            has = found.product.attributes
            right = (has.get("category") == kind) + (has.get("colour") == colour)
            client.judge("golden", words, {found.key: (0, 1, 3)[right]})


def _double(client: Client) -> None:
    """Put some products in twice, as shops do, and look for them."""
    products = client.products(page_size=40, sort="created", descending=False).products
    for n, one in enumerate(products[:6]):
        picture = ImageOps.mirror(Image.open(io.BytesIO(client.picture(one.id))).convert("RGB"))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=60)
        client.add_product(f"IMG_{2041 + n}", pictures=[out.getvalue()])
    for one in products[8:10]:
        client.add_product(f"{one.title} – sale", pictures=[client.picture(one.id)])
    client.wait_until_indexed()
    client.wait_for_task(client.scan_duplicates().task)


def _take(browser: Any, base: str, shot: Shot) -> None:
    with _window(browser, shot) as page:
        page.goto(base + shot.path)
        page.wait_for_selector(".part h1")
        page.wait_for_load_state("networkidle")
        if shot.click:
            page.locator(shot.click).first.click()
        if shot.wait:
            page.locator(shot.wait).first.wait_for()
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

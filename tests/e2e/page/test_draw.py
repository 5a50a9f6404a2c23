"""Drawing in the browser: words become pictures that are kept, looked for, and made products."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from crosslens.client import Client, Patience
from crosslens.errors import Conflict, Overloaded
from crosslens.generate.provenance import read_provenance

pytestmark = pytest.mark.browser

LONG: dict[str, Any] = {"n": 10, "steps": 150}  # some seconds even for the one that comes along


def words(visitor: Any) -> Any:
    return visitor.page.get_by_label("Words to draw")


def draw(visitor: Any, said: str, pictures: int = 2) -> list[str]:
    """Draw, and return where the pictures lie."""
    words(visitor).fill(said)
    visitor.page.locator("#n").select_option(str(pictures))
    words(visitor).press("Enter")
    return drawn(visitor, said, pictures)


def drawn(visitor: Any, said: str, pictures: int) -> list[str]:
    visitor.page.get_by_role("heading", name=said, exact=True).wait_for()
    cards = visitor.page.locator(".made .card img")
    visitor.within(60, lambda: cards.count() == pictures)
    visitor.within(60, lambda: cards.last.evaluate("n => n.naturalWidth > 0"))
    return [cards.nth(n).get_attribute("src") for n in range(pictures)]


def test_words_become_pictures_that_a_link_leads_back_to(visitor: Any, visit: Any) -> None:
    visitor.open("/draw")
    made = draw(visitor, "red hat")
    assert len(set(made)) == 2
    seeds = visitor.page.locator(".seeded").all_inner_texts()
    first, second = (int(re.findall(r"\d+", each)[0]) for each in seeds)
    assert second == (first + 1) % 2**32
    address = visitor.page.url
    assert "q=red+hat" in address
    visitor.page.reload()
    assert drawn(visitor, "red hat", 2) == made
    other = visit()
    other.open(address.removeprefix(other.base))
    assert drawn(other, "red hat", 2) == made
    assert words(other).input_value() == "red hat"


def test_a_picture_is_downloaded_with_its_story(visitor: Any, tmp_path: Path) -> None:
    visitor.open("/draw")
    draw(visitor, "红色 帽子", 1)
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("link", name="Download").click()
    assert re.fullmatch(r"红色-帽子-\d+\.png", waiting.value.suggested_filename)
    waiting.value.save_as(tmp_path / "drawn.png")
    told = read_provenance((tmp_path / "drawn.png").read_bytes())
    assert told is not None
    assert (told.prompt, told.generator) == ("红色 帽子", "crosslens-sketch")


def test_a_search_starts_from_a_picture_that_was_drawn(visitor: Any) -> None:
    visitor.open("/draw")
    [made] = draw(visitor, "green mug", 1)
    visitor.page.get_by_role("link", name="Search with it").click()
    assert visitor.found("picture=")
    assert made.removeprefix("/drawn/") in visitor.page.url
    visitor.page.get_by_role("button", name="Take off: Your picture").wait_for()


def test_a_product_is_made_of_pictures_that_were_drawn(visitor: Any, shop: Any) -> None:
    visitor.open("/draw")
    draw(visitor, "numbat lamp")
    visitor.page.get_by_role("link", name="Make a product of all 2").click()
    dialog = visitor.page.locator("dialog")
    dialog.wait_for()
    assert visitor.page.locator("#title").input_value() == "numbat lamp"
    visitor.within(5, lambda: dialog.locator(".strip img").count() == 2)
    names = dialog.get_by_label("Name", exact=True)
    at = next(n for n in range(names.count()) if names.nth(n).input_value() == "colour")
    dialog.get_by_label("Value", exact=True).nth(at).fill("red")
    dialog.get_by_role("button", name="Save").click()
    visitor.page.get_by_text("Added “numbat lamp”").wait_for()
    assert "picture=" not in visitor.page.url
    [product] = shop.client.products(find="numbat lamp").products
    assert (len(product.pictures), product.attributes) == (2, {"colour": "red"})
    assert read_provenance(shop.client.picture(product.id)) is not None
    shop.client.remove_product(product.id)


def test_a_seed_is_kept_or_changed_and_what_was_drawn_is_remembered(visitor: Any) -> None:
    visitor.open("/draw")
    before = draw(visitor, "blue umbrella")
    visitor.page.get_by_role("button", name="Keep seed").nth(1).click()
    assert draw(visitor, "blue umbrella", 1) == [before[1]]
    assert "seed=" in visitor.page.url
    visitor.page.get_by_role("button", name="Another seed").click()
    cards = visitor.page.locator(".made .card img")
    visitor.within(60, lambda: cards.count() == 1 and cards.get_attribute("src") != before[1])
    assert "seed=" not in visitor.page.url
    recent = visitor.page.get_by_role("link", name="blue umbrella, 2 drawn")
    recent.click()
    assert drawn(visitor, "blue umbrella", 2) == before
    visitor.page.reload()
    visitor.page.get_by_role("link", name="blue umbrella, 1 drawn").first.wait_for()
    visitor.page.get_by_role("button", name="Forget them").click()
    visitor.page.get_by_text("Drawn in this tab").wait_for(state="detached")


def test_a_long_drawing_shows_how_far_it_is_and_is_stopped(visitor: Any) -> None:
    visitor.open("/draw?q=chair&n=10&steps=150")
    words(visitor).press("Enter")
    visitor.page.get_by_text(re.compile(r"Picture \d of 10")).wait_for()
    bar = visitor.page.locator(".drawing progress")
    visitor.within(60, lambda: bar.evaluate("n => n.value") > 0)
    visitor.page.get_by_role("button", name="Stop").click()
    visitor.page.get_by_text("Stopped before it was done").wait_for()
    draw(visitor, "mug", 1)


@contextmanager
def crowd(url: str) -> Iterator[None]:
    """Let as many drawings wait as may."""
    begun: list[str] = []
    with Client(url, patience=Patience(tries=1)) as client:
        try:
            with pytest.raises(Overloaded):
                begun.extend(client.start_drawing("crowd", **LONG).task for _ in range(12))
            yield
        finally:
            for task in begun:
                with suppress(Conflict):  # drawn by now
                    client.cancel_drawing(task)


def test_a_full_queue_is_told_in_words(visitor: Any, shop: Any) -> None:
    visitor.open("/draw")
    with crowd(shop.server.url):
        words(visitor).fill("mug")
        words(visitor).press("Enter")
        visitor.page.get_by_text("Many drawings wait already").wait_for()
    assert words(visitor).input_value() == "mug"
    draw(visitor, "mug", 1)


WRONG = (
    ("Words to draw", "", "Say first what to draw"),
    ("Words to draw", "x" * 10_000, "10,000 characters long; at most 2,000"),
    ("What it should not look like", "x" * 2_001, "2,001 characters long; at most 2,000"),
    ("Seed", str(2**32), "Seed must be a whole number from 0 to 4294967295"),
    ("Steps", "151", "Steps must be a whole number from 1 to 150"),
    ("Guidance", "31", "Guidance must be from 0 to 30"),
)


def test_what_cannot_be_drawn_is_told_before_it_is_asked(visitor: Any) -> None:
    visitor.open("/draw")
    words(visitor).fill("mug")
    visitor.page.get_by_text("Settings", exact=True).click()
    for name, value, said in WRONG:
        box = visitor.page.get_by_label(name, exact=True)
        before = box.input_value()
        box.fill(value)
        visitor.page.get_by_role("button", name="Draw", exact=True).click()
        visitor.page.get_by_role("alert").filter(has_text=said).wait_for()
        box.fill(before)
    assert "task=" not in visitor.page.url


def test_each_generator_says_what_it_is_or_why_it_cannot(visitor: Any) -> None:
    visitor.open("/draw?generator=broken")
    visitor.page.get_by_text("This generator cannot draw now").wait_for()
    assert visitor.page.get_by_role("button", name="Draw", exact=True).is_disabled()
    visitor.page.get_by_text("Settings", exact=True).click()
    visitor.page.get_by_label("Generator").select_option("scribble")
    visitor.page.get_by_text("8 × 8").first.wait_for()
    draw(visitor, "red shoe", 1)
    visitor.page.get_by_text("1 drawn by scribble").wait_for()
    visitor.open("/draw?generator=dali")
    visitor.page.get_by_text("there is no generator 'dali'").wait_for()
    visitor.page.get_by_role("button", name="Draw with crosslens-sketch").click()
    visitor.page.get_by_text("128 × 128").first.wait_for()
    assert visitor.page.get_by_role("button", name="Draw", exact=True).is_enabled()


def test_pictures_that_are_gone_are_drawn_again_by_their_seed(visitor: Any) -> None:
    visitor.open("/draw")
    made = draw(visitor, "teapot", 1)
    seed = re.findall(r"\d+", visitor.page.locator(".seeded").inner_text())[0]
    visitor.open(f"/draw?q=teapot&n=1&task={'0' * 16}&first={seed}")
    visitor.page.get_by_text("no longer kept").wait_for()
    visitor.page.get_by_role("button", name="Draw them again").click()
    assert drawn(visitor, "teapot", 1) == made


@pytest.mark.parametrize("dark", [False, True])
def test_drawn_pictures_and_their_settings_have_no_serious_finding(visit: Any, dark: bool) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    visitor = visit(dark=dark, width=390 if dark else 1280)
    visitor.open("/draw")
    draw(visitor, "red hat")
    draw(visitor, "blue hat", 1)
    visitor.page.get_by_text("Settings", exact=True).click()
    assert visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for look_closer in (False, True):
        if look_closer:
            visitor.page.locator(".card .frame").first.click()
            visitor.page.locator("dialog").wait_for()
        found = axe.Axe().run(visitor.page).response["violations"]
        grave = [each for each in found if each["impact"] in ("serious", "critical")]
        assert grave == []


def test_a_search_looks_for_what_its_words_are_imagined_as(visitor: Any) -> None:
    visitor.open("/?q=red+hat")
    visitor.found("q=red")
    visitor.page.get_by_label("Imagine it").check()
    visitor.found("imagine=1")
    picture = visitor.page.locator(".imagined img")
    visitor.within(60, lambda: picture.evaluate("n => n.naturalWidth > 0"))
    visitor.page.get_by_role("button", name="Why").first.click()
    visitor.page.get_by_text("picture ↔ picture").first.wait_for()
    visitor.page.get_by_role("link", name="Draw more like it").click()
    visitor.within(60, lambda: "/draw" in visitor.page.url)
    assert words(visitor).input_value() == "red hat"

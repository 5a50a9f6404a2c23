"""Search in the browser: words in both languages, pictures, filters, links that can be shared."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from fakes import jpeg

pytestmark = pytest.mark.browser

# Drops a file as a person would, onto the middle of the page.
DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(
      new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""
PASTE = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  const inside = [...document.querySelectorAll("*")].map(n => n.shadowRoot);
  const box = inside.map(r => r?.querySelector("input[type=search]")).find(Boolean);
  box.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true }));
}"""


def carried(content: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> list[str]:
    return [name, kind, base64.b64encode(content).decode()]


def first_category(visitor: Any, shop: Any) -> str:
    title = visitor.titles()[0]
    found = shop.client.products(find=title[:150], page_size=1).products
    return str(found[0].attributes["category"])


def test_words_find_products_in_both_languages(visitor: Any, shop: Any) -> None:
    visitor.open()
    visitor.ask("red backpack")
    visitor.found("q=red")
    assert first_category(visitor, shop) == "backpack"
    visitor.ask("双肩包")
    visitor.found("q=%E5%8F%8C")
    assert first_category(visitor, shop) == "backpack"


def test_the_address_holds_the_question(visitor: Any, visit: Any) -> None:
    visitor.open()
    visitor.ask("hat")
    visitor.found("q=hat")
    visitor.page.get_by_label("Compare").select_option("text2text")
    visitor.found("kind=text2text")
    visitor.page.locator(
        "aside details:has(> summary[data-focus=facet-colour]) label.pick"
    ).first.click()
    shown = visitor.found("is=colour")
    address = visitor.page.url
    assert "q=hat" in address
    other = visit()
    other.open(address.removeprefix(other.base))
    assert other.found("is=colour") == shown
    assert other.page.get_by_role("searchbox").input_value() == "hat"


def test_the_browser_goes_back_to_the_question_before(visitor: Any) -> None:
    visitor.open()
    visitor.ask("hat")
    hats = visitor.found("q=hat")
    visitor.ask("mug")
    visitor.found("q=mug")
    visitor.page.go_back()
    assert visitor.found("q=hat") == hats


@pytest.mark.parametrize("how", [DROP, PASTE])
def test_a_picture_is_dropped_or_pasted(visitor: Any, shop: Any, how: str) -> None:
    product = shop.client.products(page_size=1, sort="id").products[0]
    visitor.open()
    visitor.page.evaluate(how, carried(shop.client.picture(product.id)))
    assert product.title in visitor.found("picture=")[:3]
    visitor.page.reload()
    assert product.title in visitor.found("picture=")[:3], "a link keeps the picture"


def test_a_picture_is_chosen_and_words_are_added(visitor: Any, shop: Any, tmp_path: Path) -> None:
    product = shop.client.products(page_size=1, sort="id").products[0]
    file = tmp_path / "photo.webp"
    file.write_bytes(shop.client.picture(product.id))
    visitor.open()
    visitor.page.locator("#crosslens-file").set_input_files(file)
    visitor.found("picture=")
    visitor.ask("blue")
    visitor.found("q=blue&picture=")
    alpha = visitor.page.get_by_label("Weigh", exact=True)
    alpha.fill("0.9")
    alpha.dispatch_event("change")
    visitor.found("alpha=0.9")
    visitor.page.get_by_role("button", name="Take off: Your picture").click()
    visitor.page.wait_for_selector(".part.results:not([data-ready*='picture='])")


def test_a_file_that_is_no_picture_is_refused_kindly(visitor: Any) -> None:
    visitor.open()
    visitor.page.evaluate(DROP, carried(b"once upon a time", "story.txt", "text/plain"))
    told = visitor.page.get_by_role("alert").filter(has_text="story.txt")
    told.wait_for()
    assert "not a picture" in told.inner_text()
    visitor.ask("hat")
    assert visitor.found("q=hat")


def test_a_picture_url_that_leads_inside_is_refused(visitor: Any) -> None:
    visitor.open("/?url=http%3A%2F%2F127.0.0.1%2Fsecret.png")
    told = visitor.page.locator(".searchbox [role=alert] .notice")
    told.wait_for()
    assert told.inner_text().strip()


def test_more_like_this_starts_from_a_hit(visitor: Any, shop: Any) -> None:
    visitor.open("/?q=umbrella")
    visitor.found("q=umbrella")
    first = visitor.titles()[0]
    product = shop.client.products(find=first[:150], page_size=1).products[0]
    visitor.page.get_by_role("button", name="More like this").first.click()
    found = visitor.found(f"like={product.id}")
    assert found == [h.product.title for h in shop.client.similar(product.id, limit=24).hits]
    assert visitor.page.locator(".chip .name").inner_text() == first


def test_why_shows_a_bar_per_probe(visitor: Any) -> None:
    visitor.open("/?q=red+hat")
    visitor.found("q=red")
    button = visitor.page.get_by_role("button", name="Why").first
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    bars = visitor.page.locator(".card").first.locator(".probe")
    assert {bars.nth(n).locator("span").first.inner_text() for n in range(bars.count())} >= {
        "exact words",
        "words ↔ picture",
    }


def test_pages_follow_each_other(visitor: Any) -> None:
    visitor.open("/?q=bag")
    first = visitor.found("q=bag")
    visitor.page.get_by_role("button", name="Next").click()
    second = visitor.found("page=2")
    assert len(first) == len(second) == 24
    visitor.page.get_by_role("button", name="Previous").click()
    visitor.page.wait_for_selector(".part.results:not([data-ready*='page='])")
    assert visitor.titles() == first


def test_a_range_and_the_choice_of_attributes(visitor: Any, shop: Any) -> None:
    visitor.open("/?q=bag")
    visitor.found("q=bag")
    visitor.page.get_by_label("price: max").fill("50")
    visitor.page.get_by_label("price: max").press("Enter")
    titles = visitor.found("in=price")
    cheap = {p.title for p in shop.client.all_products(filter="price <= 50", page_size=100)}
    assert titles
    assert set(titles) <= cheap
    visitor.page.get_by_text("Show", exact=True).click()
    visitor.page.locator(".menu label", has_text="material").click()
    visitor.found("show=")


def test_nothing_found_says_what_to_do(visitor: Any) -> None:
    visitor.open("/?q=zzqqx&alpha=0&kind=hybrid")
    visitor.page.get_by_text("Nothing fits").wait_for()
    suggestion = visitor.page.locator(".nothing button").last
    words = suggestion.inner_text()
    suggestion.click()
    visitor.found("q=" + words.split()[0])


def test_a_very_long_title_and_markup_are_shown_as_they_are(visitor: Any, shop: Any) -> None:
    evil = "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    long = "endless " * 200 + "W" * 390
    products = [
        shop.client.add_product(title, pictures=[jpeg()], attributes={"colour": evil})
        for title in (f"{evil} zebracorn", f"zebracorn {long}")
    ]
    shop.client.wait_until_indexed()
    try:
        visitor.open("/?q=zebracorn")
        titles = visitor.found("q=zebracorn")
        assert f"{evil} zebracorn" in titles[:2]
        assert visitor.page.evaluate("window.hacked") is None
        wide = visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, "the page does not grow to the side"
        visitor.page.locator(".frame").first.click()
        visitor.page.locator("dialog").wait_for()
        assert visitor.page.evaluate("window.hacked") is None
    finally:
        for product in products:
            shop.client.remove_product(product.id)


def test_a_hit_is_asked_for_otherwise_where_it_stands(visitor: Any) -> None:
    visitor.open()
    visitor.ask("red backpack")
    visitor.found("q=red")
    visitor.page.get_by_text("Like this, but …").first.click()
    visitor.page.get_by_label("How it should differ from").first.fill("in blue")
    visitor.page.keyboard.press("Enter")
    visitor.found("kind=composed")
    assert "like=" in visitor.page.url
    assert visitor.titles()

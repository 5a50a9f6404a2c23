"""What all pages share: languages, keys, a service that is away, accessibility, narrow screens."""

from __future__ import annotations

import signal
import time
from typing import Any

import httpx
import pytest

from crosslens.api.keys import KeyFile, Role
from service import Server

pytestmark = pytest.mark.browser

PAGES = (
    *("/", "/?q=red+hat", "/catalogue", "/catalogue?product=1", "/system", "/quality"),
    *("/duplicates", "/duplicates?view=untitled", "/judging?q=red+hat", "/experiments"),
    *("/beside?q=red+hat", "/draw", "/draw?q=red+hat&seed=1"),
)


@pytest.mark.parametrize(
    ("path", "dark"),
    [*((path, False) for path in PAGES), ("/?q=red+hat", True), ("/system", True), ("/draw", True)],
)
def test_no_page_has_a_serious_finding(visit: Any, path: str, dark: bool) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    visitor = visit(dark=dark)
    visitor.open(path)
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.wait_for_timeout(300)
    found = axe.Axe().run(visitor.page).response["violations"]
    grave = [
        (each["id"], each["impact"], [n["target"] for n in each["nodes"]][:3], each["help"])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert grave == []


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_phone(visit: Any, path: str) -> None:
    visitor = visit(width=390)
    visitor.open(path)
    visitor.page.wait_for_timeout(200)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    main = "document.querySelector('[data-testid=stMain]').scrollWidth"
    assert visitor.page.evaluate(main) <= 390


def test_the_language_comes_from_the_browser_and_stays_in_the_address(visit: Any) -> None:
    visitor = visit(locale="zh-CN")
    visitor.open()
    visitor.page.get_by_role("link", name="商品库").wait_for()
    assert "lang=zh" in visitor.page.url
    assert visitor.page.evaluate("document.documentElement.lang") == "zh-CN"
    visitor.page.get_by_role("button", name="EN", exact=True).click()
    visitor.page.get_by_role("link", name="Catalogue").click()
    visitor.page.get_by_role("heading", name="Catalogue").wait_for()
    assert "lang=en" in visitor.page.url


def test_the_navigation_can_be_skipped(visitor: Any) -> None:
    visitor.open("/catalogue")
    visitor.page.get_by_role("button", name="Skip to content").focus()
    visitor.page.keyboard.press("Enter")
    inside = "(n => { while (n?.shadowRoot) n = n.shadowRoot.activeElement; return n?.innerText })"
    assert visitor.page.evaluate(f"{inside}(document.activeElement)").strip() == "Import"


def test_every_link_of_the_frame_leads_to_its_page(visit: Any) -> None:
    visitor = visit()
    visitor.open("/system")
    links = visitor.page.locator("header a")
    for n in range(links.count()):
        name, href = links.nth(n).inner_text(), links.nth(n).get_attribute("href")
        other = visit()
        other.open(href)
        assert other.page.locator("[role=dialog]").count() == 0, "no page is unknown"
        here = other.page.locator("nav a[aria-current]").inner_text()
        assert here == ("Search" if name == "crosslens" else name)


def test_the_keyboard_alone_leads_to_an_answer(visitor: Any) -> None:
    visitor.open()
    visitor.page.keyboard.press("/")
    visitor.page.keyboard.type("mug")
    visitor.page.keyboard.press("Enter")
    assert visitor.found("q=mug")
    focused = "(n => { while (n?.shadowRoot) n = n.shadowRoot.activeElement; return n?.className })"
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        if "frame" in (visitor.page.evaluate(f"{focused}(document.activeElement)") or ""):
            break
    visitor.page.keyboard.press("Enter")
    dialog = visitor.page.locator("dialog")
    dialog.wait_for()
    visitor.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert "frame" in visitor.page.evaluate(f"{focused}(document.activeElement)")


def test_a_service_that_is_away_is_told_kindly_and_found_again(visitor: Any, shop: Any) -> None:
    visitor.open("/?q=hat")
    hats = visitor.found("q=hat")
    port = shop.port
    shop.server.stop(signal.SIGTERM)
    try:
        visitor.page.reload()
        visitor.page.get_by_text("The service does not answer").wait_for()
    finally:
        shop.server = Server(shop.home, ["--port", port])
        shop.server.start()
    visitor.page.wait_for_selector('.part.results[data-ready*="q=hat"]', timeout=20_000)
    assert visitor.titles() == hats


def test_a_service_with_keys_asks_for_one_once(visitor: Any, shop: Any) -> None:
    keys = KeyFile(shop.home / "keys.json")
    key, text = keys.new(Role.READ)
    try:
        time.sleep(1.2)  # a running service notices within a second
        visitor.page.goto(visitor.base)
        field = visitor.page.get_by_label("API key")
        field.fill("cl_wrong")
        field.press("Enter")
        visitor.page.get_by_text("does not know this key").wait_for()
        field.fill(text)
        field.press("Enter")
        visitor.page.get_by_role("searchbox").wait_for()
        visitor.page.reload()
        visitor.page.get_by_role("searchbox").wait_for()
        assert visitor.page.evaluate("document.cookie.includes('crosslens')") is False
        assert (
            visitor.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})").find(text)
            == -1
        )
        picture = visitor.page.locator(".frame img").first
        visitor.within(10, lambda: picture.evaluate("n => n.naturalWidth > 0"))
    finally:
        keys.revoke(key.id)
        time.sleep(1.2)


def test_no_other_site_may_use_the_page(shop: Any) -> None:
    base = shop.page_url
    evil = {"origin": "https://evil.example"}
    assert (
        httpx.post(f"{base}/handed?name=a.csv", content=b"id,title", headers=evil).status_code
        == 403
    )
    assert httpx.post(f"{base}/asked", content=b"x").status_code == 403
    rebound = httpx.get(base, headers={"host": "evil.example"})
    assert rebound.status_code == 421
    policy = httpx.get(base).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http:" not in policy
    assert "https:" not in policy

"""Judging, experiments, two scenes side by side and duplicates in the browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fakes import jpeg

pytestmark = pytest.mark.browser

FOCUSED = "(n => { while (n?.shadowRoot) n = n.shadowRoot.activeElement; return n })"


@pytest.fixture
def twins(shop: Any) -> Iterator[list[Any]]:
    """Three products with one picture, that nobody has decided on."""
    picture = jpeg((17, 130, 99), (120, 90))
    added = [shop.client.add_product(f"wallaby stool {n}", pictures=[picture]) for n in range(3)]
    shop.client.wait_until_indexed()
    shop.client.wait_for_task(shop.client.scan_duplicates().task)
    yield added
    for product in added:
        if not any(p.id == product.id for p in shop.client.products(find="wallaby").products):
            continue
        shop.client.remove_product(product.id)


def test_duplicates_are_looked_for_shown_with_their_reason_and_parted(
    visitor: Any, shop: Any, twins: list[Any]
) -> None:
    visitor.open("/duplicates")
    visitor.page.get_by_role("button", name="Look through the catalogue").click()
    group = visitor.page.locator(".cluster", has_text="wallaby stool 0")
    group.wait_for()
    assert "Identical picture" in group.inner_text()
    assert "picture 1 and picture 1 have the same bytes" in group.inner_text()
    group.scroll_into_view_if_needed()
    visitor.within(10, lambda: group.locator("img").first.evaluate("n => n.naturalWidth > 0"))
    group.get_by_role("button", name="They are different").click()
    visitor.page.get_by_text("these 3 are different products").wait_for()
    group.wait_for(state="detached")
    visitor.page.get_by_role("button", name="Undo").click()
    group.wait_for()


def test_duplicates_are_merged_into_the_one_that_is_picked(
    visitor: Any, shop: Any, twins: list[Any]
) -> None:
    visitor.open("/duplicates?tier=exact")
    group = visitor.page.locator(".cluster", has_text="wallaby stool 0")
    group.get_by_role("radio", name=re.compile("wallaby stool 1")).check()
    group.get_by_role("button", name="They are one: merge").click()
    visitor.page.get_by_text("“wallaby stool 1” gets the pictures").wait_for()
    visitor.page.locator("[data-yes]").click()
    visitor.page.get_by_text("Merged into “wallaby stool 1”").wait_for()
    left = [p.title for p in shop.client.products(find="wallaby").products]
    assert left == ["wallaby stool 1"]
    shop.client.wait_for_task(shop.client.scan_duplicates().task)
    assert not any(
        product.title.startswith("wallaby")
        for cluster in shop.client.duplicates(limit=100).clusters
        for product in cluster.products
    ), "what was decided is remembered"


def test_an_untitled_product_gets_the_title_of_one_that_looks_like_it(
    visitor: Any, shop: Any
) -> None:
    titled = shop.client.products(find="hat").products[0]
    picture = shop.client.picture(titled.id)
    bare = shop.client.add_product("IMG_4711", pictures=[picture])
    shop.client.wait_until_indexed()
    visitor.open("/duplicates?view=untitled")
    row = visitor.page.locator(".bare", has_text="IMG_4711")
    first = row.locator(".titles button").first
    title = first.inner_text()
    first.click()
    visitor.page.get_by_text(f"#{bare.id} is now called").wait_for()
    assert shop.client.product(bare.id).title == title.strip()
    visitor.page.get_by_role("button", name="Undo").click()
    row.wait_for()
    assert shop.client.product(bare.id).title == "IMG_4711"
    shop.client.remove_product(bare.id)


def test_products_are_judged_by_keys_and_saved_where_the_shell_keeps_them(
    visitor: Any, shop: Any
) -> None:
    visitor.open("/judging")
    visitor.page.get_by_role("searchbox").fill("red hat")
    visitor.page.keyboard.press("Enter")
    cards = visitor.page.locator(".card")
    cards.nth(3).wait_for()
    assert visitor.page.get_by_text("Found by").count() >= 4
    cards.first.focus()
    visitor.page.keyboard.press("3")
    assert visitor.page.evaluate(f"{FOCUSED}(document.activeElement).dataset.focus") == (
        cards.nth(1).get_attribute("data-focus")
    )
    visitor.page.keyboard.press("0")
    visitor.page.get_by_text(re.compile(r"Saved\. 2 of \d+ judged")).wait_for()
    keys = [cards.nth(n).get_attribute("data-focus").removeprefix("card-") for n in (0, 1)]
    folder = shop.home / "judged" / "golden"
    rows = (folder / "queries.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(row)["text"] for row in rows] == ["red hat"]
    judged = (folder / "qrels.tsv").read_text("utf-8")
    assert f"q1\t{keys[0]}\t3" in judged
    assert f"q1\t{keys[1]}\t0" in judged
    visitor.page.reload()
    visitor.page.locator(".card.judged").nth(1).wait_for()
    again = visitor.page.locator(f'.card[data-focus="card-{keys[0]}"]')
    assert "Exactly this" in again.inner_text()
    again.focus()
    visitor.page.keyboard.press("Backspace")
    visitor.page.get_by_text(re.compile(r"Saved\. 1 of")).wait_for()
    assert f"q1\t{keys[0]}" not in (folder / "qrels.tsv").read_text("utf-8")
    visitor.page.get_by_role("button", name=re.compile("^red hat")).get_by_text(
        "1 judged"
    ).wait_for()


def test_an_experiment_is_reported_with_shares_intervals_and_split(visitor: Any, shop: Any) -> None:
    for user in range(40):
        answer = shop.client.search("hat", scene="tested", user=f"u{user}")
        if answer.experiments["ranking"] == "turned" or user % 2:
            shop.client.feedback(answer.answer_id, (answer.hits[0].product.id, "click"))
    visitor.open("/experiments")
    visitor.page.get_by_role("heading", name="tested · ranking").wait_for()
    assert "base 50 %" in visitor.page.locator(".shares").first.inner_text()
    table = visitor.page.locator("table").inner_text()
    assert re.search(r"turned\s+\d+\s+Expected 20", table)
    assert re.search(r"[+-]0\.\d{4} … [+-][01]\.\d{4}", table)
    visitor.page.get_by_text("Users fall as the ratios say").wait_for()
    visitor.page.get_by_role("img", name=re.compile("Effects beside base")).wait_for()
    visitor.page.get_by_label("Answers that led to").select_option("buy")
    visitor.within(5, lambda: "action=buy" in visitor.page.url)
    visitor.page.get_by_label("Answers since").fill("2030-01-01")
    visitor.page.get_by_text("Too few users yet").wait_for()


def test_two_ways_stand_side_by_side_with_their_differences(visitor: Any) -> None:
    visitor.open("/beside?q=hat")
    visitor.page.get_by_label("On the left").select_option('["tested","ranking","base"]')
    visitor.within(5, lambda: "a=" in visitor.page.url)
    visitor.page.get_by_label("On the right").select_option('["tested","ranking","turned"]')
    visitor.page.get_by_role("heading", name="tested · ranking: turned").wait_for()
    marks = visitor.page.locator(".moved")
    marks.first.wait_for()
    said = {mark.strip()[0] for mark in marks.all_inner_texts()}
    assert said & set("↑↓✦"), "they differ"
    visitor.page.get_by_role("button", name="Swap the sides").click()
    first = visitor.page.locator(".sides h2").first
    visitor.within(5, lambda: first.inner_text() == "tested · ranking: turned")
    address = visitor.page.url
    visitor.page.get_by_label("On the right").select_option('["tested","ranking","turned"]')
    visitor.page.get_by_text("Both sides show the same, in the same order").wait_for()
    visitor.page.goto(address)
    visitor.page.get_by_role("heading", name="tested · ranking: turned").wait_for()


def test_the_pages_speak_chinese(visit: Any) -> None:
    visitor = visit(locale="zh-CN", width=390)
    for path, heading in (
        ("/duplicates", "重复商品"),
        ("/judging", "标注"),
        ("/experiments", "实验"),
        ("/beside", "对比"),
        ("/draw", "说出来，画给您看"),
    ):
        visitor.open(path)
        visitor.page.get_by_role("heading", name=heading, exact=True).first.wait_for()
        assert visitor.page.evaluate("document.documentElement.lang") == "zh-CN"

"""The catalogue in the browser: list, add, edit, delete and undo, import with bad records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes import jpeg

pytestmark = pytest.mark.browser


def names(visitor: Any) -> list[str]:
    return [n.inner_text() for n in visitor.page.query_selector_all("td .title")]


def test_products_are_leafed_sorted_and_found(visitor: Any, shop: Any) -> None:
    visitor.open("/catalogue")
    newest = [p.title for p in shop.client.products(page_size=20).products]
    assert names(visitor) == newest
    visitor.page.get_by_role("button", name="Next").click()
    visitor.within(5, lambda: len(names(visitor)) == 20 and names(visitor) != newest)
    visitor.page.get_by_label("Order").select_option("title")
    by_title = [p.title for p in shop.client.products(sort="title", descending=False).products]
    visitor.within(5, lambda: names(visitor) == by_title)
    visitor.page.get_by_role("searchbox").fill(newest[0][:30])
    visitor.within(5, lambda: newest[0] in names(visitor) and len(names(visitor)) < 20)
    assert "find=" in visitor.page.url
    visitor.open("/catalogue?page=400")
    assert names(visitor), "a page past the end shows the last one"


def test_a_product_is_added_with_pictures_and_found(
    visitor: Any, shop: Any, tmp_path: Path
) -> None:
    for n, colour in enumerate([(200, 30, 30), (30, 30, 200)]):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(colour))
    (tmp_path / "notes.txt").write_text("not a picture")
    visitor.open("/catalogue")
    visitor.page.get_by_role("button", name="Add a product").click()
    visitor.page.get_by_label("Title", exact=True).fill("quokka lantern 考拉灯")
    pictures = visitor.page.locator("#product-pictures")
    pictures.set_input_files([tmp_path / "notes.txt"])
    visitor.page.get_by_role("alert").filter(has_text="notes.txt").wait_for()
    pictures.set_input_files([tmp_path / "0.jpg", tmp_path / "1.jpg"])
    visitor.page.locator(".strip img").nth(1).wait_for()
    visitor.page.get_by_role("button", name="Add an attribute").click()
    visitor.page.get_by_label("Name", exact=True).last.fill("price")
    visitor.page.get_by_label("Value", exact=True).last.fill("19.5")
    visitor.page.get_by_role("button", name="Save").click()
    visitor.page.get_by_text("Added “quokka lantern").wait_for()
    visitor.page.locator("tr", has_text="quokka").get_by_text("Searchable").wait_for()
    visitor.open("/?q=quokka+lantern")
    assert "quokka lantern 考拉灯" in visitor.found("q=quokka")[:1]
    product = shop.client.products(find="quokka lantern").products[0]
    assert (len(product.pictures), product.attributes) == (2, {"price": 19.5})
    shop.client.remove_product(product.id)


def test_an_edited_title_changes_what_searches_find(visitor: Any, shop: Any) -> None:
    product = shop.client.add_product(
        "plain thing", pictures=[jpeg()], attributes={"colour": "red"}
    )
    visitor.open(f"/catalogue?product={product.id}")
    visitor.page.get_by_label("Title", exact=True).fill("wombat kettle")
    visitor.page.get_by_role("button", name="Save").click()
    visitor.page.get_by_text("Saved “wombat kettle”").wait_for()
    visitor.page.locator("tr", has_text="wombat").get_by_text("Searchable").wait_for()
    visitor.open("/?q=wombat+kettle")
    assert visitor.found("q=wombat")[0] == "wombat kettle"
    now = shop.client.product(product.id)
    assert (now.pictures, now.attributes) == (product.pictures, {"colour": "red"})
    shop.client.remove_product(product.id)


def test_an_edit_that_is_out_of_date_is_not_written_over(visitor: Any, shop: Any) -> None:
    product = shop.client.add_product("contested thing")
    visitor.open(f"/catalogue?product={product.id}")
    visitor.page.get_by_label("Title", exact=True).fill("mine")
    shop.client.edit_product(product.id, title="theirs")
    visitor.page.get_by_role("button", name="Save").click()
    visitor.page.get_by_text("Somebody else changed").wait_for()
    assert shop.client.product(product.id).title == "theirs"
    shop.client.remove_product(product.id)


def test_a_deleted_product_is_gone_at_once_and_comes_back(visitor: Any, shop: Any) -> None:
    product = shop.client.add_product("numbat teapot", pictures=[jpeg()])
    shop.client.wait_until_indexed()
    visitor.open("/catalogue?find=numbat")
    visitor.page.get_by_role("button", name="Delete numbat teapot").click()
    visitor.page.locator("[data-yes]").click()
    visitor.page.get_by_text("Deleted “numbat teapot”").wait_for()
    assert all(hit.product.id != product.id for hit in shop.client.search("numbat teapot").hits)
    visitor.page.get_by_role("button", name="Undo").click()
    visitor.page.get_by_text("“numbat teapot” is back").wait_for()
    visitor.page.locator("tr", has_text="numbat").get_by_text("Searchable").wait_for()
    assert any(hit.product.id == product.id for hit in shop.client.search("numbat teapot").hits)
    shop.client.remove_product(product.id)


def test_an_import_tells_which_records_are_bad(visitor: Any, shop: Any, tmp_path: Path) -> None:
    rows = [f'{{"id": "imp-{n}", "title": "imported dingo {n}"}}' for n in range(40)]
    rows[7] = '{"id": "imp-7"}'
    rows[21] = "{no json"
    file = tmp_path / "shop.jsonl"
    file.write_text("\n".join(rows), "utf-8")
    visitor.open("/catalogue")
    visitor.page.get_by_role("button", name="Import").click()
    visitor.page.locator("#import-file").set_input_files(file)
    visitor.page.get_by_text("2 records were left out").wait_for()
    visitor.page.get_by_text("40 read · 38 stored · 0 unchanged · 2 left out").wait_for()
    with visitor.page.expect_download() as loading:
        visitor.page.get_by_role("link", name="Download the report").click()
    report = Path(loading.value.path()).read_text("utf-8-sig").splitlines()
    assert report[0] == "line,key,reason"
    assert [line.split(",")[0] for line in report[1:]] == ["8", "22"]
    visitor.page.get_by_role("button", name="Close").click()
    visitor.page.wait_for_selector(".job", state="detached")
    for product in shop.client.products(find="imported dingo", page_size=100).products:
        shop.client.remove_product(product.id)


def test_a_file_that_is_no_catalogue_is_refused(visitor: Any, tmp_path: Path) -> None:
    file = tmp_path / "photo.exe"
    file.write_bytes(b"MZ")
    visitor.open("/catalogue")
    visitor.page.get_by_role("button", name="Import").click()
    visitor.page.locator("#import-file").set_input_files(file)
    told = visitor.page.get_by_role("alert").filter(has_text="photo.exe")
    told.wait_for()
    assert "allowed are" in told.inner_text()

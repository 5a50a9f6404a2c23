"""System and quality in the browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_the_system_page_tells_how_every_part_is(visitor: Any) -> None:
    visitor.open("/system")
    for part in ("Catalogue", "Bundles", "Index", "Changes", "Worker"):
        visitor.page.locator(".checks .badge.done", has_text=part).wait_for()
    visitor.page.locator(".bundles strong", has_text="crosslens-mini").wait_for()


def test_an_audit_and_a_repair_are_told(visitor: Any) -> None:
    visitor.open("/system")
    visitor.page.get_by_role("button", name="Audit", exact=True).click()
    visitor.page.get_by_text(re.compile(r"All \d+ products agree")).wait_for()
    visitor.page.get_by_role("button", name="Audit and repair").click()
    visitor.page.get_by_text("0 are being indexed again").or_(
        visitor.page.get_by_text(re.compile("products agree"))
    ).first.wait_for()


def test_a_switch_of_bundles_shows_its_progress(visitor: Any, shop: Any) -> None:
    visitor.open("/system")
    visitor.page.get_by_label("Use crosslens-mini for").select_option("looks")
    visitor.page.get_by_role("button", name="Switch to it").click()
    visitor.page.locator("[data-yes]").click()
    task = visitor.page.locator(".tasks li", has_text="Switch of bundles")
    task.first.wait_for()
    task.first.get_by_text("Done").wait_for(timeout=60_000)
    assert shop.client.tasks()[0].state == "done"
    assert shop.client.search("hat").hits, "searching goes on"


def test_a_run_is_measured_looked_at_and_compared(visitor: Any, shop: Any) -> None:
    visitor.open("/quality")
    for alpha in ("0", "0.8"):
        visitor.page.get_by_label("Judged set").select_option("sample")
        visitor.page.get_by_label("α, vectors").fill(alpha)
        visitor.page.get_by_label("At most so many").fill("40")
        visitor.page.get_by_role("button", name="Start").click()
        visitor.page.locator("tbody tr", has_text=f"α {alpha}").first.wait_for(timeout=60_000)
        visitor.page.get_by_role("heading", name=f"α {alpha}").wait_for()
    visitor.page.get_by_text("Expected calibration error over").wait_for()
    visitor.page.get_by_role("heading", name="Where it goes wrong").wait_for()
    visitor.page.locator(".worst img").first.wait_for()
    table = visitor.page.locator("table", has_text="95 % interval")
    assert re.search(r"ndcg@10\s+0\.\d{3}\s+0\.\d{3} – [01]\.\d{3}", table.inner_text())
    visitor.page.get_by_label("Worst by").select_option("recall@1")
    visitor.page.get_by_text("recall@1 0.000").first.wait_for()
    visitor.page.get_by_label(re.compile("Compare .*α 0$")).check()
    visitor.page.get_by_role("heading", name="Comparison").wait_for()
    visitor.page.get_by_text("queries asked in both").wait_for()
    assert "other=" in visitor.page.url
    assert len(shop.client.runs()) == 2

"""The catalog as it is seen and used: on a desktop and a phone, light and dark, from disk, by keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxi_platform_tests.support.chromium import chromium_or_skip
from tools.web import browser_page

pytestmark = pytest.mark.long

NAMES = ("index", "columns", "lineage", "months", "quality", "questions", "tables/green_trips", "tables/mart_cbd_day")


def test_pages_open_from_disk_without_an_error_and_are_accessible(site: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with browser_page(chromium_or_skip()) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.on("request", lambda request: None if request.url.startswith("file:") else said.append(request.url))
        for name in NAMES:
            for width in (1440, 390):
                for scheme in ("light", "dark"):
                    page.set_viewport_size({"width": width, "height": 900})
                    page.emulate_media(color_scheme=scheme)
                    page.goto((site / f"{name}.html").as_uri())
                    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
                    assert page.evaluate(_CUT) == [], (name, width)
                    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
                    assert found.violations_count == 0, (name, width, scheme, found.generate_report())
        assert said == []


def test_the_search_is_used_by_keyboard_from_any_page(site: Path) -> None:
    with browser_page(chromium_or_skip()) as page:
        page.goto((site / "tables" / "zones.html").as_uri())
        page.get_by_role("searchbox").focus()
        page.keyboard.type("PULocationID green")
        page.keyboard.press("Enter")
        page.wait_for_url("**/index.html?q=*")
        hits = page.locator("#hits a")
        assert hits.first.inner_text() == "green_trips.pickup_location_id"
        assert page.get_by_role("status").inner_text() == "1 found"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/tables/green_trips.html#pickup_location_id")
        page.goto((site / "index.html").as_uri())
        page.get_by_role("searchbox").fill("trips")
        assert hits.first.inner_text() == "trips"
        page.get_by_role("searchbox").fill("nothing-like-this")
        assert page.get_by_role("status").inner_text() == "0 found"


def test_a_query_is_copied(site: Path) -> None:
    from taxi_platform.marts.questions import QUESTIONS

    with browser_page(chromium_or_skip()) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto((site / "questions.html").as_uri())
        page.get_by_role("button", name="Copy").first.click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == QUESTIONS[0].answers[0].sql


def test_a_box_of_the_drawing_shows_its_arrows_and_leads_to_its_table(site: Path) -> None:
    with browser_page(chromium_or_skip()) as page:
        page.goto((site / "lineage.html").as_uri())
        box = page.locator("a[data-name=mart_zone_revenue]")
        box.focus()
        near = page.locator(".arrow.is-near")
        assert {near.nth(place).get_attribute("data-from") for place in range(near.count())} == {
            "mart_zone_month",
            "zones",
        }
        page.keyboard.press("Enter")
        page.wait_for_url("**/tables/mart_zone_revenue.html")


def test_without_scripts_everything_is_reached_by_links(site: Path) -> None:
    with browser_page(chromium_or_skip()) as scripted:
        browser = scripted.context.browser
        assert browser is not None
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto((site / "index.html").as_uri())
        page.get_by_role("link", name="Columns", exact=True).click()
        page.get_by_role("listitem").filter(has_text=re.compile("^cbd_congestion_fee")).get_by_role(
            "link", name="green_trips"
        ).click()
        assert page.url.endswith("/tables/green_trips.html#cbd_congestion_fee")
        assert page.get_by_role("button").count() == 0


_CUT = """
[...document.querySelectorAll('svg text')].filter(text => {
  const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
  const box = text.parentElement.querySelector('rect').getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > box.right + 1 || inner.bottom > outer.bottom + 1;
}).map(text => text.textContent)
"""

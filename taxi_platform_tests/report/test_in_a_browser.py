"""The report as it is seen: on a desktop and a phone, light and dark, from disk."""

from __future__ import annotations

import pytest

from taxi_platform_tests.support.chromium import chromium_or_skip
from taxi_platform_tests.support.platform import Platform
from tools.web import browser_page

pytestmark = pytest.mark.long


def test_pages_open_from_disk_without_an_error_and_are_accessible(reported: Platform) -> None:
    """Also that of a dataset without zones, fares and revenue, and by default of the newest month."""
    from axe_playwright_python.sync_playwright import Axe

    assert reported.taxi("run", "--datasets", "fhv", "--months", "2020-05..2020-06").code == 0
    assert reported.taxi("report", "--output", "seen").code == 0
    pages = reported.folder / "seen"
    assert '<dt>Revenue</dt><dd class="value">n/a</dd>' in (pages / "fhv-2020-06.html").read_text()
    assert not (pages / "fhv-2020-05.html").exists()
    with browser_page(chromium_or_skip()) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("requestfailed", lambda request: said.append(request.url))
        for name in ("green-2020-06.html", "fhv-2020-06.html", "index.html"):
            for width in (1440, 390):
                for scheme in ("light", "dark"):
                    page.set_viewport_size({"width": width, "height": 900})
                    page.emulate_media(color_scheme=scheme)
                    page.goto((pages / name).as_uri())
                    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
                    assert page.evaluate("document.documentElement.scrollWidth") <= width
                    assert page.evaluate(_CUT) == []
                    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
                    assert found.violations_count == 0, (name, width, scheme, found.generate_report())
        assert said == []


_CUT = """
[...document.querySelectorAll('svg text')].filter(text => {
  const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
}).map(text => text.textContent)
"""
